//! RPC_UNICODE_STRING and RPC_SID, [MS-DTYP] 2.3.10 and 2.4.2.3: how accounts are named.

use super::{NdrReader, NdrWriter, WHAT};
use crate::wire::dtyp::Sid;
use crate::wire::{DecodeError, Structure, Utf16, Writer};

impl<'m> NdrReader<'m> {
    /// The fixed part of an RPC_UNICODE_STRING: its length in bytes, if it has a buffer.
    pub fn unicode_string(&mut self) -> Result<Option<u16>, DecodeError> {
        self.at = self.at.next_multiple_of(4);
        let at = self.at;
        let (length, _maximum) = (self.u16()?, self.u16()?);
        match self.pointer()? {
            true if length.is_multiple_of(2) => Ok(Some(length)),
            false if length == 0 => Ok(None),
            _ => Err(DecodeError::value(WHAT, at, length.into())),
        }
    }

    /// The buffer of an RPC_UNICODE_STRING; nothing is the same as an empty one.
    pub fn unicode_buffer(&mut self, length: Option<u16>) -> Result<Utf16<'m>, DecodeError> {
        let Some(length) = length else { return Ok(Utf16::default()) };
        let at = self.at;
        let bytes = self.units()?;
        if bytes.len() != usize::from(length) {
            return Err(DecodeError::value(WHAT, at, length.into()));
        }
        Utf16::new(bytes, WHAT, at)
    }

    /// An RPC_SID.
    pub fn sid(&mut self) -> Result<Sid, DecodeError> {
        let count = self.u32()?;
        let at = self.at;
        let len = (count as usize).saturating_mul(4).saturating_add(Sid::FIXED_LEN);
        let sid = Sid::decode(self.take(len)?)?;
        if sid.encoded_len() == len { Ok(sid) } else { Err(DecodeError::value(WHAT, at, count.into())) }
    }

    /// An RPC_SID if a pointer that was read before leads to one.
    pub fn sid_if(&mut self, present: bool) -> Result<Option<Sid>, DecodeError> {
        if present { self.sid().map(Some) } else { Ok(None) }
    }
}

impl NdrWriter {
    /// The fixed part of an RPC_UNICODE_STRING. A text that is longer than its 16-bit length can say
    /// is cut.
    pub fn unicode_string(&mut self, text: Utf16<'_>) {
        self.align(4);
        let length = unicode_bytes(text).len() as u16;
        self.u16(length);
        self.u16(length);
        self.pointer(length > 0);
    }

    /// The buffer of an RPC_UNICODE_STRING.
    pub fn unicode_buffer(&mut self, text: Utf16<'_>) {
        let bytes = unicode_bytes(text);
        if bytes.is_empty() {
            return;
        }
        let units = bytes.len() as u32 / 2;
        [units, 0, units].into_iter().for_each(|number| self.u32(number));
        self.bytes(bytes);
    }

    /// An RPC_SID.
    pub fn sid(&mut self, sid: &Sid) {
        self.u32(sid.sub_authorities().len() as u32);
        sid.encode(&mut Writer::new(&mut self.out));
    }
}

/// As much of a text as an RPC_UNICODE_STRING can hold.
fn unicode_bytes(text: Utf16<'_>) -> &[u8] {
    let bytes = text.as_bytes();
    bytes.get(..bytes.len().min(0xFFFE)).unwrap_or_default()
}
