//! READ, [MS-SMB2] 2.2.19 and 2.2.20.

use zerocopy::little_endian::{U16, U32, U64};

use super::header::FileIdFixed;
use super::{
    Body, DecodeError, DecodeErrorKind, FileId, HEADER_LEN, Payload, Writer, fixed_at, span, span_from,
};

wire_flags! {
    /// Flags of a READ request (3.x).
    pub struct ReadFlags: u8 {
        /// The server should read past its cache.
        const UNBUFFERED = 0x01;
        /// The client asks for a compressed response (3.1.1).
        const REQUEST_COMPRESSED = 0x02;
    }
}

layout! {
    pub struct ReadRequestFixed [48] {
        structure_size: U16,
        padding: u8,
        flags: u8,
        length: U32,
        offset: U64,
        file_id: FileIdFixed,
        minimum_count: U32,
        channel: U32,
        remaining_bytes: U32,
        channel_info_offset: U16,
        channel_info_length: U16,
    }
}

/// READ request, [MS-SMB2] 2.2.19.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadRequest<'m> {
    /// Where in the response the client would like the data: an offset from its header.
    pub padding: u8,
    /// How to read.
    pub flags: ReadFlags,
    /// Bytes wanted.
    pub length: u32,
    /// From this offset of the file.
    pub offset: u64,
    /// The open file.
    pub file_id: FileId,
    /// Fewer bytes than this are an error.
    pub minimum_count: u32,
    /// RDMA channel, zero on TCP.
    pub channel: u32,
    /// Bytes that the client means to read after this.
    pub remaining_bytes: u32,
    /// RDMA buffer descriptors, empty on TCP.
    pub channel_info: &'m [u8],
}

impl ReadRequest<'_> {
    /// Sets [`ReadFlags::REQUEST_COMPRESSED`] in an encoded request; `msg` starts with the SMB2 header.
    pub fn request_compressed(msg: &mut [u8]) {
        const FLAGS_AT: usize = HEADER_LEN + core::mem::offset_of!(ReadRequestFixed, flags);
        if let Some(flags) = msg.get_mut(FLAGS_AT) {
            *flags |= ReadFlags::REQUEST_COMPRESSED.bits();
        }
    }
}

impl<'m> Body<'m> for ReadRequest<'m> {
    const NAME: &'static str = "READ request";
    const STRUCTURE_SIZE: u16 = 49;
    type Fixed = ReadRequestFixed;

    fn from_parts(f: &'m ReadRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let (at, len) = (f.channel_info_offset.get().into(), f.channel_info_length.get().into());
        Ok(Self {
            padding: f.padding,
            flags: ReadFlags::from_bits_retain(f.flags),
            length: f.length.get(),
            offset: f.offset.get(),
            file_id: f.file_id.into(),
            minimum_count: f.minimum_count.get(),
            channel: f.channel.get(),
            remaining_bytes: f.remaining_bytes.get(),
            channel_info: span(msg, "READ request channel info", at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let info_at = w.position() + size_of::<ReadRequestFixed>();
        let info = self.channel_info;
        w.put(&ReadRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            padding: self.padding,
            flags: self.flags.bits(),
            length: U32::new(self.length),
            offset: U64::new(self.offset),
            file_id: self.file_id.into(),
            minimum_count: U32::new(self.minimum_count),
            channel: U32::new(self.channel),
            remaining_bytes: U32::new(self.remaining_bytes),
            channel_info_offset: U16::new(if info.is_empty() { 0 } else { info_at as u16 }),
            channel_info_length: U16::new(info.len() as u16),
        });
        // The odd StructureSize promises one byte of buffer even when there is none to send.
        w.bytes(if info.is_empty() { &[0] } else { info });
    }
}

layout! {
    pub struct ReadResponseFixed [16] {
        structure_size: U16,
        data_offset: u8,
        reserved: u8,
        data_length: U32,
        data_remaining: U32,
        flags: U32,
    }
}

/// READ response, [MS-SMB2] 2.2.20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadResponse<P> {
    /// What was read: a view when parsed, its length when built.
    pub data: P,
    /// Bytes that remain of an RDMA transfer.
    pub data_remaining: u32,
    /// Reserved but for RDMA transforms (3.1.1).
    pub flags: u32,
}

impl<'m> Body<'m> for ReadResponse<&'m [u8]> {
    const NAME: &'static str = "READ response";
    const STRUCTURE_SIZE: u16 = 17;
    type Fixed = ReadResponseFixed;

    fn from_parts(f: &'m ReadResponseFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let (at, len) = (f.data_offset.into(), f.data_length.get() as usize);
        let body = HEADER_LEN + size_of::<ReadResponseFixed>();
        Ok(Self {
            data: span_from(msg, "READ response data", body, at, len)?,
            data_remaining: f.data_remaining.get(),
            flags: f.flags.get(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        self.encode_head(w);
    }
}

impl<P: Payload> ReadResponse<P> {
    /// Writes everything but a [`super::Bulk`] payload.
    pub fn encode_head(&self, w: &mut Writer<'_>) {
        let data_at = w.position() + size_of::<ReadResponseFixed>();
        w.put(&ReadResponseFixed {
            structure_size: U16::new(17),
            data_offset: data_at as u8,
            reserved: 0,
            data_length: U32::new(self.data.len() as u32),
            data_remaining: U32::new(self.data_remaining),
            flags: U32::new(self.flags),
        });
        w.bytes(self.data.inline());
    }
}

impl ReadResponse<()> {
    /// Where the data will be, from the first 80 bytes of the message alone. Never in those.
    pub fn extent(head: &[u8]) -> Result<(usize, usize), DecodeError> {
        let f: &ReadResponseFixed = fixed_at(head, HEADER_LEN, "READ response")?;
        let (at, len) = (f.data_offset.into(), f.data_length.get() as usize);
        if len > 0 && at < HEADER_LEN + size_of::<ReadResponseFixed>() {
            return Err(DecodeError::new("READ response data", at, DecodeErrorKind::Range));
        }
        Ok((at, len))
    }
}
