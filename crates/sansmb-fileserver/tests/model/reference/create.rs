//! CREATE: [MS-FSA] 2.1.5.1 and [MS-SMB2] 3.3.5.9.

use sansmb::wire::{AccessMask, CreateAction, CreateDisposition, NtStatus, ShareAccess};

use super::{Answer, FileNumber, Heard, Name, Open, Opened, Reference, Request, Todo, action, caching};
use crate::{
    operation::Create,
    reference::{Delay, Delayed, caching::Obstacle},
};

/// A CREATE that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Creating {
    pub(super) request: Request,
    pub(super) client: usize,
    pub(super) create: Create,
    /// Its client has heard that it waits.
    waited: bool,
}

impl Creating {
    fn access(&self) -> AccessMask {
        match self.create.access {
            AccessMask::MAXIMUM_ALLOWED => AccessMask::FILE_ALL_ACCESS,
            access => access,
        }
    }

    fn overwrites(&self) -> bool {
        let disposition = self.create.disposition;
        disposition == CreateDisposition::SUPERSEDE
            || disposition == CreateDisposition::OVERWRITE
            || disposition == CreateDisposition::OVERWRITE_IF
    }

    /// What it does to an existing file, which share modes and caches are asked about.
    fn needed(&self) -> AccessMask {
        let change = AccessMask::FILE_WRITE_EA | AccessMask::FILE_WRITE_ATTRIBUTES;
        if self.create.disposition == CreateDisposition::SUPERSEDE {
            self.access() | change | AccessMask::DELETE
        } else if self.overwrites() {
            self.access() | change | AccessMask::FILE_WRITE_DATA
        } else {
            self.access()
        }
    }
}

impl Reference {
    pub(super) fn create(&mut self, client: usize, create: &Create) {
        let request = self.request();
        let creating = Creating { request, client, create: *create, waited: false };
        if create.delete_on_close && !creating.access().contains(AccessMask::DELETE) {
            return self.answer(client, request, NtStatus::INVALID_PARAMETER);
        }
        self.want(creating);
    }

    /// The file is to be looked up: what its name alone forbids is found before.
    pub(super) fn want(&mut self, creating: Creating) {
        let Creating { request, client, create, .. } = creating;
        // [MS-SMB2] 3.3.5.9.11: a key belongs to one name.
        if let Some(lease) = self.lease_asked(&creating)
            && !self.leases[&lease].delete_on_close
            && self.lease_name(lease) != create.name
        {
            return self.answer(client, request, NtStatus::INVALID_PARAMETER);
        }
        if self.names.get(create.name).is_some_and(|name| name.doomed) {
            return self.answer(client, request, NtStatus::DELETE_PENDING);
        }
        self.next.push(Todo::LookUp(creating));
    }

    pub(super) fn look_up(&mut self, mut creating: Creating) {
        let Creating { request, client, create, .. } = creating;
        if !self.connected[client] {
            return;
        }
        let found = self.names.get(create.name).copied();
        if found.is_some_and(|name| name.doomed) {
            return self.answer(client, request, NtStatus::DELETE_PENDING);
        }
        let Some(Name { file, .. }) = found else { return self.make(creating) };
        if create.disposition == CreateDisposition::CREATE {
            return self.answer(client, request, NtStatus::OBJECT_NAME_COLLISION);
        }
        if let Some(lease) = self.lease_asked(&creating)
            && self.leases[&lease].file != file
            && !self.leases[&lease].delete_on_close
        {
            return self.answer(client, request, NtStatus::INVALID_PARAMETER);
        }
        let allowed = self.shares(file, creating.needed(), create.share);
        let own = self.asking(&creating, file);
        let gone = self.lost_by(file, own, creating.needed(), creating.overwrites(), allowed);
        if !gone.is_empty() {
            for id in &gone {
                self.close(*id);
            }
            // Not before what is under way on them has come to its end.
            if gone.iter().any(|id| self.opens.contains_key(id)) {
                self.agenda.push_back(Todo::Cleared(creating));
            } else {
                self.next.push(Todo::Cleared(creating));
            }
            return;
        }
        match self.make_way(file, own, creating.needed(), creating.overwrites(), allowed) {
            Ok(()) => {}
            Err(Obstacle::Refuse) => return self.answer(client, request, NtStatus::SHARING_VIOLATION),
            Err(Obstacle::Wait(bits)) => {
                if !std::mem::replace(&mut creating.waited, true) {
                    self.hear(client, Heard::Interim(request));
                }
                self.delays.push(Delay { file, bits, own, what: Delayed::Create(creating) });
                return;
            }
        }
        let what = if creating.overwrites() {
            self.files.insert(file, Vec::new());
            if create.disposition == CreateDisposition::SUPERSEDE {
                CreateAction::SUPERSEDED
            } else {
                CreateAction::OVERWRITTEN
            }
        } else {
            CreateAction::OPENED
        };
        self.enter(&creating, file, what);
    }

    fn make(&mut self, creating: Creating) {
        let Creating { request, client, create, .. } = creating;
        let disposition = create.disposition;
        if disposition == CreateDisposition::OPEN || disposition == CreateDisposition::OVERWRITE {
            return self.answer(client, request, NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        // It had its own name when the file was looked for, and got another one meanwhile.
        if let Some(lease) = self.lease_asked(&creating)
            && !self.leases[&lease].delete_on_close
        {
            return self.answer(client, request, NtStatus::INVALID_PARAMETER);
        }
        self.files_made += 1;
        let file = self.files_made;
        self.files.insert(file, Vec::new());
        self.names.insert(create.name, Name { file, doomed: false });
        self.enter(&creating, file, CreateAction::CREATED);
    }

    /// [MS-FSA] 2.1.5.1.2.2.
    fn shares(&self, file: FileNumber, access: AccessMask, share: ShareAccess) -> bool {
        let read = AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE;
        let write = AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA;
        let kinds = [
            (read, ShareAccess::READ),
            (write, ShareAccess::WRITE),
            (AccessMask::DELETE, ShareAccess::DELETE),
        ];
        let any = read | write | AccessMask::DELETE;
        if !access.intersects(any) {
            return true;
        }
        self.opens.values().filter(|open| open.file == file && open.access.intersects(any)).all(|open| {
            !kinds.iter().any(|(kind, bit)| {
                access.intersects(*kind) && !open.share.contains(*bit)
                    || open.access.intersects(*kind) && !share.contains(*bit)
            })
        })
    }

    /// The file is open: grants what can be granted, and answers.
    fn enter(&mut self, creating: &Creating, file: FileNumber, what: CreateAction) {
        let Creating { request: id, client, create, .. } = *creating;
        let lease = self.join_lease(creating, file);
        let open = Open {
            client: Some(client),
            machine: client,
            file,
            name: create.name,
            access: creating.access(),
            share: create.share,
            delete_on_close: create.delete_on_close,
            lease,
            lasting: Default::default(),
            told: false,
            closing: false,
        };
        self.opens.insert(id, open);
        self.grant(id, create.cache);
        let durable = self.make_last(id, create.durable, create.cache);
        let answer = self.opened(id, what, durable);
        self.hear(client, Heard::Answer(id, Answer::Opened(answer)));
    }

    pub(super) fn opened(&self, id: Request, what: CreateAction, durable: Option<u32>) -> Opened {
        let open = &self.opens[&id];
        let lease = self.lease_told(id);
        Opened {
            open: id,
            action: action(what),
            length: self.files[&open.file].len() as u64,
            level: if lease.is_some() { 0xFF } else { caching::level_of(self.state_of(id)) },
            lease,
            durable,
        }
    }
}
