//! IOCTL, [MS-SMB2] 3.3.5.15.

pub(crate) mod compression;
mod copy;
mod data;
mod integrity;
mod interfaces;
mod object_id;
mod offload;
mod reparse;
mod share;
mod trim;
mod volume;

pub(crate) use compression::Compressing;
pub(crate) use copy::Copying;
pub(crate) use data::{Ranging, Sparsing};
pub(crate) use integrity::Protecting;
pub(crate) use object_id::Identifying;
pub(crate) use offload::Offloading;
pub(crate) use reparse::Reparsing;
use sansmb::{
    crypto::Random,
    server::{Failure, Reply, Request, Token, op},
    wire::{
        CtlCode, FileId, IoctlFlags, IoctlRequest, IoctlResponse, NtStatus, Structure,
        fsctl::SrvRequestResumeKey,
    },
};

pub(crate) use share::Sharing;
pub(crate) use trim::Trimming;
pub(crate) use volume::Asking;

use crate::{opens::OpenId, server::FileServer};

/// The last byte that a file can have.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// Codes that are about no open: who names one is mistaken, [MS-SMB2] 3.3.5.15.
const WITHOUT_OPEN: [CtlCode; 4] = [
    CtlCode::DFS_GET_REFERRALS,
    CtlCode::DFS_GET_REFERRALS_EX,
    CtlCode::QUERY_NETWORK_INTERFACE_INFO,
    CtlCode::PIPE_WAIT,
];

/// Codes that Windows hands on to the file system, [MS-SMB2] 3.3.5.15 and its note, and that nothing is
/// done about here.
const OTHERS: [CtlCode; 26] = [
    CtlCode::FILESYSTEM_GET_STATISTICS,
    CtlCode::FIND_FILES_BY_SID,
    CtlCode::GET_REFS_VOLUME_DATA,
    CtlCode::GET_RETRIEVAL_POINTERS,
    CtlCode::GET_RETRIEVAL_POINTERS_AND_REFCOUNT,
    CtlCode::GET_RETRIEVAL_POINTER_COUNT,
    CtlCode::LMR_SET_LINK_TRACKING_INFORMATION,
    CtlCode::MARK_HANDLE,
    CtlCode::PIPE_PEEK,
    CtlCode::PIPE_TRANSCEIVE,
    CtlCode::PIPE_WAIT,
    CtlCode::QUERY_FAT_BPB,
    CtlCode::QUERY_ON_DISK_VOLUME_INFO,
    CtlCode::QUERY_SHARED_VIRTUAL_DISK_SUPPORT,
    CtlCode::QUERY_SPARING_INFO,
    CtlCode::READ_FILE_USN_DATA,
    CtlCode::REFS_STREAM_SNAPSHOT_MANAGEMENT,
    CtlCode::SET_DEFECT_MANAGEMENT,
    CtlCode::SET_ENCRYPTION,
    CtlCode::SET_ZERO_ON_DEALLOCATION,
    CtlCode::STORAGE_QOS_CONTROL,
    CtlCode::SVHDX_ASYNC_TUNNEL_REQUEST,
    CtlCode::SVHDX_SYNC_TUNNEL_REQUEST,
    CtlCode::QUERY_USN_JOURNAL,
    CtlCode::READ_USN_JOURNAL,
    CtlCode::WRITE_USN_CLOSE_RECORD,
];

/// What a response repeats of its request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Echo {
    pub(crate) ctl_code: CtlCode,
    pub(crate) file_id: FileId,
    pub(crate) limit: usize,
}

impl Echo {
    /// A success with `output`, which has to fit.
    pub(crate) fn reply(&self, output: &[u8]) -> Result<Reply<op::Ioctl>, Failure> {
        if output.len() > self.limit {
            return Err(NtStatus::BUFFER_TOO_SMALL.into());
        }
        Ok(self.encode(output))
    }

    pub(crate) fn encode(&self, output: &[u8]) -> Reply<op::Ioctl> {
        Reply::new(&IoctlResponse {
            ctl_code: self.ctl_code,
            file_id: self.file_id,
            output,
            ..Default::default()
        })
    }
}

impl FileServer {
    pub(crate) fn ioctl(&mut self, request: Request<op::Ioctl>, random: &mut dyn Random) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        if !body.flags.contains(IoctlFlags::IS_FSCTL) {
            return self.fail(token, NtStatus::NOT_SUPPORTED);
        }
        let echo = Echo {
            ctl_code: body.ctl_code,
            file_id: message.file_id(),
            limit: body.max_output_response as usize,
        };
        if WITHOUT_OPEN.contains(&body.ctl_code) && body.file_id != FileId::ANY {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        match body.ctl_code {
            // [MS-SMB2] 3.3.5.15.2: there is no distributed file system here.
            CtlCode::DFS_GET_REFERRALS | CtlCode::DFS_GET_REFERRALS_EX => {
                return self.fail(token, NtStatus::FS_DRIVER_REQUIRED);
            }
            CtlCode::PIPE_WAIT => return self.pipe_wait(token, &origin, &body, echo),
            CtlCode::QUERY_NETWORK_INTERFACE_INFO => {
                return self.network_interfaces(token, &origin, echo);
            }
            _ => {}
        }
        match self.lookup(&origin, &message) {
            Ok(id) if body.ctl_code == CtlCode::OFFLOAD_READ && self.file(id).is_some() => {
                self.offload_read(id, token, body.input, echo, random);
            }
            Ok(id) => self.ioctl_on(id, token, &body, echo),
            Err(status) => self.fail(token, status),
        }
    }

    /// Control codes for an open file, directory or pipe.
    fn ioctl_on(&mut self, id: OpenId, token: Token<op::Ioctl>, body: &IoctlRequest<'_>, echo: Echo) {
        let pipe = self.file(id).is_none();
        match body.ctl_code {
            CtlCode::PIPE_TRANSCEIVE if pipe => self.pipe_transceive(id, token, body.input, echo),
            CtlCode::PIPE_PEEK if pipe => self.pipe_peek(id, token, echo),
            _ if pipe => self.fail(token, NtStatus::INVALID_DEVICE_REQUEST),
            CtlCode::LMR_REQUEST_RESILIENCY => self.request_resiliency(id, token, body.input, echo),
            CtlCode::SRV_REQUEST_RESUME_KEY => self.resume_key(id, token, echo),
            CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE => {
                self.copy_chunk(id, token, body.input, echo)
            }
            CtlCode::OFFLOAD_WRITE => self.offload_write(id, token, body.input, echo),
            CtlCode::CREATE_OR_GET_OBJECT_ID
            | CtlCode::GET_OBJECT_ID
            | CtlCode::SET_OBJECT_ID
            | CtlCode::SET_OBJECT_ID_EXTENDED
            | CtlCode::DELETE_OBJECT_ID => self.object_id(id, token, body.input, echo),
            CtlCode::GET_REPARSE_POINT => self.get_reparse_point(id, token, echo),
            CtlCode::SET_REPARSE_POINT => self.set_reparse_point(id, token, body.input, echo),
            CtlCode::DELETE_REPARSE_POINT => self.delete_reparse_point(id, token, body.input, echo),
            CtlCode::DUPLICATE_EXTENTS_TO_FILE | CtlCode::DUPLICATE_EXTENTS_TO_FILE_EX => {
                self.duplicate_extents(id, token, body.input, echo);
            }
            CtlCode::QUERY_FILE_REGIONS => self.file_regions(id, token, body.input, echo),
            CtlCode::GET_NTFS_VOLUME_DATA => self.ntfs_volume_data(id, token, echo),
            CtlCode::SRV_ENUMERATE_SNAPSHOTS => self.enumerate_snapshots(token, echo),
            // [MS-FSA] 2.1.5.10.18: so it is said of every name.
            CtlCode::IS_PATHNAME_VALID => self.respond(token, echo.reply(&[])),
            CtlCode::SET_SPARSE => self.set_sparse(id, token, body.input, echo),
            CtlCode::SET_ZERO_DATA => self.set_zero_data(id, token, body.input, echo),
            CtlCode::QUERY_ALLOCATED_RANGES => self.allocated_ranges(id, token, body.input, echo),
            CtlCode::FILE_LEVEL_TRIM => self.trim(id, token, body.input, echo),
            CtlCode::GET_COMPRESSION => self.get_compression(id, token, echo),
            CtlCode::SET_COMPRESSION => self.set_compression(id, token, body.input, echo),
            CtlCode::GET_INTEGRITY_INFORMATION => self.get_integrity(id, token, echo),
            CtlCode::SET_INTEGRITY_INFORMATION | CtlCode::SET_INTEGRITY_INFORMATION_EX => {
                self.set_integrity(id, token, body.input, echo);
            }
            // Allowed, and nothing that this file system has.
            code if OTHERS.contains(&code) => self.fail(token, NtStatus::INVALID_DEVICE_REQUEST),
            _ => self.fail(token, NtStatus::NOT_SUPPORTED),
        }
    }

    /// [MS-SMB2] 3.3.5.15.5.
    fn resume_key(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        let output = SrvRequestResumeKey { resume_key: copy::key_of(id), context: &[] }.to_vec();
        if echo.limit < output.len() {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        self.respond(token, echo.reply(&output));
    }
}
