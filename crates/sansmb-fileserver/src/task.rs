//! Work that is under way: what happens when a job's outcome comes back.

use sansmb::server::{RequestId, Token, op};

use crate::{
    action::Answer,
    close::Closing,
    create::{Creating, access::Found},
    directory::Query,
    info::{QueryEas, QueryFile, QueryFs, QuerySecurity, Renaming, SetFile, StreamRenaming},
    ioctl::{
        Asking, Compressing, Copying, Identifying, Offloading, Protecting, Ranging, Reparsing, Sharing,
        Sparsing, Trimming,
    },
    opens::OpenId,
    persistent::Restoring,
    quota::{QueryQuota, SetQuota},
    storage::{Data, Metadata},
};

/// A job's continuation.
#[derive(Debug)]
pub(crate) enum Task {
    /// A CREATE whose file is being looked up.
    Open(Box<Creating>),
    /// The same, whose directory is looked at for what it grants.
    Parent(Box<Creating>, Box<Found>),
    /// A step of closing an open.
    Close(Box<Closing>),
    /// A step on an open.
    On(OpenId, Step),
    /// A watch of the storage.
    Watch(OpenId),
    /// The records of the last run are being read.
    Load,
    /// The record of an open is being kept or forgotten.
    Store(OpenId),
    /// An open of the last run is being made anew.
    Restore(Box<Restoring>),
    /// Nobody waits for it; a handle that it opens is closed.
    Discard,
}

/// What is being done on an open.
#[derive(Debug)]
pub(crate) enum Step {
    /// A CREATE whose file is open and has to be truncated or the like.
    Create(Box<Creating>),
    /// Which file a CREATE found for good.
    Identify(Box<Creating>, Box<Metadata>),
    /// A client came back to its open.
    Reconnect {
        token: Token<op::Create>,
    },
    Read(Reading),
    Write {
        token: Token<op::Write>,
        length: u32,
    },
    /// Where does the file end?
    AppendLength(Append),
    AppendWrite {
        token: Token<op::Write>,
        length: u32,
    },
    Flush {
        token: Token<op::Flush>,
    },
    List(Box<Query>),
    QueryFile(Box<QueryFile>),
    QueryFs(Box<QueryFs>),
    QueryEas(Box<QueryEas>),
    QueryQuota(Box<QueryQuota>),
    SetQuota(SetQuota),
    SetFile(Box<SetFile>),
    QuerySecurity(QuerySecurity),
    SetSecurity {
        token: Token<op::SetInfo>,
    },
    Rename(Box<Renaming>),
    RenameStream(Box<StreamRenaming>),
    Copy(Box<Copying>),
    Offload(Box<Offloading>),
    Range(Box<Ranging>),
    Sparse(Box<Sparsing>),
    Zero {
        token: Token<op::Ioctl>,
        reply: crate::ioctl::Echo,
    },
    Share(Box<Sharing>),
    Reparse(Box<Reparsing>),
    Compress(Box<Compressing>),
    Protect(Box<Protecting>),
    ObjectId(Box<Identifying>),
    Trim(Box<Trimming>),
    Ask(Box<Asking>),
    /// Times that a client froze are put back; the answer waits for it.
    Restored {
        request: RequestId,
        answer: Box<Answer>,
    },
}

impl Step {
    /// Whether the job before it may have changed the data of the open's file.
    pub(crate) fn may_change_data(&self) -> bool {
        matches!(
            self,
            Self::Create(_)
                | Self::Write { .. }
                | Self::AppendWrite { .. }
                | Self::SetFile(_)
                | Self::Copy(_)
                | Self::Zero { .. }
                | Self::Share(_)
                | Self::Trim(_)
        )
    }
}

/// A READ.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) token: Token<op::Read>,
    pub(crate) offset: u64,
    /// What the client asks for.
    pub(crate) length: u32,
    pub(crate) minimum: u32,
    /// Bytes that were read before the job that is under way.
    pub(crate) got: usize,
}

/// A write at the end of a file.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) open: OpenId,
    pub(crate) token: Token<op::Write>,
    pub(crate) data: Data,
    pub(crate) through: bool,
    /// Where the client wants it, if it says so.
    pub(crate) offset: Option<u64>,
}
