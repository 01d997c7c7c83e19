//! QUERY_INFO and SET_INFO, [MS-SMB2] 3.3.5.20 and 3.3.5.21.

pub(crate) mod eas;
mod fs;
mod query;
mod rename;
mod rename_stream;
mod security;
mod set;

pub(crate) use eas::QueryEas;
pub(crate) use fs::{QueryFs, SECTOR, Units};
pub(crate) use query::QueryFile;
pub(crate) use rename::Renaming;
pub(crate) use rename_stream::StreamRenaming;
use sansmb::{
    server::{Failure, Reply, Request, op},
    wire::{
        Dialect, InfoType, NtStatus, QueryInfoResponse,
        fscc::{FileInfoClass, FsInfoClass},
    },
};
pub(crate) use security::QuerySecurity;
pub(crate) use set::SetFile;

use crate::{opens::Object, server::FileServer};

impl FileServer {
    pub(crate) fn query_info(&mut self, request: Request<op::QueryInfo>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let limit = body.output_buffer_length as usize;
        let pipe = matches!(self.opens.get(&id).map(|open| &open.object), Some(Object::Pipe(_)));
        match body.info_type {
            InfoType::FILE if pipe => self.query_pipe(id, token, FileInfoClass(body.info_class), limit),
            InfoType::FILE if body.info_class == FileInfoClass::FULL_EA.0 => self.query_eas(id, token, &body),
            // [MS-SMB2] 3.3.5.20.1.
            InfoType::FILE
                if body.info_class == FileInfoClass::NORMALIZED_NAME.0
                    && origin.dialect < Dialect::SMB3_1_1 =>
            {
                self.fail(token, NtStatus::NOT_SUPPORTED);
            }
            InfoType::FILE => self.query_file(id, token, FileInfoClass(body.info_class), limit),
            InfoType::FILESYSTEM if !pipe => self.query_fs(id, token, FsInfoClass(body.info_class), limit),
            InfoType::SECURITY => self.query_security(id, token, body.additional_information, limit),
            InfoType::QUOTA => self.query_quota(id, token, &body),
            InfoType::FILESYSTEM => self.fail(token, NtStatus::NOT_SUPPORTED),
            _ => self.fail(token, NtStatus::INVALID_PARAMETER),
        }
    }

    pub(crate) fn set_info(&mut self, request: Request<op::SetInfo>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let pipe = matches!(self.opens.get(&id).map(|open| &open.object), Some(Object::Pipe(_)));
        match body.info_type {
            InfoType::FILE if pipe => self.set_pipe(token, FileInfoClass(body.info_class), body.buffer),
            InfoType::FILE => self.set_file(id, token, FileInfoClass(body.info_class), body.buffer),
            InfoType::SECURITY if !pipe => {
                self.set_security(id, token, body.additional_information, body.buffer)
            }
            InfoType::FILESYSTEM if !pipe => {
                self.set_fs(id, token, FsInfoClass(body.info_class), body.buffer)
            }
            InfoType::QUOTA => self.set_quota(id, token, body.buffer),
            InfoType::FILESYSTEM | InfoType::SECURITY => {
                self.fail(token, NtStatus::NOT_SUPPORTED);
            }
            _ => self.fail(token, NtStatus::INVALID_PARAMETER),
        }
    }
}

/// An answer to QUERY_INFO in a buffer of `limit` bytes, [MS-FSA] 2.1.5.12: the `fixed` bytes at
/// the start must fit; what varies behind them may be cut off.
pub(crate) fn fit(mut buffer: Vec<u8>, fixed: usize, limit: usize) -> Result<Reply<op::QueryInfo>, Failure> {
    if limit < fixed {
        return Err(NtStatus::INFO_LENGTH_MISMATCH.into());
    }
    let cut = buffer.len() > limit;
    buffer.truncate(limit);
    let reply = Reply::new(&QueryInfoResponse { buffer: &buffer });
    Ok(if cut { reply.with_status(NtStatus::BUFFER_OVERFLOW) } else { reply })
}
