//! What is set of a file, [MS-FSA] 2.1.5.15.

use std::sync::Arc;

use sansmb::{
    server::{Reply, Token, op},
    wire::{
        AccessMask, CompletionFilter, CreateOptions, FileAttributes, FileTime, NtStatus, SetInfoResponse,
        Structure,
        fscc::{
            DispositionFlags, FileAllocationInfo, FileBasicInfo, FileDispositionInfo, FileDispositionInfoEx,
            FileEndOfFileInfo, FileInfoClass, FileLinkInfo, FileModeInfo, FileNameInfo, FilePositionInfo,
            FileRenameInfo, FileRenameInfoEx, FileValidDataLengthInfo, NotifyAction, RenameFlags,
        },
    },
};

use super::{SECTOR, rename::Naming};
use crate::{
    create::{checks::SETTABLE, path::stream_name},
    opens::OpenId,
    server::FileServer,
    storage::{Changes, Done, Job, Metadata, NodeId, Outcome},
    task::Step,
};

/// Longest file and greatest allocation.
const MAX_LENGTH: u64 = i64::MAX as u64;
/// As a time: stop changing it by yourself.
const FREEZE: FileTime = FileTime(u64::MAX);
/// As a time: change it by yourself again.
const THAW: FileTime = FileTime(u64::MAX - 1);

/// A SET_INFO that is under way.
#[derive(Debug)]
pub(crate) struct SetFile {
    token: Token<op::SetInfo>,
    kind: Kind,
}

/// What is done, and how far it is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The times that the client wants frozen and the attributes that stay are looked at.
    BasicLook(FileBasicInfo),
    Basic(CompletionFilter),
    /// The attributes are looked at.
    Dispose {
        ignore_readonly: bool,
    },
    /// A directory is looked into.
    DisposeDirectory,
    EndOfFile,
    ExtendedAttributes,
    Allocation(u64),
    ValidData(u64),
}

impl FileServer {
    pub(crate) fn set_file(
        &mut self,
        id: OpenId,
        token: Token<op::SetInfo>,
        class: FileInfoClass,
        buffer: &[u8],
    ) {
        if let Some(node) = self.handles_in_the_way(id, class, buffer) {
            return self.delay_set_info(id, node, token, class, buffer);
        }
        let result = match class {
            FileInfoClass::BASIC => self.set_basic(id, buffer),
            FileInfoClass::DISPOSITION => decode::<FileDispositionInfo>(buffer).and_then(|info| {
                let flags =
                    if info.delete_pending { DispositionFlags::DELETE } else { DispositionFlags::empty() };
                self.set_disposition(id, flags)
            }),
            FileInfoClass::DISPOSITION_EX => {
                decode::<FileDispositionInfoEx>(buffer).and_then(|info| self.set_disposition(id, info.flags))
            }
            FileInfoClass::END_OF_FILE => self.set_end_of_file(id, buffer),
            FileInfoClass::ALLOCATION => self.set_allocation(id, buffer),
            FileInfoClass::VALID_DATA_LENGTH => self.set_valid_data_length(id, buffer),
            FileInfoClass::POSITION => self.set_position(id, buffer),
            FileInfoClass::MODE => self.set_mode(id, buffer),
            FileInfoClass::RENAME | FileInfoClass::RENAME_EX | FileInfoClass::LINK => {
                return match naming(class, buffer) {
                    Ok(New::Name(naming)) => self.rename(id, token, naming),
                    Ok(New::Stream { to, replace }) => self.rename_stream(id, token, to, replace),
                    Err(status) => self.fail(token, status),
                };
            }
            FileInfoClass::FULL_EA => {
                self.set_eas(id, buffer).map(|job| Some((job, Kind::ExtendedAttributes)))
            }
            FileInfoClass::SHORT_NAME => self.set_short_name(id, buffer),
            FileInfoClass::PIPE | FileInfoClass::PIPE_REMOTE | FileInfoClass::QUOTA => {
                Err(NtStatus::INVALID_PARAMETER)
            }
            // Not for clients, [MS-FSA] 2.1.5.15.
            FileInfoClass::OBJECT_ID | FileInfoClass::SFIO_RESERVE => Err(NtStatus::NOT_SUPPORTED),
            _ => Err(NtStatus::INVALID_INFO_CLASS),
        };
        match result {
            Ok(None) => self.respond_kept(id, token, Ok(Reply::new(&SetInfoResponse))),
            Ok(Some((job, kind))) => {
                self.job_on(id, |_| job, Step::SetFile(Box::new(SetFile { token, kind })));
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// A job of a SET_INFO is done.
    pub(crate) fn set_file_step(&mut self, id: OpenId, set: SetFile, outcome: Outcome) {
        let SetFile { token, kind } = set;
        let result = outcome.and_then(|done| self.set_next(id, kind, done));
        match result {
            Ok(None) if matches!(kind, Kind::EndOfFile) => {
                self.answer_changed(id, token, Ok(Reply::new(&SetInfoResponse)));
            }
            Ok(None) => self.respond_kept(id, token, Ok(Reply::new(&SetInfoResponse))),
            Ok(Some((job, kind))) => {
                self.job_on(id, |_| job, Step::SetFile(Box::new(SetFile { token, kind })));
            }
            // Reserving space is a hint.
            Err(NtStatus::NOT_SUPPORTED) if matches!(kind, Kind::EndOfFile) => {
                self.succeed(token, &SetInfoResponse);
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn set_next(&mut self, id: OpenId, kind: Kind, done: Done) -> Next {
        let handle = self.file(id).map(|file| file.handle).ok_or(NtStatus::FILE_CLOSED)?;
        match (kind, done) {
            (Kind::BasicLook(info), Done::Metadata(metadata)) => {
                Ok(self.change_basic(id, &info, Some(&metadata)))
            }
            (Kind::Basic(changed), _) => {
                self.show_all(id);
                if !changed.is_empty() {
                    self.report(id, NotifyAction::MODIFIED, changed);
                    self.break_own_parent(id);
                }
                Ok(None)
            }
            (Kind::Dispose { ignore_readonly }, Done::Metadata(metadata)) => {
                if metadata.attributes.contains(FileAttributes::READONLY) && !ignore_readonly {
                    return Err(NtStatus::CANNOT_DELETE);
                }
                if metadata.is_directory() {
                    return Ok(Some((Job::IsEmpty { handle }, Kind::DisposeDirectory)));
                }
                self.doom(id)
            }
            (Kind::DisposeDirectory, Done::Empty(empty)) => {
                if empty {
                    self.doom(id)
                } else {
                    Err(NtStatus::DIRECTORY_NOT_EMPTY)
                }
            }
            (Kind::ExtendedAttributes, _) => {
                self.eas_are_set(id);
                Ok(None)
            }
            (Kind::EndOfFile, _) => {
                self.show_all(id);
                self.report(id, NotifyAction::MODIFIED, CompletionFilter::SIZE);
                self.break_own_parent(id);
                Ok(None)
            }
            (Kind::Allocation(size), Done::Metadata(metadata)) => {
                let job = if size < metadata.length {
                    Job::SetLength { handle, length: size }
                } else {
                    Job::Allocate { handle, length: size }
                };
                Ok(Some((job, Kind::EndOfFile)))
            }
            (Kind::ValidData(size), Done::Metadata(metadata)) => {
                if size > metadata.length {
                    Err(NtStatus::INVALID_PARAMETER)
                } else {
                    Ok(None)
                }
            }
            _ => Err(NtStatus::INTERNAL_ERROR),
        }
    }

    /// [MS-FSA] 2.1.5.15.2.
    fn set_basic(&mut self, id: OpenId, buffer: &[u8]) -> Next {
        let info = decode::<FileBasicInfo>(buffer)?;
        self.demand(id, AccessMask::FILE_WRITE_ATTRIBUTES)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        let times = [info.creation_time, info.last_access_time, info.last_write_time, info.change_time];
        // Signed: everything below -2 is no time.
        if times.iter().any(|time| time.0 > i64::MAX as u64 && *time < THAW) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let misplaced = if file.directory { FileAttributes::TEMPORARY } else { FileAttributes::DIRECTORY };
        if info.attributes.intersects(misplaced) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.show_all(id);
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if times.contains(&FREEZE) || !info.attributes.is_empty() {
            return Ok(Some((Job::Stat { handle: file.handle }, Kind::BasicLook(info))));
        }
        Ok(self.change_basic(id, &info, None))
    }

    /// Freezes and thaws times and says what the storage has to change.
    fn change_basic(
        &mut self,
        id: OpenId,
        info: &FileBasicInfo,
        current: Option<&Metadata>,
    ) -> Option<(Job, Kind)> {
        self.persistence.touch(id);
        let file = self.file_mut(id)?;
        let frozen = &mut file.frozen;
        for (time, slot, current) in [
            (info.last_write_time, &mut frozen.written, current.map(|m| m.written)),
            (info.last_access_time, &mut frozen.accessed, current.map(|m| m.accessed)),
            (info.change_time, &mut frozen.changed, current.map(|m| m.changed)),
        ] {
            match time {
                FileTime(0) => {}
                THAW => *slot = None,
                FREEZE => *slot = current,
                time => *slot = Some(time),
            }
        }
        let real = |time: FileTime| (time.0 != 0 && time.0 <= i64::MAX as u64).then_some(time);
        let mut attributes = (!info.attributes.is_empty()).then_some(info.attributes & SETTABLE);
        if let Some(attributes) = attributes.as_mut().filter(|_| file.path.0.is_empty()) {
            attributes.remove(FileAttributes::HIDDEN | FileAttributes::SYSTEM);
        }
        // What a file is made of is not set here, and so it stays.
        let made_of = FileAttributes::SPARSE_FILE | FileAttributes::COMPRESSED;
        let kept = current.map_or(FileAttributes::empty(), |m| m.attributes & made_of);
        let attributes = attributes.map(|attributes| attributes | kept);
        let mut changes = Changes {
            created: real(info.creation_time),
            accessed: real(info.last_access_time),
            written: real(info.last_write_time),
            changed: real(info.change_time),
            attributes,
        };
        if changes == Changes::default() {
            return None;
        }
        // What the client froze stays, whatever else changes.
        changes.changed = changes.changed.or(file.frozen.changed);
        let mut kinds = CompletionFilter::empty();
        kinds.set(CompletionFilter::CREATION, changes.created.is_some());
        kinds.set(CompletionFilter::LAST_ACCESS, changes.accessed.is_some());
        kinds.set(CompletionFilter::LAST_WRITE, changes.written.is_some());
        kinds.set(CompletionFilter::ATTRIBUTES, changes.attributes.is_some());
        Some((Job::Change { handle: file.handle, changes }, Kind::Basic(kinds)))
    }

    /// [MS-FSA] 2.1.5.15.3 and 2.1.5.15.4.
    fn set_disposition(&mut self, id: OpenId, flags: DispositionFlags) -> Next {
        self.demand(id, AccessMask::DELETE)?;
        let key = self.path_key(id).ok_or(NtStatus::FILE_CLOSED)?;
        let file = self.file_mut(id).ok_or(NtStatus::FILE_CLOSED)?;
        if flags.contains(DispositionFlags::ON_CLOSE) {
            if !file.delete_on_close {
                return Err(NtStatus::NOT_SUPPORTED);
            }
            file.delete_on_close = flags.contains(DispositionFlags::DELETE);
            self.persistence.touch(id);
            return Ok(None);
        }
        if flags.contains(DispositionFlags::DELETE) {
            if file.path.0.is_empty() && file.stream.is_none() {
                return Err(NtStatus::CANNOT_DELETE);
            }
            let ignore_readonly = flags.contains(DispositionFlags::IGNORE_READONLY_ATTRIBUTE);
            return Ok(Some((Job::Stat { handle: file.handle }, Kind::Dispose { ignore_readonly })));
        }
        let node = file.node;
        if let Some(link) = self.nodes.get_mut(node).and_then(|node| node.links.get_mut(&key)) {
            link.delete_pending = false;
        }
        self.persistence.touch_node(node);
        Ok(None)
    }

    /// The name of an open goes away with the last open that has it.
    fn doom(&mut self, id: OpenId) -> Next {
        let key = self.path_key(id).ok_or(NtStatus::FILE_CLOSED)?;
        let node = self.file(id).ok_or(NtStatus::FILE_CLOSED)?.node;
        let link = self.nodes.get_mut(node).and_then(|node| node.links.get_mut(&key));
        link.ok_or(NtStatus::FILE_CLOSED)?.delete_pending = true;
        self.persistence.touch_node(node);
        self.end_watches_at(&key, NtStatus::DELETE_PENDING);
        Ok(None)
    }

    fn set_end_of_file(&mut self, id: OpenId, buffer: &[u8]) -> Next {
        let length = decode::<FileEndOfFileInfo>(buffer)?.end_of_file;
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if file.directory || length > MAX_LENGTH {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let handle = file.handle;
        self.break_data(id);
        Ok(Some((Job::SetLength { handle, length }, Kind::EndOfFile)))
    }

    fn set_allocation(&mut self, id: OpenId, buffer: &[u8]) -> Next {
        let size = decode::<FileAllocationInfo>(buffer)?.allocation_size;
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if file.directory || size > MAX_LENGTH {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let handle = file.handle;
        self.break_data(id);
        Ok(Some((Job::Stat { handle }, Kind::Allocation(size))))
    }

    /// What lies behind the valid data reads as zeros here, always: there is nothing to set.
    fn set_valid_data_length(&mut self, id: OpenId, buffer: &[u8]) -> Next {
        let size = decode::<FileValidDataLengthInfo>(buffer)?.valid_data_length;
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if file.directory {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(Some((Job::Stat { handle: file.handle }, Kind::ValidData(size))))
    }

    /// [MS-FSA] 2.1.5.15.14: there are no short names.
    fn set_short_name(&self, id: OpenId, buffer: &[u8]) -> Next {
        let info = decode::<FileNameInfo<'_>>(buffer)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        let name = info.name.to_text().ok_or(NtStatus::INVALID_PARAMETER)?;
        if file.path.0.is_empty() || name.starts_with('\\') {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.demand(id, AccessMask::FILE_WRITE_DATA | AccessMask::FILE_WRITE_ATTRIBUTES)?;
        Err(NtStatus::SHORT_NAMES_NOT_ENABLED_ON_VOLUME)
    }

    /// [MS-FSA] 2.1.5.15.10.
    fn set_position(&mut self, id: OpenId, buffer: &[u8]) -> Next {
        let position = decode::<FilePositionInfo>(buffer)?.current_byte_offset;
        let file = self.file_mut(id).ok_or(NtStatus::FILE_CLOSED)?;
        let unbuffered = file.mode.contains(CreateOptions::NO_INTERMEDIATE_BUFFERING);
        if position > MAX_LENGTH || unbuffered && position % u64::from(SECTOR) != 0 {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        file.position = position;
        Ok(None)
    }

    /// [MS-FSA] 2.1.5.15.8.
    fn set_mode(&mut self, id: OpenId, buffer: &[u8]) -> Next {
        let mode = CreateOptions::from_bits_retain(decode::<FileModeInfo>(buffer)?.mode);
        let settable = CreateOptions::WRITE_THROUGH
            | CreateOptions::SEQUENTIAL_ONLY
            | CreateOptions::SYNCHRONOUS_IO_ALERT
            | CreateOptions::SYNCHRONOUS_IO_NONALERT;
        let both = CreateOptions::SYNCHRONOUS_IO_ALERT | CreateOptions::SYNCHRONOUS_IO_NONALERT;
        let file = self.file_mut(id).ok_or(NtStatus::FILE_CLOSED)?;
        if !settable.contains(mode)
            || mode.contains(both)
            || mode.intersects(both) != file.mode.intersects(both)
        {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let kept = if file.mode.contains(CreateOptions::NO_INTERMEDIATE_BUFFERING) {
            CreateOptions::WRITE_THROUGH
        } else {
            CreateOptions::empty()
        };
        let settable = settable.difference(kept);
        file.mode = file.mode.difference(settable) | mode & settable;
        self.persistence.touch(id);
        Ok(None)
    }

    /// Whether handles that others only keep have to go before a name can, [MS-FSA] 2.1.4.12: gives the
    /// file whose they are.
    fn handles_in_the_way(&mut self, id: OpenId, class: FileInfoClass, buffer: &[u8]) -> Option<NodeId> {
        let (renames, concerned) = match class {
            FileInfoClass::RENAME | FileInfoClass::RENAME_EX => (true, naming(class, buffer).is_ok()),
            FileInfoClass::DISPOSITION => {
                (false, decode::<FileDispositionInfo>(buffer).is_ok_and(|info| info.delete_pending))
            }
            FileInfoClass::DISPOSITION_EX => {
                let info = decode::<FileDispositionInfoEx>(buffer);
                let deletes = |flags: DispositionFlags| {
                    flags.contains(DispositionFlags::DELETE) && !flags.contains(DispositionFlags::ON_CLOSE)
                };
                (false, info.is_ok_and(|info| deletes(info.flags)))
            }
            _ => return None,
        };
        if !concerned || self.demand(id, AccessMask::DELETE).is_err() {
            return None;
        }
        let beneath = renames && self.file(id).is_some_and(|file| file.directory);
        let waits = self.break_handles(id);
        waits.or_else(|| if beneath { self.break_handles_beneath(id) } else { None })
    }

    /// Everything that was done to the file of an open shows in its times.
    fn show_all(&mut self, id: OpenId) {
        if let Some(node) = self.file(id).map(|file| file.node) {
            self.show_times(node);
        }
    }

    /// Whether an open may do one of these.
    pub(crate) fn demand(&self, id: OpenId, access: AccessMask) -> Result<(), NtStatus> {
        let open = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?;
        if open.may(access) { Ok(()) } else { Err(NtStatus::ACCESS_DENIED) }
    }
}

/// What comes next: nothing, or a job and what follows it.
type Next = Result<Option<(Job, Kind)>, NtStatus>;

/// Reads a class; one that is too short has its own status.
fn decode<'m, S: Structure<'m>>(buffer: &'m [u8]) -> Result<S, NtStatus> {
    if buffer.len() < S::FIXED_LEN {
        return Err(NtStatus::INFO_LENGTH_MISMATCH);
    }
    S::decode(buffer).map_err(|_| NtStatus::INVALID_PARAMETER)
}

/// What is to have another name.
enum New {
    Name(Naming),
    Stream { to: Arc<str>, replace: bool },
}

fn naming(class: FileInfoClass, buffer: &[u8]) -> Result<New, NtStatus> {
    let (name, root, replace, ignore_readonly) = match class {
        FileInfoClass::RENAME_EX => {
            let info = decode::<FileRenameInfoEx<'_>>(buffer)?;
            let replace = info.flags.contains(RenameFlags::REPLACE_IF_EXISTS);
            (
                info.name,
                info.root_directory,
                replace,
                info.flags.contains(RenameFlags::IGNORE_READONLY_ATTRIBUTE),
            )
        }
        FileInfoClass::LINK => {
            let info = decode::<FileLinkInfo<'_>>(buffer)?;
            (info.name, info.root_directory, info.replace_if_exists, false)
        }
        _ => {
            let info = decode::<FileRenameInfo<'_>>(buffer)?;
            (info.name, info.root_directory, info.replace_if_exists, false)
        }
    };
    if root != 0 {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let link = class == FileInfoClass::LINK;
    if let Some(text) = name.to_text().filter(|text| !link && text.starts_with(':')) {
        return Ok(New::Stream { to: stream_name(&text)?, replace });
    }
    Naming::new(name, link, replace, ignore_readonly).map(New::Name)
}
