//! The SMB2 packet header in both forms, [MS-SMB2] 2.2.1.

use zerocopy::little_endian::{U16, U32, U64};

use super::{DecodeError, DecodeErrorKind, NtStatus, Writer, fixed_at};

/// Length of the SMB2 header in bytes.
pub const HEADER_LEN: usize = 64;

/// The first four bytes of an SMB2 message.
pub const PROTOCOL_ID: [u8; 4] = [0xFE, b'S', b'M', b'B'];

open_enum! {
    /// The commands of SMB2, [MS-SMB2] 2.2.1.
    pub struct Command: u16 {
        /// [MS-SMB2] 2.2.3
        NEGOTIATE = 0,
        /// [MS-SMB2] 2.2.5
        SESSION_SETUP = 1,
        /// [MS-SMB2] 2.2.7
        LOGOFF = 2,
        /// [MS-SMB2] 2.2.9
        TREE_CONNECT = 3,
        /// [MS-SMB2] 2.2.11
        TREE_DISCONNECT = 4,
        /// [MS-SMB2] 2.2.13
        CREATE = 5,
        /// [MS-SMB2] 2.2.15
        CLOSE = 6,
        /// [MS-SMB2] 2.2.17
        FLUSH = 7,
        /// [MS-SMB2] 2.2.19
        READ = 8,
        /// [MS-SMB2] 2.2.21
        WRITE = 9,
        /// [MS-SMB2] 2.2.26
        LOCK = 10,
        /// [MS-SMB2] 2.2.31
        IOCTL = 11,
        /// [MS-SMB2] 2.2.30
        CANCEL = 12,
        /// [MS-SMB2] 2.2.28
        ECHO = 13,
        /// [MS-SMB2] 2.2.33
        QUERY_DIRECTORY = 14,
        /// [MS-SMB2] 2.2.35
        CHANGE_NOTIFY = 15,
        /// [MS-SMB2] 2.2.37
        QUERY_INFO = 16,
        /// [MS-SMB2] 2.2.39
        SET_INFO = 17,
        /// [MS-SMB2] 2.2.23
        OPLOCK_BREAK = 18,
        /// [MS-SMB2] 2.2.44
        SERVER_TO_CLIENT_NOTIFICATION = 19,
    }
}

wire_flags! {
    /// Flags of the header, [MS-SMB2] 2.2.1.
    pub struct Flags: u32 {
        /// The message is a response.
        const SERVER_TO_REDIR = 0x0000_0001;
        /// The header has the ASYNC form.
        const ASYNC_COMMAND = 0x0000_0002;
        /// A later member of a related compound.
        const RELATED_OPERATIONS = 0x0000_0004;
        /// The message is signed.
        const SIGNED = 0x0000_0008;
        /// The lowest bit of the priority.
        const PRIORITY_1 = 0x0000_0010;
        /// The middle bit of the priority.
        const PRIORITY_2 = 0x0000_0020;
        /// The highest bit of the priority.
        const PRIORITY_4 = 0x0000_0040;
        /// Three bits of priority (3.1.1).
        const PRIORITY_MASK = 0x0000_0070;
        /// The path is a DFS path.
        const DFS_OPERATIONS = 0x1000_0000;
        /// A replay of an earlier request (3.x).
        const REPLAY_OPERATION = 0x2000_0000;
    }
}

/// SessionId: names a session on a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// TreeId: names a tree connect within a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(pub u32);

/// SMB2_FILEID, [MS-SMB2] 2.2.14.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Stays the same across a reconnect of a durable handle.
    pub persistent: u64,
    /// Changes with every open.
    pub volatile: u64,
}

impl FileId {
    /// All ones: "the file of the previous member of this compound".
    pub const ANY: Self = Self { persistent: u64::MAX, volatile: u64::MAX };
}

layout! {
    /// FileId as it stands in messages.
    pub struct FileIdFixed [16] { persistent: U64, volatile: U64 }
}

impl From<FileIdFixed> for FileId {
    fn from(f: FileIdFixed) -> Self {
        Self { persistent: f.persistent.get(), volatile: f.volatile.get() }
    }
}

impl From<FileId> for FileIdFixed {
    fn from(f: FileId) -> Self {
        Self { persistent: U64::new(f.persistent), volatile: U64::new(f.volatile) }
    }
}

layout! {
    struct HeaderFixed [64] {
        protocol_id: [u8; 4],
        structure_size: U16,
        credit_charge: U16,
        status: U32,
        command: U16,
        credits: U16,
        flags: U32,
        next_command: U32,
        message_id: U64,
        process_id: U32,
        tree_id: U32,
        session_id: U64,
        signature: [u8; 16],
    }
}

/// The header of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Credits that the request consumes: one per 64 KiB; zero where multi-credit is not negotiated.
    pub credit_charge: u16,
    /// The status of a response. In a request of dialect 3.x, ChannelSequence in the low 16 bits.
    pub status: NtStatus,
    /// What is asked or answered.
    pub command: Command,
    /// Credits requested, or granted.
    pub credits: u16,
    /// Direction, form, compound, signing.
    pub flags: Flags,
    /// Offset of the next message of the compound from this header, or zero.
    pub next_command: u32,
    /// Number of the request in its connection.
    pub message_id: u64,
    /// Reserved (SYNC form) or the low half of AsyncId (ASYNC form).
    pub process_id: u32,
    /// TreeId (SYNC form) or the high half of AsyncId (ASYNC form).
    pub tree_id: TreeId,
    /// The session, or zero.
    pub session_id: SessionId,
    /// Zero unless [`Flags::SIGNED`].
    pub signature: [u8; 16],
}

impl Header {
    /// Parses the header that `msg` starts with.
    pub fn decode(msg: &[u8]) -> Result<Self, DecodeError> {
        const NAME: &str = "SMB2 header";
        let f: &HeaderFixed = fixed_at(msg, 0, NAME)?;
        if f.protocol_id != PROTOCOL_ID {
            return Err(DecodeError::new(NAME, 0, DecodeErrorKind::ProtocolId));
        }
        if usize::from(f.structure_size.get()) != HEADER_LEN {
            let kind = DecodeErrorKind::StructureSize(f.structure_size.get());
            return Err(DecodeError::new(NAME, 4, kind));
        }
        Ok(Self {
            credit_charge: f.credit_charge.get(),
            status: NtStatus(f.status.get()),
            command: Command(f.command.get()),
            credits: f.credits.get(),
            flags: Flags::from_bits_retain(f.flags.get()),
            next_command: f.next_command.get(),
            message_id: f.message_id.get(),
            process_id: f.process_id.get(),
            tree_id: TreeId(f.tree_id.get()),
            session_id: SessionId(f.session_id.get()),
            signature: f.signature,
        })
    }

    /// Appends the header.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(&self.to_bytes());
    }

    /// The header as it stands on the wire.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let fixed = HeaderFixed {
            protocol_id: PROTOCOL_ID,
            structure_size: U16::new(HEADER_LEN as u16),
            credit_charge: U16::new(self.credit_charge),
            status: U32::new(self.status.0),
            command: U16::new(self.command.0),
            credits: U16::new(self.credits),
            flags: U32::new(self.flags.bits()),
            next_command: U32::new(self.next_command),
            message_id: U64::new(self.message_id),
            process_id: U32::new(self.process_id),
            tree_id: U32::new(self.tree_id.0),
            session_id: U64::new(self.session_id.0),
            signature: self.signature,
        };
        zerocopy::transmute!(fixed)
    }

    /// Whether the server sent it.
    pub fn is_response(&self) -> bool {
        self.flags.contains(Flags::SERVER_TO_REDIR)
    }

    /// AsyncId, if the header has the ASYNC form.
    pub fn async_id(&self) -> Option<u64> {
        self.flags
            .contains(Flags::ASYNC_COMMAND)
            .then(|| u64::from(self.process_id) | u64::from(self.tree_id.0) << 32)
    }

    /// Gives the header the ASYNC form.
    pub fn set_async_id(&mut self, id: u64) {
        self.flags |= Flags::ASYNC_COMMAND;
        self.process_id = id as u32;
        self.tree_id = TreeId((id >> 32) as u32);
    }

    /// ChannelSequence of a 3.x request.
    pub fn channel_sequence(&self) -> u16 {
        self.status.0 as u16
    }
}
