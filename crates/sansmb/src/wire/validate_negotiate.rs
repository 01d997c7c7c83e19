//! FSCTL_VALIDATE_NEGOTIATE_INFO, [MS-SMB2] 2.2.31.4 and 2.2.32.6.

use zerocopy::little_endian::{U16, U32};

use super::{Capabilities, DecodeError, Dialect, Guid, SecurityMode, U16List, Writer, fixed_at, span};

layout! {
    struct RequestFixed [24] {
        capabilities: U32,
        guid: [u8; 16],
        security_mode: U16,
        dialect_count: U16,
    }
}

/// What the client says that it sent in NEGOTIATE.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValidateNegotiateInfoRequest<'m> {
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// Its GUID.
    pub guid: Guid,
    /// Its security mode.
    pub security_mode: SecurityMode,
    /// The dialects that it offered.
    pub dialects: U16List<'m, Dialect>,
}

impl<'m> ValidateNegotiateInfoRequest<'m> {
    const NAME: &'static str = "VALIDATE_NEGOTIATE_INFO request";

    /// Parses the input of the control code.
    pub fn decode(input: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &RequestFixed = fixed_at(input, 0, Self::NAME)?;
        let len = usize::from(f.dialect_count.get()) * 2;
        Ok(Self {
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            guid: Guid(f.guid),
            security_mode: SecurityMode::from_bits_retain(f.security_mode.get()),
            dialects: U16List::Raw(span(input, Self::NAME, size_of::<RequestFixed>(), len)?),
        })
    }

    /// Writes the input of the control code.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.put(&RequestFixed {
            capabilities: U32::new(self.capabilities.bits()),
            guid: self.guid.0,
            security_mode: U16::new(self.security_mode.bits()),
            dialect_count: U16::new(self.dialects.len() as u16),
        });
        for dialect in self.dialects.iter() {
            w.put(&U16::new(dialect.0));
        }
    }
}

layout! {
    struct ResponseFixed [24] {
        capabilities: U32,
        guid: [u8; 16],
        security_mode: U16,
        dialect: U16,
    }
}

/// What the server says that it answered to NEGOTIATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidateNegotiateInfoResponse {
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// Its GUID.
    pub guid: Guid,
    /// Its security mode.
    pub security_mode: SecurityMode,
    /// The dialect that it chose.
    pub dialect: Dialect,
}

impl ValidateNegotiateInfoResponse {
    /// Parses the output of the control code.
    pub fn decode(output: &[u8]) -> Result<Self, DecodeError> {
        let f: &ResponseFixed = fixed_at(output, 0, "VALIDATE_NEGOTIATE_INFO response")?;
        Ok(Self {
            capabilities: Capabilities::from_bits_retain(f.capabilities.get()),
            guid: Guid(f.guid),
            security_mode: SecurityMode::from_bits_retain(f.security_mode.get()),
            dialect: Dialect(f.dialect.get()),
        })
    }

    /// Writes the output of the control code.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.put(&ResponseFixed {
            capabilities: U32::new(self.capabilities.bits()),
            guid: self.guid.0,
            security_mode: U16::new(self.security_mode.bits()),
            dialect: U16::new(self.dialect.0),
        });
    }
}
