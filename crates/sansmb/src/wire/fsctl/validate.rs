//! VALIDATE_NEGOTIATE_INFO and LMR_REQUEST_RESILIENCY, [MS-SMB2] 2.2.31.3, 2.2.31.4 and 2.2.32.6.

use zerocopy::little_endian::{U16, U32};

use super::super::{
    Capabilities, DecodeError, Dialect, Guid, SecurityMode, Structure, U16List, Writer, fixed_at, span,
};

layout! {
    /// Both directions: the last field is a count in the request and a dialect in the response.
    struct ValidateFixed [24] { capabilities: U32, guid: [u8; 16], security_mode: U16, last: U16 }
}

/// VALIDATE_NEGOTIATE_INFO request: what the client sent in its NEGOTIATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidateNegotiateRequest<'m> {
    /// The client's capabilities.
    pub capabilities: Capabilities,
    /// The client's GUID.
    pub guid: Guid,
    /// The client's security mode.
    pub security_mode: SecurityMode,
    /// The client's dialects.
    pub dialects: U16List<'m, Dialect>,
}

impl<'m> Structure<'m> for ValidateNegotiateRequest<'m> {
    const NAME: &'static str = "VALIDATE_NEGOTIATE_INFO request";
    const FIXED_LEN: usize = size_of::<ValidateFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &ValidateFixed = fixed_at(bytes, 0, Self::NAME)?;
        let dialects = span(bytes, Self::NAME, Self::FIXED_LEN, usize::from(f.last.get()) * 2)?;
        Ok(Self {
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            guid: Guid(f.guid),
            security_mode: SecurityMode::from_bits_retain(f.security_mode.get()),
            dialects: U16List::Raw(dialects),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&ValidateFixed {
            capabilities: U32::new(self.capabilities.bits()),
            guid: self.guid.0,
            security_mode: U16::new(self.security_mode.bits()),
            last: U16::new(self.dialects.len() as u16),
        });
        self.dialects.encode(w);
    }
}

/// VALIDATE_NEGOTIATE_INFO response: what the server sent in its NEGOTIATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidateNegotiateResponse {
    /// The server's capabilities.
    pub capabilities: Capabilities,
    /// The server's GUID.
    pub guid: Guid,
    /// The server's security mode.
    pub security_mode: SecurityMode,
    /// The dialect of the connection.
    pub dialect: Dialect,
}

impl<'m> Structure<'m> for ValidateNegotiateResponse {
    const NAME: &'static str = "VALIDATE_NEGOTIATE_INFO response";
    const FIXED_LEN: usize = size_of::<ValidateFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &ValidateFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            guid: Guid(f.guid),
            security_mode: SecurityMode::from_bits_retain(f.security_mode.get()),
            dialect: Dialect(f.last.get()),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&ValidateFixed {
            capabilities: U32::new(self.capabilities.bits()),
            guid: self.guid.0,
            security_mode: U16::new(self.security_mode.bits()),
            last: U16::new(self.dialect.0),
        });
    }
}

record! {
    /// NETWORK_RESILIENCY_REQUEST, the input of LMR_REQUEST_RESILIENCY.
    pub struct ResiliencyRequest = ResiliencyFixed [8] {
        /// How long the server keeps the handle of a lost connection, in milliseconds.
        timeout: u32,
    } reserved 4
}
