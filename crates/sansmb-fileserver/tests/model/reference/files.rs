//! Data and names: [MS-FSA] 2.1.5.3, 2.1.5.4, 2.1.5.5 and 2.1.5.15.

use sansmb::wire::{AccessMask, LeaseState, NtStatus};

use super::{Answer, Delay, Delayed, FileNumber, Heard, Name, Reference, Request, SetTo, Setting, Todo};

const DATA: LeaseState = LeaseState::READ_CACHING.union(LeaseState::WRITE_CACHING);
const HANDLE: LeaseState = LeaseState::HANDLE_CACHING;
/// As an offset: the end of the file, for opens that may only append.
const AT_END: u64 = u64::MAX;

impl Reference {
    fn may(&self, id: Request, access: AccessMask) -> Result<FileNumber, NtStatus> {
        let open = &self.opens[&id];
        if open.access.intersects(access) { Ok(open.file) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    pub(super) fn read(&self, id: Request, offset: u64, length: u32) -> Result<Vec<u8>, NtStatus> {
        let file = self.may(id, AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE)?;
        if length == 0 {
            return Ok(Vec::new());
        }
        if !self.may_touch(id, file, offset, length.into(), false) {
            return Err(NtStatus::FILE_LOCK_CONFLICT);
        }
        let data: Vec<u8> =
            self.files[&file].iter().skip(offset as usize).take(length as usize).copied().collect();
        if data.is_empty() { Err(NtStatus::END_OF_FILE) } else { Ok(data) }
    }

    pub(super) fn write(&mut self, id: Request, offset: u64, data: &[u8]) -> Result<u32, NtStatus> {
        let file = self.may(id, AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA)?;
        if data.is_empty() {
            return Ok(0);
        }
        let appends = self.may(id, AccessMask::FILE_WRITE_DATA).is_err();
        let end = self.files[&file].len() as u64;
        let offset = match offset {
            AT_END if appends => end,
            AT_END => return Err(NtStatus::INVALID_PARAMETER),
            offset if appends && offset < end => return Err(NtStatus::ACCESS_DENIED),
            offset => offset,
        };
        if !self.may_touch(id, file, offset, data.len() as u64, true) {
            return Err(NtStatus::FILE_LOCK_CONFLICT);
        }
        self.take_away(file, DATA, self.holder_of(id));
        let content = self.files.get_mut(&file).expect("a file");
        let at = offset as usize;
        if content.len() < at + data.len() {
            content.resize(at + data.len(), 0);
        }
        content[at..at + data.len()].copy_from_slice(data);
        Ok(data.len() as u32)
    }

    pub(super) fn set_length(&mut self, id: Request, length: u64) -> Result<Answer, NtStatus> {
        let file = self.may(id, AccessMask::FILE_WRITE_DATA)?;
        self.take_away(file, DATA, self.holder_of(id));
        self.files.get_mut(&file).expect("a file").resize(length as usize, 0);
        Ok(Answer::Status(0))
    }

    /// The file is to stay.
    pub(super) fn keep(&mut self, id: Request) -> Result<Answer, NtStatus> {
        self.may(id, AccessMask::DELETE)?;
        let name = self.opens[&id].name;
        self.names.get_mut(name).expect("a name").doomed = false;
        Ok(Answer::Status(0))
    }

    /// A name is to go, or to become another: handles that nobody uses have to be closed first.
    pub(super) fn begin_set(&mut self, mut setting: Setting) {
        let Setting { request, client, open: id, to, .. } = setting;
        if let Err(status) = self.may(id, AccessMask::DELETE) {
            return self.answer(client, request, status);
        }
        let (file, own) = (self.opens[&id].file, self.holder_of(id));
        self.take_away(file, HANDLE, own);
        if self.blocks(file, HANDLE, own) {
            if !std::mem::replace(&mut setting.waited, true) {
                self.hear(client, Heard::Interim(request));
            }
            self.delays.push(Delay { file, bits: HANDLE, own, what: Delayed::Set(setting) });
            return;
        }
        if let SetTo::Name { name, .. } = to {
            if let Err(status) = self.may_rename(id, name) {
                return self.answer(client, request, status);
            }
            if name == self.opens[&id].name {
                return self.answer(client, request, NtStatus::SUCCESS);
            }
        }
        self.next.push(Todo::Set(setting));
    }

    fn may_rename(&self, id: Request, to: &'static str) -> Result<(), NtStatus> {
        let doomed = |name| self.names.get(name).is_some_and(|name: &Name| name.doomed);
        if doomed(self.opens[&id].name) || doomed(to) { Err(NtStatus::DELETE_PENDING) } else { Ok(()) }
    }

    pub(super) fn set(&mut self, setting: &Setting) {
        let Setting { request, client, open: id, to, .. } = setting;
        let (file, from) = (self.opens[id].file, self.opens[id].name);
        let status = match to {
            SetTo::Deleted => {
                self.names.get_mut(from).expect("a name").doomed = true;
                NtStatus::SUCCESS
            }
            SetTo::Name { name, replace } => match self.rename(*id, file, from, name, *replace) {
                Ok(()) => NtStatus::SUCCESS,
                Err(status) => status,
            },
        };
        self.answer(*client, *request, status);
        if self.opens.get(id).is_some_and(|open| open.closing) {
            self.close(*id);
        }
    }

    fn rename(
        &mut self,
        id: Request,
        file: FileNumber,
        from: &'static str,
        to: &'static str,
        replace: bool,
    ) -> Result<(), NtStatus> {
        let target = self.names.get(to).copied();
        match target {
            // Another one like it came first.
            Some(target) if target.file == file && !replace => return Ok(()),
            Some(target) if target.file == file => {}
            Some(_) if !replace => return Err(NtStatus::OBJECT_NAME_COLLISION),
            Some(target) if target.doomed => return Err(NtStatus::DELETE_PENDING),
            Some(target) if self.opens.values().any(|open| open.file == target.file) => {
                return Err(NtStatus::ACCESS_DENIED);
            }
            _ => {}
        }
        // Whoever looked at what is to be replaced asks once more, and is asked who it is.
        if replace {
            self.may_rename(id, to)?;
            if !self.opens[&id].client.is_some_and(|client| self.connected[client]) {
                return Err(NtStatus::USER_SESSION_DELETED);
            }
        }
        match target {
            Some(target) if target.file == file => return Ok(()),
            Some(target) => drop(self.files.remove(&target.file)),
            None => {}
        }
        let moved = self.names.remove(from).expect("a name");
        self.names.insert(to, moved);
        for open in self.opens.values_mut().filter(|open| open.file == file) {
            open.name = to;
        }
        Ok(())
    }

    /// [MS-FSA] 2.1.5.5.
    pub(super) fn close(&mut self, id: Request) {
        // One that waits for its client may have gone with another one.
        if !self.opens.contains_key(&id) {
            return;
        }
        self.end_waits(id);
        let holder = self.holder_of(id);
        // What is under way on it comes to its end first.
        let on_it = |todo: &Todo| matches!(todo, Todo::Set(setting) if setting.open == id);
        if self.next.iter().chain(&self.agenda).any(on_it) {
            self.opens.get_mut(&id).expect("an open").closing = true;
            return;
        }
        let Some(open) = self.opens.remove(&id) else { return };
        let (file, name) = (open.file, open.name);
        let shared = open.lease.is_some_and(|lease| self.opens.values().any(|o| o.lease == Some(lease)));
        if !shared {
            self.grips.remove(&(file, holder));
            if let Some(lease) = open.lease {
                self.leases.remove(&lease);
            }
        }
        self.locks.retain(|lock| lock.open != id);
        let last = !self.opens.values().any(|other| other.file == file);
        let entry = self.names.get_mut(name).expect("a name");
        let newly = open.delete_on_close && !entry.doomed;
        entry.doomed |= open.delete_on_close;
        let doomed = entry.doomed;
        self.grant_locks(file);
        if newly && !last {
            self.take_away(file, HANDLE, holder);
        }
        if last && doomed {
            self.next.push(Todo::Unlink(file, name));
        } else {
            self.resume(file);
        }
    }

    pub(super) fn unlink(&mut self, file: FileNumber, name: &'static str) {
        self.names.remove(name);
        self.files.remove(&file);
        self.resume(file);
    }
}
