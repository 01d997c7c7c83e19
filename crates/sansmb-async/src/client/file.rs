//! An open file.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sansmb::{
    client::{Payload, Transfer},
    conn::MessageBuffer,
    op,
    wire::{
        CloseRequest, FileId, FileTime, FlushRequest, InfoType, NtStatus, QueryInfoRequest, ReadRequest,
        SetInfoRequest, Structure, WriteResponse, fscc,
    },
};

use super::{
    driver::Op,
    landing::{Landing, Target},
    share::{Metadata, Share, response, wire_path},
    stream::{ReadStream, WriteStream},
};
use crate::error::{Error, Result};

/// An open file or directory. Dropping it closes it in the background; [`File::close`] tells
/// whether that went well.
#[derive(Debug)]
pub struct File {
    share: Share,
    id: FileId,
    metadata: Metadata,
    pub(super) open: bool,
    /// It is to be removed, should it be dropped.
    pub(super) discarded: bool,
}

impl Drop for File {
    fn drop(&mut self) {
        if self.open && self.discarded {
            let (tree, info) = (self.share.inner.tree, disposition(true));
            let request = set_info(self.id, fscc::FileInfoClass::DISPOSITION, &info);
            let shared = &self.share.inner.handle.shared;
            shared.forget(|client, now| client.request::<op::SetInfo>(tree, &request, now));
        }
        if self.open {
            self.share.close_file(self.id);
        }
    }
}

impl File {
    pub(super) fn new(share: Share, id: FileId, metadata: Metadata) -> Self {
        Self { share, id, metadata, open: true, discarded: false }
    }

    /// What was known of it when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The server's name for the open.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The share.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Reads up to `len` bytes at `offset`; empty at the end of the file. The bytes share the
    /// memory that the socket filled.
    pub async fn read_at(&self, offset: u64, len: u32) -> Result<Bytes> {
        read_result(self.start_read(offset, len.min(self.share.inner.max_read)).await)
    }

    /// Writes all of `data` at `offset`.
    pub async fn write_at(&self, offset: u64, data: Bytes) -> Result<()> {
        let mut at = 0;
        let step = self.share.inner.max_write as usize;
        while at < data.len() {
            let piece = data.slice(at..data.len().min(at + step));
            let written = write_result(self.start_write(offset + at as u64, piece.into()).await)?;
            if written == 0 {
                return Err(Error::Unexpected("the server wrote nothing"));
            }
            at += written as usize;
        }
        Ok(())
    }

    /// Reads from `start` to the end that the file had when it was opened, many requests at a time, in
    /// order. Where no length was known, as with an empty file, to the end that is found.
    pub fn read_stream(&self, start: u64) -> ReadStream<'_> {
        let end = Some(self.metadata.len).filter(|len| *len > start);
        self.stream_between(start, end, None)
    }

    /// The same from its start, which [`Share::open_and_read`] has read already.
    pub fn read_stream_after(&self, head: Option<Bytes>) -> ReadStream<'_> {
        let Some(head) = head else { return self.read_stream(0) };
        let start = head.len() as u64;
        // What says that it is empty and is not has an end that is not known.
        let end = Some(self.metadata.len.max(start)).filter(|_| self.metadata.len > 0 || start == 0);
        self.stream_between(start, end, Some(head))
    }

    fn stream_between(&self, start: u64, end: Option<u64>, head: Option<Bytes>) -> ReadStream<'_> {
        let (chunk, depth) = self.window(self.share.inner.max_read);
        ReadStream::new(self, Transfer::new(start, end, chunk, depth), head)
    }

    /// Writes in order from `start` on, many requests at a time.
    pub fn write_stream(&self, start: u64) -> WriteStream<'_> {
        let (chunk, depth) = self.window(self.share.inner.max_write);
        WriteStream::new(self, start, chunk, depth)
    }

    /// Brings what was written to stable storage.
    pub async fn flush(&self) -> Result<()> {
        let request = FlushRequest { file_id: self.id };
        self.share.start::<op::Flush>(&request).await?;
        Ok(())
    }

    /// Sets the length.
    pub async fn set_len(&self, len: u64) -> Result<()> {
        let info = fscc::FileEndOfFileInfo { end_of_file: len }.to_vec();
        self.set_info(fscc::FileInfoClass::END_OF_FILE, &info).await
    }

    /// Sets the time of the last change of its data.
    pub async fn set_written(&self, written: FileTime) -> Result<()> {
        self.set_info(fscc::FileInfoClass::BASIC, &written_at(written)).await
    }

    /// Asks for a class of information; at most `max` bytes of it.
    pub async fn query_info(&self, class: fscc::FileInfoClass, max: u32) -> Result<Bytes> {
        let request = QueryInfoRequest {
            info_type: InfoType::FILE,
            info_class: class.0,
            output_buffer_length: max.min(self.share.inner.max_transact),
            file_id: self.id,
            ..Default::default()
        };
        let response = response(self.share.start::<op::QueryInfo>(&request).await?)?;
        Ok(Bytes::copy_from_slice(response.body::<op::QueryInfo>()?.buffer))
    }

    /// Gives it another name on the same share.
    pub async fn rename(&self, to: &str, replace: bool) -> Result<()> {
        self.set_info(fscc::FileInfoClass::RENAME, &renamed(to, replace)).await
    }

    /// Marks it to be deleted when it is closed, or takes that back.
    pub async fn set_delete(&self, delete: bool) -> Result<()> {
        self.start_set_info(fscc::FileInfoClass::DISPOSITION, &disposition(delete)).await?;
        Ok(())
    }

    /// Closes it.
    pub async fn close(mut self) -> Result<()> {
        self.open = false;
        let request = CloseRequest { file_id: self.id, ..Default::default() };
        self.share.start::<op::Close>(&request).await?;
        Ok(())
    }

    async fn set_info(&self, class: fscc::FileInfoClass, buffer: &[u8]) -> Result<()> {
        self.start_set_info(class, buffer).await?;
        Ok(())
    }

    pub(super) fn start_set_info(&self, class: fscc::FileInfoClass, buffer: &[u8]) -> Op {
        self.share.start::<op::SetInfo>(&set_info(self.id, class, buffer))
    }

    /// Size and number of requests under way.
    fn window(&self, limit: u32) -> (u32, usize) {
        let chunk = limit.min(1 << 20);
        (chunk, (under_way(self.share.inner.handle.round_trip) / chunk).clamp(2, 64) as usize)
    }

    pub(super) fn buffer(&self, len: usize) -> MessageBuffer {
        self.share.inner.handle.shared.change(|client| client.buffer(len))
    }

    pub(super) fn start_read(&self, offset: u64, length: u32) -> Op {
        self.share.start::<op::Read>(&ReadRequest { length, offset, file_id: self.id, ..Default::default() })
    }

    /// The same, whose data may go to a file without coming here.
    pub(super) fn start_landing(&self, offset: u64, length: u32, to: Arc<Target>) -> Op {
        let request = ReadRequest { length, offset, file_id: self.id, ..Default::default() };
        let shared = &self.share.inner.handle.shared;
        shared.start_landing(self.share.inner.tree, &request, Landing { to, at: offset })
    }

    pub(super) fn start_write(&self, offset: u64, data: Payload) -> Op {
        let (tree, id) = (self.share.inner.tree, self.id);
        let shared = &self.share.inner.handle.shared;
        shared.start(Some(tree), |client, now| client.write(tree, id, offset, data, now))
    }
}

/// A SET_INFO for a file.
pub(super) fn set_info(file_id: FileId, class: fscc::FileInfoClass, buffer: &[u8]) -> SetInfoRequest<'_> {
    SetInfoRequest { info_type: InfoType::FILE, info_class: class.0, file_id, buffer, ..Default::default() }
}

/// What SET_INFO is given to mark a file for deletion, or to take that back.
pub(super) fn disposition(delete_pending: bool) -> Vec<u8> {
    fscc::FileDispositionInfo { delete_pending }.to_vec()
}

/// What it is given to set the time of the last change of the data, and no other.
pub(super) fn written_at(time: FileTime) -> Vec<u8> {
    fscc::FileBasicInfo { last_write_time: time, ..Default::default() }.to_vec()
}

/// What it is given to give a file another name.
pub(super) fn renamed(to: &str, replace: bool) -> Vec<u8> {
    let to = wire_path(to);
    let name = to.as_utf16();
    fscc::FileRenameInfo { replace_if_exists: replace, root_directory: 0, name }.to_vec()
}

/// Bytes under way at a time: 8 MiB, which fills a fast link over some milliseconds without flooding the
/// server, and more over a longer way, twice what 1 Gbit/s has on the way there and back.
fn under_way(round_trip: Duration) -> u32 {
    const LEAST: u32 = 8 << 20;
    const MOST: u32 = 32 << 20;
    let doubled = round_trip.as_millis().saturating_mul(2 * 125_000);
    u32::try_from(doubled).unwrap_or(MOST).clamp(LEAST, MOST)
}

pub(super) fn read_result(result: Result<sansmb::client::Outcome, sansmb::client::OpError>) -> Result<Bytes> {
    match result {
        Ok(outcome) => Ok(response(outcome)?.read_data()?),
        Err(error) if error.status() == Some(NtStatus::END_OF_FILE) => Ok(Bytes::new()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn write_result(result: Result<sansmb::client::Outcome, sansmb::client::OpError>) -> Result<u32> {
    let response = response(result?)?;
    let written: WriteResponse = response.body::<op::Write>()?;
    Ok(written.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_under_way_over_a_longer_way() {
        for (milliseconds, mib) in [(0, 8), (1, 8), (30, 8), (50, 12), (100, 24), (200, 32), (60_000, 32)] {
            let bytes = under_way(Duration::from_millis(milliseconds));
            assert_eq!(bytes.div_ceil(1 << 20).next_multiple_of(4), mib, "{milliseconds} ms");
        }
    }
}
