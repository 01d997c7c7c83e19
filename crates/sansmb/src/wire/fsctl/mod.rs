//! What goes into and comes out of IOCTL, by control code: [MS-SMB2] 2.2.31 and 2.2.32,
//! [MS-FSCC] 2.3, [MS-DFSC] 2.2.
//!
//! Each is a [`Structure`](super::Structure). The codes that are missing here carry nothing, or
//! bytes that need no form (`PIPE_TRANSCEIVE`, `SRV_READ_HASH` responses).

mod attributes;
mod copychunk;
mod dfs;
mod integrity;
mod network_interface;
mod offload;
mod pipe;
mod ranges;
mod regions;
mod reparse;
mod snapshots;
#[cfg(test)]
mod tests;
mod validate;

pub use attributes::{CompressionState, ObjectIdBirth, ObjectIdBuffer};
pub use copychunk::{
    ResumeKey, SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse, SrvReadHash, SrvRequestResumeKey,
};
pub use dfs::{
    DfsReferral, DfsReferralFlags, DfsReferralRequest, DfsReferralRequestEx, DfsReferralResponse,
    DfsReferralTarget, DfsReferrals, DfsResponseFlags,
};
pub use integrity::{ChecksumType, IntegrityFlags, IntegrityInfo, SetIntegrity, SetIntegrityEx};
pub use network_interface::{InterfaceCapability, NetworkInterfaceInfo, NetworkInterfaces, SocketAddress};
pub use offload::{
    OffloadRead, OffloadReadFlags, OffloadReadOutput, OffloadToken, OffloadTokenType, OffloadWrite,
    OffloadWriteOutput,
};
pub use pipe::{PipePeek, PipeWait};
pub use ranges::{
    DuplicateExtents, DuplicateExtentsEx, DuplicateExtentsFlags, FileLevelTrim, FileLevelTrimOutput,
    FileRange, FileRanges, SetSparse, ZeroData,
};
pub use regions::{FileRegion, FileRegionInput, FileRegionOutput, NtfsVolumeData, RegionUsage};
pub use reparse::{NfsFileType, ReparseData, ReparseTag};
pub use snapshots::SnapshotArray;
pub use validate::{ResiliencyRequest, ValidateNegotiateRequest, ValidateNegotiateResponse};
