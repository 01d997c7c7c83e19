//! Well-formed requests of every kind, and the ways in which they may be wrong.

use arbitrary::Arbitrary;
use sansmb::wire::{
    Body, Capabilities, ChangeNotifyRequest, Cipher, CloseRequest, Command, CreateRequest, CtlCode, Dialect,
    EmptyBody, FileId, Flags, FlushRequest, Guid, HashAlgorithm, Header, IoctlFlags, IoctlRequest,
    LeaseBreakAcknowledgment, List, LockElement, LockRequest, NegotiateContext, NegotiateContexts,
    NegotiateRequest, OplockBreak, QueryDirectoryRequest, QueryInfoRequest, ReadRequest, SecurityMode,
    SessionId, SessionSetupFlags, SessionSetupRequest, SetInfoRequest, Structure, TreeConnectRequest, TreeId,
    U16List, Utf16Buf, WriteRequest, Writer, fsctl::ValidateNegotiateRequest,
};

use crate::files::FileRequest;

/// What is asked.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Negotiate,
    SessionSetup,
    Logoff,
    TreeConnect,
    TreeDisconnect,
    Create,
    Close,
    Flush,
    Read,
    Write,
    Lock,
    Ioctl,
    Validate,
    Cancel,
    Echo,
    QueryDirectory,
    ChangeNotify,
    QueryInfo,
    SetInfo,
    OplockBreak,
    LeaseBreak,
    /// A command that there is, with a body that is none.
    Malformed,
    Unknown,
    /// One of those that a file server is asked, see [`crate::files`].
    File(FileRequest),
}

/// One request, in terms of what its client has.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Ask {
    pub kind: Kind,
    /// The MessageId: mostly the next one, see `Ask::id`.
    pub id: u8,
    pub charge: u8,
    pub credits: u8,
    pub session: u8,
    pub tree: u8,
    pub file: u8,
    pub flags: u8,
    pub n: u16,
}

impl Ask {
    /// The plainest request of a kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, id: 0, charge: 1, credits: 20, session: 0, tree: 0, file: 0, flags: 1, n: 64 }
    }

    /// The MessageId, where `next` is the next in order and `again` gives those that were used, the
    /// latest first.
    pub(crate) fn id(&self, next: u64, again: impl FnOnce(usize) -> Option<u64>) -> u64 {
        match self.id {
            0..224 => next,
            224..240 => next.saturating_add(u64::from(self.id % 16)),
            240..252 => again(usize::from(self.id % 12)).unwrap_or(next),
            _ => u64::from(self.n) << (self.id % 4 * 16),
        }
    }

    /// CreditCharge, mostly a small one.
    pub(crate) fn charge(&self) -> u16 {
        if self.charge < 224 { u16::from(self.charge % 3) } else { self.charge.into() }
    }

    /// Signed, but for one in four.
    pub(crate) fn signed(&self) -> bool {
        self.flags & 0x81 != 0x80
    }

    pub(crate) fn related(&self) -> bool {
        self.flags & 2 != 0
    }

    pub(crate) fn command(&self) -> Command {
        match self.kind {
            Kind::Negotiate => Command::NEGOTIATE,
            Kind::SessionSetup => Command::SESSION_SETUP,
            Kind::Logoff => Command::LOGOFF,
            Kind::TreeConnect => Command::TREE_CONNECT,
            Kind::TreeDisconnect => Command::TREE_DISCONNECT,
            Kind::Create => Command::CREATE,
            Kind::Close => Command::CLOSE,
            Kind::Flush => Command::FLUSH,
            Kind::Read => Command::READ,
            Kind::Write => Command::WRITE,
            Kind::Lock => Command::LOCK,
            Kind::Ioctl | Kind::Validate => Command::IOCTL,
            Kind::Cancel => Command::CANCEL,
            Kind::Echo => Command::ECHO,
            Kind::QueryDirectory => Command::QUERY_DIRECTORY,
            Kind::ChangeNotify => Command::CHANGE_NOTIFY,
            Kind::QueryInfo => Command::QUERY_INFO,
            Kind::SetInfo => Command::SET_INFO,
            Kind::OplockBreak | Kind::LeaseBreak => Command::OPLOCK_BREAK,
            Kind::Malformed => Command(self.n % 19),
            Kind::Unknown => Command(self.n),
            Kind::File(request) => request.command(),
        }
    }
}

/// A message with more than this in it has a buffer to itself.
const LONG: usize = 64 << 10;

/// What a request refers to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) dialect: Dialect,
    pub(crate) message_id: u64,
    pub(crate) session: SessionId,
    pub(crate) previous: SessionId,
    pub(crate) tree: TreeId,
    pub(crate) file: FileId,
}

/// The dialects and settings of NEGOTIATE that VALIDATE_NEGOTIATE_INFO repeats.
const MODE: SecurityMode = SecurityMode::SIGNING_ENABLED;
const CAPABILITIES: Capabilities = Capabilities::LARGE_MTU.union(Capabilities::ENCRYPTION);
const GUID: Guid = Guid([4; 16]);

/// The message, NextCommand zero.
pub(crate) fn message(ask: &Ask, context: &Context) -> Vec<u8> {
    let mut out = Vec::new();
    let mut flags = Flags::empty();
    flags.set(Flags::SIGNED, ask.signed() && ask.kind != Kind::Negotiate);
    flags.set(Flags::RELATED_OPERATIONS, ask.related());
    flags.set(Flags::REPLAY_OPERATION, ask.flags & 0x30 == 0x30);
    let header = Header {
        credit_charge: ask.charge(),
        command: ask.command(),
        credits: ask.credits.into(),
        flags,
        message_id: context.message_id,
        tree_id: context.tree,
        session_id: context.session,
        ..Header::default()
    };
    let mut w = Writer::new(&mut out);
    header.encode(&mut w);
    body(ask, context, &mut w);
    out
}

/// A request in the first session and tree of a server, as tests write it.
pub fn first_request(ask: &Ask, message_id: u64) -> Vec<u8> {
    let context = Context {
        dialect: Dialect::SMB2_0_2,
        message_id,
        session: SessionId(1 | 1 << 28),
        previous: SessionId(0),
        tree: TreeId(1),
        file: FileId::ANY,
    };
    message(ask, &context)
}

fn body(ask: &Ask, context: &Context, w: &mut Writer<'_>) {
    let file_id = context.file;
    let n = u32::from(ask.n);
    let bytes = vec![0x5A; usize::from(ask.n % 600)];
    let name = Utf16Buf::new(r"\\server\share");
    match ask.kind {
        Kind::Negotiate => negotiate(context.dialect, w),
        Kind::SessionSetup => {
            let mut request = SessionSetupRequest { security_buffer: &bytes, ..Default::default() };
            request.previous_session_id = context.previous;
            if ask.flags & 4 != 0 {
                request.flags |= SessionSetupFlags::BINDING;
            }
            if ask.flags & 8 != 0 {
                request.security_mode |= SecurityMode::SIGNING_REQUIRED;
            }
            request.encode(w);
        }
        Kind::TreeConnect => {
            TreeConnectRequest { path: name.as_utf16(), ..Default::default() }.encode(w);
        }
        Kind::Create => CreateRequest { name: name.as_utf16(), ..Default::default() }.encode(w),
        Kind::Close => CloseRequest { file_id, ..Default::default() }.encode(w),
        Kind::Flush => FlushRequest { file_id }.encode(w),
        Kind::Read => {
            // Also more than one credit pays for.
            let length = n << (ask.flags >> 4 & 7);
            ReadRequest { file_id, length, ..Default::default() }.encode(w);
        }
        Kind::Write => {
            // Some are long enough to be kept by the driver.
            let bytes = if n % 8 == 7 { vec![0xA5; LONG + bytes.len()] } else { bytes };
            let request = WriteRequest::new(file_id, 0, &bytes[..]);
            request.encode(w);
        }
        Kind::Lock => {
            let lock = [LockElement { offset: 0, length: 1, ..Default::default() }; 3];
            let locks = List::Values(&lock[..usize::from(ask.n) % 4]);
            LockRequest { file_id, locks, ..Default::default() }.encode(w);
        }
        Kind::Ioctl => {
            let request = IoctlRequest {
                ctl_code: CtlCode::PIPE_TRANSCEIVE,
                file_id,
                max_output_response: n,
                flags: IoctlFlags::IS_FSCTL,
                input: &bytes,
                ..Default::default()
            };
            request.encode(w);
        }
        Kind::Validate => {
            let dialects = [context.dialect];
            let info = ValidateNegotiateRequest {
                capabilities: CAPABILITIES,
                guid: GUID,
                security_mode: MODE,
                dialects: U16List::List(&dialects),
            };
            let request = IoctlRequest {
                ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
                file_id: FileId::ANY,
                max_output_response: 24,
                flags: IoctlFlags::IS_FSCTL,
                input: &info.to_vec(),
                ..Default::default()
            };
            request.encode(w);
        }
        Kind::QueryDirectory => {
            let request = QueryDirectoryRequest {
                file_id,
                output_buffer_length: n,
                pattern: name.as_utf16(),
                ..Default::default()
            };
            request.encode(w);
        }
        Kind::ChangeNotify => {
            ChangeNotifyRequest { file_id, output_buffer_length: n, ..Default::default() }.encode(w);
        }
        Kind::QueryInfo => {
            QueryInfoRequest { file_id, output_buffer_length: n, ..Default::default() }.encode(w);
        }
        Kind::SetInfo => SetInfoRequest { file_id, buffer: &bytes, ..Default::default() }.encode(w),
        Kind::OplockBreak => OplockBreak { file_id, ..Default::default() }.encode(w),
        Kind::LeaseBreak => LeaseBreakAcknowledgment::default().encode(w),
        Kind::File(request) => request.encode(file_id, w),
        Kind::Malformed => w.bytes(&bytes),
        Kind::Logoff | Kind::TreeDisconnect | Kind::Cancel | Kind::Echo | Kind::Unknown => {
            EmptyBody::default().encode(w);
        }
    }
}

fn negotiate(dialect: Dialect, w: &mut Writer<'_>) {
    let dialects = [dialect];
    let hashes = [HashAlgorithm::SHA_512];
    let ciphers = [Cipher::AES_128_GCM];
    let contexts = [
        NegotiateContext::Preauth { hash_algorithms: U16List::List(&hashes), salt: &[1; 32] },
        NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) },
    ];
    let mut request = NegotiateRequest {
        security_mode: MODE,
        capabilities: CAPABILITIES,
        client_guid: GUID,
        dialects: U16List::List(&dialects),
        ..Default::default()
    };
    if dialect == Dialect::SMB3_1_1 {
        request.contexts = NegotiateContexts::List(&contexts);
    }
    request.encode(w);
}
