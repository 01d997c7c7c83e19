//! READ, WRITE and FLUSH.

use sansmb::{
    conn::MessageBuffer,
    server::{Kept, Reply, Request, Token, op},
    wire::{
        AccessMask, CompletionFilter, CreateOptions, EmptyBody, NtStatus, WriteFlags, WriteResponse,
        fscc::NotifyAction,
    },
};

use crate::{
    locks::Range,
    opens::{Object, OpenId},
    server::{FileServer, nothing},
    storage::{Data, Done, Job, Outcome},
    task::{Append, Reading, Step},
};

/// The last byte of a file, [MS-FSA] 2.1.5.3: offsets are signed there.
const MAX_OFFSET: u64 = i64::MAX as u64;
/// As an offset: the end of the file, for handles that may only append.
const AT_END: u64 = u64::MAX;

impl FileServer {
    /// [MS-SMB2] 3.3.5.12 and [MS-FSA] 2.1.5.3.
    pub(crate) fn read(&mut self, request: Request<op::Read>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if !open.may(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        if body.channel != 0 {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let file = match &open.object {
            Object::File(file) => file,
            Object::Pipe(_) => return self.read_pipe(id, token, body.length),
        };
        if file.directory {
            return self.fail(token, NtStatus::INVALID_DEVICE_REQUEST);
        }
        let (offset, length, minimum) = (body.offset, body.length, body.minimum_count);
        if offset.checked_add(length.into()).is_none_or(|end| end > MAX_OFFSET) {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if length == 0 {
            let data = MessageBuffer::with_capacity(0);
            let result =
                if minimum == 0 { Ok(Reply::buffer(data)) } else { Err(NtStatus::END_OF_FILE.into()) };
            return self.respond(token, result);
        }
        if !self.may_access(id, offset, length.into(), false) {
            return self.fail(token, NtStatus::FILE_LOCK_CONFLICT);
        }
        // The driver may lend memory that was used before, and a storage makes the room that it needs.
        let into = MessageBuffer::with_capacity(0);
        self.job_on(
            id,
            |file| Job::Read { handle: file.handle, offset, length, into },
            Step::Read(Reading { token, offset, length, minimum, got: 0 }),
        );
    }

    pub(crate) fn read_done(&mut self, id: OpenId, reading: Reading, outcome: Outcome) {
        let (offset, minimum, got) = (reading.offset, reading.minimum, reading.got);
        let result = match outcome {
            // A storage that reads nothing at all would be asked for ever.
            Ok(Done::ReadPart(into)) if into.len() > got => return self.read_on(id, reading, into),
            Ok(Done::Read(data)) if data.is_empty() || data.len() < minimum as usize => {
                Err(NtStatus::END_OF_FILE.into())
            }
            Ok(Done::Read(data)) => {
                if let Some(file) = self.file_mut(id) {
                    file.position = offset + data.len() as u64;
                }
                Ok(Reply::buffer(data))
            }
            Ok(_) => Err(NtStatus::INTERNAL_ERROR.into()),
            Err(status) => Err(status.into()),
        };
        self.respond(reading.token, result);
    }

    /// Asks for the rest of what was read in part.
    fn read_on(&mut self, id: OpenId, reading: Reading, into: MessageBuffer) {
        let (offset, length, got) = (reading.offset, reading.length, into.len());
        self.job_on(
            id,
            |file| Job::rest_of_read(file.handle, offset, length, into),
            Step::Read(Reading { got, ..reading }),
        );
    }

    /// [MS-SMB2] 3.3.5.13 and [MS-FSA] 2.1.5.4.
    pub(crate) fn write(&mut self, request: Request<op::Write>) {
        let Request { token, origin, mut message } = request;
        let data = match message.take_kept().map(Kept::into_place) {
            None => message.data().map(Data::Here).ok(),
            Some(place) => place.map(Data::Held),
        };
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let Some(data) = data else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if !open.may(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        if body.channel != 0 {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let append_only = !open.may(AccessMask::FILE_WRITE_DATA);
        let file = match &open.object {
            Object::File(file) => file,
            Object::Pipe(_) => match data.into_bytes() {
                Ok(data) => return self.write_pipe(id, token, &data),
                Err(status) => return self.fail(token, status),
            },
        };
        if file.directory {
            return self.fail(token, NtStatus::INVALID_DEVICE_REQUEST);
        }
        let through = body.flags.contains(WriteFlags::WRITE_THROUGH)
            || file.mode.intersects(CreateOptions::WRITE_THROUGH | CreateOptions::NO_INTERMEDIATE_BUFFERING);
        let length = data.len() as u32;
        let offset = body.offset;
        if offset != AT_END && offset.checked_add(length.into()).is_none_or(|end| end > MAX_OFFSET) {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if length == 0 {
            return self.succeed(token, &WriteResponse { count: 0 });
        }
        if offset == AT_END && !append_only {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if append_only {
            let offset = (offset != AT_END).then_some(offset);
            return self.append(Append { open: id, token, data, through, offset });
        }
        if !self.may_access(id, offset, length.into(), true) {
            return self.fail(token, NtStatus::FILE_LOCK_CONFLICT);
        }
        self.break_data(id);
        self.job_on(
            id,
            |file| Job::Write { handle: file.handle, offset, data, through },
            Step::Write { token, length },
        );
    }

    pub(crate) fn write_done(&mut self, id: OpenId, token: Token<op::Write>, length: u32, outcome: Outcome) {
        match outcome {
            Ok(done) => {
                let count = match done {
                    Done::Written(n) => u32::try_from(n).unwrap_or(length),
                    _ => length,
                };
                self.wrote(id);
                self.answer_changed(id, token, Ok(Reply::new(&WriteResponse { count })));
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// Writes at the end of a file go one after the other: the end must not move between asking for
    /// it and writing there.
    fn append(&mut self, append: Append) {
        let id = append.open;
        let Some(node) = self.file(id).map(|file| file.node) else {
            return self.fail(append.token, NtStatus::FILE_CLOSED);
        };
        // The open must not be closed while one of its writes is in the queue.
        if let Some(open) = self.opens.get_mut(&id) {
            open.busy += 1;
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.appends.push_back(append);
            if node.appending {
                return;
            }
        }
        self.next_append(id);
    }

    /// Starts the next write in the queue of the file that `id` is open on.
    fn next_append(&mut self, id: OpenId) {
        let Some(node) = self.file(id).map(|file| file.node) else { return };
        let Some(node) = self.nodes.get_mut(node) else { return };
        let next = node.appends.pop_front();
        node.appending = next.is_some();
        if let Some(append) = next {
            self.job_on(append.open, |file| Job::Stat { handle: file.handle }, Step::AppendLength(append));
        }
    }

    /// The end of the file is known.
    pub(crate) fn append_length(&mut self, append: Append, outcome: Outcome) {
        let Append { open: id, token, data, through, offset } = append;
        let length = data.len() as u32;
        let at = match outcome {
            Ok(Done::Metadata(metadata)) => offset.unwrap_or(metadata.length).max(metadata.length),
            outcome => {
                self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR));
                return self.append_over(id);
            }
        };
        // Whoever may only append must not say an offset before the end.
        let refusal = if offset.is_some_and(|offset| offset != at) {
            Some(NtStatus::ACCESS_DENIED)
        } else if at.checked_add(length.into()).is_none_or(|end| end > MAX_OFFSET) {
            Some(NtStatus::INVALID_PARAMETER)
        } else if !self.may_access(id, at, length.into(), true) {
            Some(NtStatus::FILE_LOCK_CONFLICT)
        } else {
            None
        };
        if let Some(status) = refusal {
            self.fail(token, status);
            return self.append_over(id);
        }
        self.break_data(id);
        self.job_on(
            id,
            |file| Job::Write { handle: file.handle, offset: at, data, through },
            Step::AppendWrite { token, length },
        );
    }

    pub(crate) fn append_done(&mut self, id: OpenId, token: Token<op::Write>, length: u32, outcome: Outcome) {
        self.write_done(id, token, length, outcome);
        self.append_over(id);
    }

    fn append_over(&mut self, id: OpenId) {
        self.next_append(id);
        self.release(id);
    }

    /// Whether no byte-range lock of somebody else is in the way.
    pub(crate) fn may_access(&self, id: OpenId, offset: u64, length: u64, write: bool) -> bool {
        let Some(file) = self.file(id) else { return false };
        let Some(node) = self.nodes.get(file.node) else { return true };
        node.locks.can_access(id, Range { offset, length }, write)
    }

    /// [MS-SMB2] 3.3.5.11.
    pub(crate) fn flush(&mut self, request: Request<op::Flush>) {
        let Request { token, origin, message } = request;
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if open.file().is_none() {
            return self.succeed(token, &EmptyBody::default());
        }
        if !open.may(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        self.job_on(id, |file| Job::Flush { handle: file.handle }, Step::Flush { token });
    }

    pub(crate) fn flush_done(&mut self, id: OpenId, token: Token<op::Flush>, outcome: Outcome) {
        match nothing(outcome) {
            Ok(()) => {
                self.report_modified(id);
                if let Some(node) = self.file(id).map(|file| file.node) {
                    self.show_times(node);
                }
                self.succeed(token, &EmptyBody::default());
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// Tells watchers that data was written, if any was since they were last told.
    pub(crate) fn report_modified(&mut self, id: OpenId) {
        let Some(file) = self.file_mut(id) else { return };
        let mut changes = CompletionFilter::empty();
        if std::mem::take(&mut file.modified) {
            changes |= CompletionFilter::SIZE | CompletionFilter::LAST_WRITE;
        }
        if std::mem::take(&mut file.renamed) {
            changes |= CompletionFilter::ATTRIBUTES | CompletionFilter::CREATION;
        }
        if !changes.is_empty() {
            self.report(id, NotifyAction::MODIFIED, changes);
        }
    }
}
