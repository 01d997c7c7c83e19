//! SESSION_SETUP, [MS-SMB2] 2.2.5 and 2.2.6.

use zerocopy::little_endian::{U16, U32, U64};

use super::{Body, Capabilities, DecodeError, HEADER_LEN, SecurityMode, SessionId, Writer, span_from};

wire_flags! {
    /// Flags of a SESSION_SETUP request (3.x).
    pub struct SessionSetupFlags: u8 {
        /// Bind the existing session of the header to this connection.
        const BINDING = 0x01;
    }
}

wire_flags! {
    /// What kind of session came to be.
    pub struct SessionFlags: u16 {
        /// The user is a guest.
        const IS_GUEST = 0x0001;
        /// The user is anonymous.
        const IS_NULL = 0x0002;
        /// The server requires that messages of this session are encrypted (3.x).
        const ENCRYPT_DATA = 0x0004;
    }
}

layout! {
    pub struct SessionSetupRequestFixed [24] {
        structure_size: U16,
        flags: u8,
        security_mode: u8,
        capabilities: U32,
        channel: U32,
        security_buffer_offset: U16,
        security_buffer_length: U16,
        previous_session_id: U64,
    }
}

/// SESSION_SETUP request, [MS-SMB2] 2.2.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSetupRequest<'m> {
    /// Whether a channel is bound.
    pub flags: SessionSetupFlags,
    /// Whether the client signs. Only the low eight bits travel.
    pub security_mode: SecurityMode,
    /// [`Capabilities::DFS`] or nothing.
    pub capabilities: Capabilities,
    /// Reserved: zero.
    pub channel: u32,
    /// The session that this one replaces after a disconnect, or zero.
    pub previous_session_id: SessionId,
    /// A GSS token.
    pub security_buffer: &'m [u8],
}

impl<'m> Body<'m> for SessionSetupRequest<'m> {
    const NAME: &'static str = "SESSION_SETUP request";
    const STRUCTURE_SIZE: u16 = 25;
    type Fixed = SessionSetupRequestFixed;

    fn from_parts(f: &'m SessionSetupRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let floor = HEADER_LEN + size_of::<SessionSetupRequestFixed>();
        let (at, len) = (f.security_buffer_offset.get().into(), f.security_buffer_length.get().into());
        Ok(Self {
            flags: SessionSetupFlags::from_bits_retain(f.flags),
            security_mode: SecurityMode::from_bits_retain(f.security_mode.into()),
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            channel: f.channel.get(),
            previous_session_id: SessionId(f.previous_session_id.get()),
            security_buffer: span_from(msg, "SESSION_SETUP request security buffer", floor, at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let buffer_at = w.position() + size_of::<SessionSetupRequestFixed>();
        w.put(&SessionSetupRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            flags: self.flags.bits(),
            security_mode: self.security_mode.bits() as u8,
            capabilities: U32::new(self.capabilities.bits()),
            channel: U32::new(self.channel),
            security_buffer_offset: U16::new(buffer_at as u16),
            security_buffer_length: U16::new(self.security_buffer.len() as u16),
            previous_session_id: U64::new(self.previous_session_id.0),
        });
        w.bytes(self.security_buffer);
    }
}

layout! {
    pub struct SessionSetupResponseFixed [8] {
        structure_size: U16,
        session_flags: U16,
        security_buffer_offset: U16,
        security_buffer_length: U16,
    }
}

/// SESSION_SETUP response, [MS-SMB2] 2.2.6. It comes with STATUS_SUCCESS or
/// STATUS_MORE_PROCESSING_REQUIRED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionSetupResponse<'m> {
    /// What kind of session it is.
    pub session_flags: SessionFlags,
    /// A GSS token.
    pub security_buffer: &'m [u8],
}

impl<'m> Body<'m> for SessionSetupResponse<'m> {
    const NAME: &'static str = "SESSION_SETUP response";
    const STRUCTURE_SIZE: u16 = 9;
    type Fixed = SessionSetupResponseFixed;

    fn from_parts(f: &'m SessionSetupResponseFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let floor = HEADER_LEN + size_of::<SessionSetupResponseFixed>();
        let (at, len) = (f.security_buffer_offset.get().into(), f.security_buffer_length.get().into());
        Ok(Self {
            session_flags: SessionFlags::from_bits_retain(f.session_flags.get()),
            security_buffer: span_from(msg, "SESSION_SETUP response security buffer", floor, at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let buffer_at = w.position() + size_of::<SessionSetupResponseFixed>();
        w.put(&SessionSetupResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            session_flags: U16::new(self.session_flags.bits()),
            security_buffer_offset: U16::new(buffer_at as u16),
            security_buffer_length: U16::new(self.security_buffer.len() as u16),
        });
        w.bytes(self.security_buffer);
    }
}
