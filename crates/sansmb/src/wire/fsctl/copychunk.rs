//! Server-side copy and its key, [MS-SMB2] 2.2.31.1, 2.2.32.1 and 2.2.32.3; content hashes, 2.2.31.2.

use zerocopy::little_endian::{U32, U64};

use super::super::list::{Element, List};
use super::super::{DecodeError, Structure, Writer, fixed_at, span};

/// A key that names an open file as the source of a copy. Only its server knows what is in it.
pub type ResumeKey = [u8; 24];

layout! {
    /// SRV_COPYCHUNK as it stands in messages.
    pub struct SrvCopychunkFixed [24] { source_offset: U64, target_offset: U64, length: U32, reserved: U32 }
}

/// SRV_COPYCHUNK: one range to copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SrvCopychunk {
    /// From this offset of the source.
    pub source_offset: u64,
    /// To this offset of the target.
    pub target_offset: u64,
    /// Bytes to copy.
    pub length: u32,
}

impl Element for SrvCopychunk {
    type Fixed = SrvCopychunkFixed;

    fn from_fixed(f: &SrvCopychunkFixed) -> Self {
        Self {
            source_offset: f.source_offset.get(),
            target_offset: f.target_offset.get(),
            length: f.length.get(),
        }
    }

    fn to_fixed(&self) -> SrvCopychunkFixed {
        SrvCopychunkFixed {
            source_offset: U64::new(self.source_offset),
            target_offset: U64::new(self.target_offset),
            length: U32::new(self.length),
            reserved: U32::ZERO,
        }
    }
}

layout! {
    struct CopyFixed [32] { source_key: [u8; 24], chunk_count: U32, reserved: U32 }
}

/// SRV_COPYCHUNK_COPY: the input of SRV_COPYCHUNK and SRV_COPYCHUNK_WRITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrvCopychunkCopy<'m> {
    /// The source.
    pub source_key: ResumeKey,
    /// What to copy; the target is the file of the IOCTL.
    pub chunks: List<'m, SrvCopychunk>,
}

impl<'m> Structure<'m> for SrvCopychunkCopy<'m> {
    const NAME: &'static str = "SRV_COPYCHUNK_COPY";
    const FIXED_LEN: usize = size_of::<CopyFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &CopyFixed = fixed_at(bytes, 0, Self::NAME)?;
        let chunks = bytes.get(Self::FIXED_LEN..).unwrap_or_default();
        let chunks = List::parse(chunks, f.chunk_count.get() as usize, Self::NAME)?;
        Ok(Self { source_key: f.source_key, chunks })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&CopyFixed {
            source_key: self.source_key,
            chunk_count: U32::new(self.chunks.len() as u32),
            reserved: U32::ZERO,
        });
        self.chunks.encode(w);
    }
}

record! {
    /// SRV_COPYCHUNK_RESPONSE. With STATUS_INVALID_PARAMETER it has the server's limits instead:
    /// chunks in a request, bytes in a chunk, bytes in a request.
    pub struct SrvCopychunkResponse = SrvCopychunkResponseFixed [12] {
        /// Chunks that were copied.
        chunks_written: u32,
        /// Bytes of the chunk that failed.
        chunk_bytes_written: u32,
        /// Bytes that were copied in all.
        total_bytes_written: u32,
    }
}

layout! {
    struct ResumeKeyFixed [28] { resume_key: [u8; 24], context_length: U32 }
}

/// SRV_REQUEST_RESUME_KEY response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SrvRequestResumeKey<'m> {
    /// The key of the file of the IOCTL.
    pub resume_key: ResumeKey,
    /// Not used: empty.
    pub context: &'m [u8],
}

impl<'m> Structure<'m> for SrvRequestResumeKey<'m> {
    const NAME: &'static str = "SRV_REQUEST_RESUME_KEY response";
    const FIXED_LEN: usize = size_of::<ResumeKeyFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &ResumeKeyFixed = fixed_at(bytes, 0, Self::NAME)?;
        let context = span(bytes, Self::NAME, Self::FIXED_LEN, f.context_length.get() as usize)?;
        Ok(Self { resume_key: f.resume_key, context })
    }

    /// Writes four zero bytes for an empty context, as servers do.
    fn encode(&self, w: &mut Writer<'_>) {
        let context_length = U32::new(self.context.len() as u32);
        w.put(&ResumeKeyFixed { resume_key: self.resume_key, context_length });
        w.bytes(if self.context.is_empty() { &[0; 4] } else { self.context });
    }
}

record! {
    /// SRV_READ_HASH request.
    pub struct SrvReadHash = SrvReadHashFixed [24] {
        /// 1: for branch caching.
        hash_type: u32,
        /// Version of the content information: 1 or 2.
        hash_version: u32,
        /// 1: the offset counts in the content information; 2: in the file.
        hash_retrieval_type: u32,
        /// Most bytes of hashes, or of the file.
        length: u32,
        /// Where to start.
        offset: u64,
    }
}
