//! NEGOTIATE, [MS-SMB2] 2.2.3 and 2.2.4.

use zerocopy::little_endian::{U16, U32, U64};

use super::{
    Body, DecodeError, Dialect, FileTime, Guid, HEADER_LEN, NegotiateContexts, U16List, Writer, span,
    span_from,
};

wire_flags! {
    /// SecurityMode of NEGOTIATE and, in eight bits, of SESSION_SETUP.
    pub struct SecurityMode: u16 {
        /// Signatures are enabled.
        const SIGNING_ENABLED = 0x0001;
        /// Signatures are required.
        const SIGNING_REQUIRED = 0x0002;
    }
}

wire_flags! {
    /// Capabilities of a client or server. SESSION_SETUP uses only [`Capabilities::DFS`].
    pub struct Capabilities: u32 {
        /// The Distributed File System
        const DFS = 0x0000_0001;
        /// Leases (2.1 and later)
        const LEASING = 0x0000_0002;
        /// Multi-credit operations (2.1 and later)
        const LARGE_MTU = 0x0000_0004;
        /// Several channels in one session (3.x)
        const MULTI_CHANNEL = 0x0000_0008;
        /// Persistent handles (3.x)
        const PERSISTENT_HANDLES = 0x0000_0010;
        /// Leases on directories (3.x)
        const DIRECTORY_LEASING = 0x0000_0020;
        /// Encryption (3.0 and 3.0.2; 3.1.1 negotiates it in a context)
        const ENCRYPTION = 0x0000_0040;
        /// Notifications from the server (3.1.1)
        const NOTIFICATIONS = 0x0000_0080;
    }
}

layout! {
    pub struct NegotiateRequestFixed [36] {
        structure_size: U16,
        dialect_count: U16,
        security_mode: U16,
        reserved: U16,
        capabilities: U32,
        client_guid: [u8; 16],
        context_offset: U32,
        context_count: U16,
        reserved2: U16,
    }
}

/// NEGOTIATE request, [MS-SMB2] 2.2.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegotiateRequest<'m> {
    /// Whether the client signs.
    pub security_mode: SecurityMode,
    /// What the client supports (3.x).
    pub capabilities: Capabilities,
    /// Names the client.
    pub client_guid: Guid,
    /// Reserved: zero. With 3.1.1 among the dialects its place belongs to the contexts, and it is
    /// not sent.
    pub client_start_time: u64,
    /// The dialects that the client speaks: at least one.
    pub dialects: U16List<'m, Dialect>,
    /// Contexts; sent only when 3.1.1 is among the dialects.
    pub contexts: NegotiateContexts<'m>,
}

impl<'m> Body<'m> for NegotiateRequest<'m> {
    const NAME: &'static str = "NEGOTIATE request";
    const STRUCTURE_SIZE: u16 = 36;
    type Fixed = NegotiateRequestFixed;

    fn from_parts(f: &'m NegotiateRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let dialects_at = HEADER_LEN + size_of::<NegotiateRequestFixed>();
        let count = usize::from(f.dialect_count.get());
        if count == 0 {
            return Err(DecodeError::value("NEGOTIATE request DialectCount", HEADER_LEN + 2, 0));
        }
        let dialects = U16List::Raw(span(msg, "NEGOTIATE request dialects", dialects_at, count * 2)?);
        let mut request = Self {
            security_mode: SecurityMode::from_bits_retain(f.security_mode.get()),
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            client_guid: Guid(f.client_guid),
            dialects,
            ..Self::default()
        };
        let (offset, contexts) = (f.context_offset.get(), f.context_count.get());
        if dialects.contains(Dialect::SMB3_1_1) {
            let floor = dialects_at + count * 2;
            request.contexts = NegotiateContexts::decode(msg, floor, offset as usize, contexts)?;
        } else {
            request.client_start_time =
                u64::from(offset) | u64::from(contexts) << 32 | u64::from(f.reserved2.get()) << 48;
        }
        Ok(request)
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let end = w.position() + size_of::<NegotiateRequestFixed>() + self.dialects.len() * 2;
        let with_contexts = self.dialects.contains(Dialect::SMB3_1_1);
        let (offset, count, reserved2) = if !with_contexts {
            let time = self.client_start_time;
            (time as u32, (time >> 32) as u16, (time >> 48) as u16)
        } else if self.contexts.is_empty() {
            (0, 0, 0)
        } else {
            (end.next_multiple_of(8) as u32, self.contexts.len() as u16, 0)
        };
        w.put(&NegotiateRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            dialect_count: U16::new(self.dialects.len() as u16),
            security_mode: U16::new(self.security_mode.bits()),
            reserved: U16::ZERO,
            capabilities: U32::new(self.capabilities.bits()),
            client_guid: self.client_guid.0,
            context_offset: U32::new(offset),
            context_count: U16::new(count),
            reserved2: U16::new(reserved2),
        });
        self.dialects.encode(w);
        if with_contexts {
            self.contexts.encode(w);
        }
    }
}

layout! {
    pub struct NegotiateResponseFixed [64] {
        structure_size: U16,
        security_mode: U16,
        dialect: U16,
        context_count: U16,
        server_guid: [u8; 16],
        capabilities: U32,
        max_transact_size: U32,
        max_read_size: U32,
        max_write_size: U32,
        system_time: U64,
        server_start_time: U64,
        security_buffer_offset: U16,
        security_buffer_length: U16,
        context_offset: U32,
    }
}

/// NEGOTIATE response, [MS-SMB2] 2.2.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegotiateResponse<'m> {
    /// Whether the server signs.
    pub security_mode: SecurityMode,
    /// The dialect that the server chose.
    pub dialect: Dialect,
    /// Names the server.
    pub server_guid: Guid,
    /// What the server supports.
    pub capabilities: Capabilities,
    /// Bytes that QUERY_INFO, QUERY_DIRECTORY, SET_INFO and CHANGE_NOTIFY may carry.
    pub max_transact_size: u32,
    /// Bytes that a READ may ask for.
    pub max_read_size: u32,
    /// Bytes that a WRITE may carry.
    pub max_write_size: u32,
    /// The server's clock.
    pub system_time: FileTime,
    /// When the server started, or zero.
    pub server_start_time: FileTime,
    /// A GSS token that starts the authentication, or nothing.
    pub security_buffer: &'m [u8],
    /// NegotiateContextOffset where the dialect is not 3.1.1: ignored, but some servers set it.
    pub reserved2: u32,
    /// Contexts; sent only in dialect 3.1.1.
    pub contexts: NegotiateContexts<'m>,
}

impl<'m> Body<'m> for NegotiateResponse<'m> {
    const NAME: &'static str = "NEGOTIATE response";
    const STRUCTURE_SIZE: u16 = 65;
    type Fixed = NegotiateResponseFixed;

    fn from_parts(f: &'m NegotiateResponseFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let floor = HEADER_LEN + size_of::<NegotiateResponseFixed>();
        let (at, len) = (f.security_buffer_offset.get().into(), f.security_buffer_length.get().into());
        let security_buffer = span_from(msg, "NEGOTIATE response security buffer", floor, at, len)?;
        let dialect = Dialect(f.dialect.get());
        let offset = f.context_offset.get();
        let (reserved2, contexts) = if dialect == Dialect::SMB3_1_1 {
            (0, NegotiateContexts::decode(msg, floor, offset as usize, f.context_count.get())?)
        } else {
            (offset, NegotiateContexts::default())
        };
        Ok(Self {
            security_mode: SecurityMode::from_bits_retain(f.security_mode.get()),
            dialect,
            server_guid: Guid(f.server_guid),
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            max_transact_size: f.max_transact_size.get(),
            max_read_size: f.max_read_size.get(),
            max_write_size: f.max_write_size.get(),
            system_time: FileTime(f.system_time.get()),
            server_start_time: FileTime(f.server_start_time.get()),
            security_buffer,
            reserved2,
            contexts,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let buffer_at = w.position() + size_of::<NegotiateResponseFixed>();
        let with_contexts = self.dialect == Dialect::SMB3_1_1;
        let (offset, count) = if !with_contexts {
            (self.reserved2, 0)
        } else if self.contexts.is_empty() {
            (0, 0)
        } else {
            let end = buffer_at + self.security_buffer.len();
            (end.next_multiple_of(8) as u32, self.contexts.len() as u16)
        };
        w.put(&NegotiateResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            security_mode: U16::new(self.security_mode.bits()),
            dialect: U16::new(self.dialect.0),
            context_count: U16::new(count),
            server_guid: self.server_guid.0,
            capabilities: U32::new(self.capabilities.bits()),
            max_transact_size: U32::new(self.max_transact_size),
            max_read_size: U32::new(self.max_read_size),
            max_write_size: U32::new(self.max_write_size),
            system_time: U64::new(self.system_time.0),
            server_start_time: U64::new(self.server_start_time.0),
            security_buffer_offset: U16::new(buffer_at as u16),
            security_buffer_length: U16::new(self.security_buffer.len() as u16),
            context_offset: U32::new(offset),
        });
        w.bytes(self.security_buffer);
        if with_contexts {
            self.contexts.encode(w);
        }
    }
}
