//! WRITE, [MS-SMB2] 2.2.21 and 2.2.22.

use zerocopy::{
    FromBytes,
    little_endian::{U16, U32, U64},
};

use super::header::FileIdFixed;
use super::{Body, DecodeError, DecodeErrorKind, FileId, HEADER_LEN, Payload, Writer, fixed_at, span};

wire_flags! {
    /// Flags of a WRITE request.
    pub struct WriteFlags: u32 {
        /// Write through to stable storage (2.1 and later).
        const WRITE_THROUGH = 0x0000_0001;
        /// Write past the cache (3.0.2 and later).
        const WRITE_UNBUFFERED = 0x0000_0002;
    }
}

layout! {
    pub struct WriteRequestFixed [48] {
        structure_size: U16,
        data_offset: U16,
        length: U32,
        offset: U64,
        file_id: FileIdFixed,
        channel: U32,
        remaining_bytes: U32,
        channel_info_offset: U16,
        channel_info_length: U16,
        flags: U32,
    }
}

/// WRITE request, [MS-SMB2] 2.2.21.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteRequest<'m, P> {
    /// To this offset of the file.
    pub offset: u64,
    /// The open file.
    pub file_id: FileId,
    /// RDMA channel, zero on TCP.
    pub channel: u32,
    /// Bytes that the client means to write after this.
    pub remaining_bytes: u32,
    /// RDMA buffer descriptors, empty on TCP.
    pub channel_info: &'m [u8],
    /// How to write.
    pub flags: WriteFlags,
    /// What to write: a view when parsed, its length when built.
    pub data: P,
}

impl<P> WriteRequest<'_, P> {
    /// Writes `data` at `offset`, over TCP and without more ado.
    pub fn new(file_id: FileId, offset: u64, data: P) -> Self {
        let (channel, remaining_bytes, channel_info, flags) = (0, 0, &[][..], WriteFlags::default());
        Self { offset, file_id, channel, remaining_bytes, channel_info, flags, data }
    }
}

impl<'m> Body<'m> for WriteRequest<'m, &'m [u8]> {
    const NAME: &'static str = "WRITE request";
    const STRUCTURE_SIZE: u16 = 49;
    type Fixed = WriteRequestFixed;

    fn from_parts(f: &'m WriteRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let at = usize::from(f.data_offset.get());
        let len = f.length.get() as usize;
        if len > 0 && at < HEADER_LEN + size_of::<WriteRequestFixed>() {
            return Err(DecodeError::new("WRITE request data", at, DecodeErrorKind::Range));
        }
        let (info_at, info_len) = (f.channel_info_offset.get().into(), f.channel_info_length.get().into());
        Ok(Self {
            offset: f.offset.get(),
            file_id: f.file_id.into(),
            channel: f.channel.get(),
            remaining_bytes: f.remaining_bytes.get(),
            channel_info: span(msg, "WRITE request channel info", info_at, info_len)?,
            flags: WriteFlags::from_bits_retain(f.flags.get()),
            data: span(msg, "WRITE request data", at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        self.encode_head(w);
        if self.data.is_empty() && self.channel_info.is_empty() {
            w.zeros(1);
        }
    }
}

impl<P: Payload> WriteRequest<'_, P> {
    /// Writes everything but a [`super::Bulk`] payload.
    pub fn encode_head(&self, w: &mut Writer<'_>) {
        let info_at = w.position() + size_of::<WriteRequestFixed>();
        let info = self.channel_info;
        w.put(&WriteRequestFixed {
            structure_size: U16::new(49),
            data_offset: U16::new((info_at + info.len()) as u16),
            length: U32::new(self.data.len() as u32),
            offset: U64::new(self.offset),
            file_id: self.file_id.into(),
            channel: U32::new(self.channel),
            remaining_bytes: U32::new(self.remaining_bytes),
            channel_info_offset: U16::new(if info.is_empty() { 0 } else { info_at as u16 }),
            channel_info_length: U16::new(info.len() as u16),
            flags: U32::new(self.flags.bits()),
        });
        w.bytes(info);
        w.bytes(self.data.inline());
    }
}

impl WriteRequest<'_, ()> {
    /// Where the data will be, and how many bytes, from the first 112 bytes of the message alone.
    pub fn extent(head: &[u8]) -> Result<(usize, usize), DecodeError> {
        let f: &WriteRequestFixed = fixed_at(head, HEADER_LEN, "WRITE request")?;
        Ok((f.data_offset.get().into(), f.length.get() as usize))
    }

    /// Says in the first 112 bytes of a message that it has no data.
    pub(crate) fn without_data(head: &mut [u8]) {
        if let Some((fixed, _)) =
            head.get_mut(HEADER_LEN..).and_then(|body| WriteRequestFixed::mut_from_prefix(body).ok())
        {
            fixed.length = U32::new(0);
        }
    }
}

layout! {
    pub struct WriteResponseFixed [16] {
        structure_size: U16,
        reserved: U16,
        count: U32,
        remaining: U32,
        channel_info_offset: U16,
        channel_info_length: U16,
    }
}

/// WRITE response, [MS-SMB2] 2.2.22.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteResponse {
    /// Bytes written.
    pub count: u32,
}

impl<'m> Body<'m> for WriteResponse {
    const NAME: &'static str = "WRITE response";
    const STRUCTURE_SIZE: u16 = 17;
    type Fixed = WriteResponseFixed;

    fn from_parts(f: &'m WriteResponseFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { count: f.count.get() })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&WriteResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            reserved: U16::ZERO,
            count: U32::new(self.count),
            remaining: U32::ZERO,
            channel_info_offset: U16::ZERO,
            channel_info_length: U16::ZERO,
        });
    }
}
