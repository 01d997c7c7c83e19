//! Files that get their name when they are complete.

use std::future::Future;

use bytes::Bytes;
use sansmb::{
    client::Member,
    op,
    wire::{Bulk, CloseRequest, FileId, FileTime, WriteRequest, fscc::FileInfoClass},
};

use super::{
    file::{File, disposition, renamed, set_info, write_result, written_at},
    share::{LOST, OpenOptions, Share, wire_path},
    stream::WriteStream,
};
use crate::error::{Error, Result};

/// A new file under a name of its own, which gets its final one when it is complete. Until then it is marked
/// for deletion where the server does that: whatever goes wrong, here or on the way, the server removes it.
/// A draft that is dropped is removed in the background.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: String,
    head: u64,
    marked: bool,
}

impl Share {
    /// Makes a draft, which must not exist yet, and writes `head` to it, in one round trip.
    ///
    /// A server that will not mark the file may still take it.
    pub async fn draft(&self, path: &str, head: Bytes) -> Result<Draft> {
        let name = wire_path(path);
        let create = OpenOptions::create_new().request(name.as_utf16());
        let mark = disposition(true);
        let mark = set_info(FileId::ANY, FileInfoClass::DISPOSITION, &mark);
        let mut members = vec![Member::new::<op::Create>(&create), Member::new::<op::SetInfo>(&mark)];
        let len = head.len();
        let at_once = len > 0 && len <= self.inner.max_write as usize;
        if at_once {
            let write = WriteRequest::new(FileId::ANY, 0, Bulk(len));
            members.push(Member::write(&write, head.clone().into()));
        }
        let mut results = Vec::new();
        for op in self.start_all(members) {
            results.push(op.await);
        }
        let written = if at_once { results.pop().map(write_result) } else { None };
        let (Some(marked), Some(created)) = (results.pop(), results.pop()) else {
            return Err(Error::Unexpected(LOST));
        };
        let mut file = self.file(created?)?;
        file.discarded = true;
        if !matches!(written, Some(Ok(written)) if written as usize == len)
            // By itself it goes through, or the server says why not.
            && let Err(error) = file.write_at(0, head).await
        {
            discard(file).await;
            return Err(error);
        }
        Ok(Draft { file, path: path.to_owned(), head: len as u64, marked: marked.is_ok() })
    }
}

impl Draft {
    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes in order behind the head, many requests at a time.
    pub fn write_stream(&self) -> WriteStream<'_> {
        self.file.write_stream(self.head)
    }

    /// Takes back that it is marked for deletion. The request is sent at once, so that it can go out behind the
    /// last data, and what comes of it is waited for with theirs.
    pub fn keep(&self) -> impl Future<Output = Result<()>> + use<> {
        let unmark = || self.file.start_set_info(FileInfoClass::DISPOSITION, &disposition(false));
        let unmarking = self.marked.then(unmark);
        async {
            match unmarking {
                Some(op) => op.await.map(drop).map_err(Into::into),
                None => Ok(()),
            }
        }
    }

    /// Gives it its time and its name, and closes it, in one message. All data have to be written, and
    /// [`Draft::keep`] has to have gone well.
    ///
    /// Where the name is refused nothing is left of the draft. Where only the time is, the file has its name
    /// on a server that goes on behind a failure, and the failure is told.
    pub async fn publish(self, to: &str, replace: bool, written: Option<FileTime>) -> Result<()> {
        let Self { mut file, path, .. } = self;
        let (share, id) = (file.share().clone(), file.id());
        let rename = renamed(to, replace);
        let mut members = Vec::new();
        if let Some(time) = written {
            let time = written_at(time);
            members.push(Member::new::<op::SetInfo>(&set_info(id, FileInfoClass::BASIC, &time)));
        }
        members.push(Member::new::<op::SetInfo>(&set_info(id, FileInfoClass::RENAME, &rename)));
        members.push(Member::new::<op::Close>(&CloseRequest { file_id: id, ..Default::default() }));
        // From here on it may be what has the name.
        file.discarded = false;
        let mut results = Vec::new();
        for op in share.start_all(members) {
            results.push(op.await);
        }
        let (Some(closed), Some(named)) = (results.pop(), results.pop()) else {
            return Err(Error::Unexpected(LOST));
        };
        let Err(refused) = named else {
            file.open = false;
            closed?;
            // That of the time, if there is one.
            return results.into_iter().try_for_each(|timed| timed.map(drop)).map_err(Into::into);
        };
        if closed.is_ok() {
            // [MS-SMB2] 3.3.5.2.7.2 leaves it to the server whether the CLOSE fails with what is before it.
            file.open = false;
            let _ = share.remove_file(&path).await;
        } else {
            discard(file).await;
        }
        Err(refused.into())
    }

    /// Removes it.
    pub async fn discard(self) {
        discard(self.file).await;
    }
}

/// Why a file is to go is what counts, and not whether the server can still be told: it may be gone.
async fn discard(file: File) {
    let _ = file.set_delete(true).await;
    let _ = file.close().await;
}
