//! Has the file server do what a sequence says, and tells what its clients hear.
//!
//! The storage's jobs are run so that one request is done with all that it leads to before another
//! goes on: the order in which the reference does it. That any other order is as good is what `storm`
//! and `races` are about.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use sansmb::{conn::MessageBuffer, server::ConnId, wire::*};
use sansmb_fileserver::{
    FileServerConfig, ShareConfig,
    storage::{Done, Existence, Job, Outcome, Rights, SharePath, Storage, Want},
};

use crate::{
    common::{Client, Response, World, caching, memory, requests as short},
    operation::{CLIENTS, Cache, Claim, Create, Durable, Operation, Range},
    reference::{Answer, Heard, Holder, LeaseTold, Opened, Reference, Request},
};

/// The epoch that clients begin their leases with.
pub(crate) const EPOCH: u16 = 0x10;

/// How the answer to a request is read.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Create,
    Read,
    Write,
    Oplock,
    Lease,
    Plain,
}

/// The file server with its clients.
pub(crate) struct Driver {
    world: World,
    storage: Arc<dyn Storage>,
    clients: Vec<Option<Client>>,
    asked: BTreeMap<(ConnId, u64), (Request, Kind)>,
    file_ids: BTreeMap<Request, FileId>,
    /// Opens by what of their FileId stays.
    opens: BTreeMap<u64, Request>,
}

impl Driver {
    pub(crate) fn new() -> Self {
        let storage = memory();
        let share = ShareConfig::new("share", Arc::clone(&storage));
        let mut world = World::with(|config| FileServerConfig { shares: vec![share], ..config });
        world.hold = true;
        let clients = (0..CLIENTS).map(|at| Some(log_on(&mut world, at))).collect();
        Self {
            world,
            storage,
            clients,
            asked: BTreeMap::new(),
            file_ids: BTreeMap::new(),
            opens: BTreeMap::new(),
        }
    }

    /// Does what `operation` says of what there is in `reference`, and gives who hears what.
    pub(crate) fn carry_out(&mut self, operation: &Operation, reference: &Reference) -> Vec<(usize, Heard)> {
        self.ask(operation, reference);
        let world = &mut self.world;
        while !world.held.is_empty() {
            let before = world.held.len();
            world.run_held(0);
            // What came of it stands before everything else.
            let new = world.held.len() + 1 - before;
            world.held.rotate_right(new);
        }
        self.listen()
    }

    pub(crate) fn counters(&self) -> sansmb_fileserver::Counters {
        self.world.files.counters()
    }

    fn ask(&mut self, operation: &Operation, reference: &Reference) {
        let request = reference.next_request();
        match operation {
            Operation::Create(client, create) => self.create(*client, request, create),
            Operation::Drop(client) => {
                if let Some(client) = self.clients[*client].take() {
                    self.world.drop_client(&client);
                }
            }
            Operation::Return(client) => {
                if self.clients[*client].is_none() {
                    self.clients[*client] = Some(log_on(&mut self.world, *client));
                }
            }
            Operation::Reclaim(client, which, claim) => {
                if let Some(open) = reference.pick(*which) {
                    self.reclaim(*client, request, open, *claim, reference);
                }
            }
            Operation::Pass(seconds) => self.world.advance(Duration::from_secs(*seconds)),
            Operation::Cancel(which) => {
                if let Some((client, waiting)) = reference.pick_waiting(*which)
                    && let Some(client) = &mut self.clients[client]
                {
                    let id = self
                        .asked
                        .iter()
                        .find(|((conn, _), (request, _))| *conn == client.conn && *request == waiting);
                    let ((_, id), _) = id.expect("it was asked for");
                    client.send_cancel(&mut self.world, *id);
                }
            }
            Operation::Acknowledge(which, keep) => match reference.pick_holder(*which) {
                Some((client, Holder::Open(open))) => {
                    let oplock_level = reference.level_said(open, *keep);
                    let file_id = self.file_ids[&open];
                    let body = OplockBreak { oplock_level, file_id };
                    self.send(client, request, Kind::Oplock, Command::OPLOCK_BREAK, &body);
                }
                Some((client, Holder::Lease(lease))) => {
                    let lease_key = caching::key(reference.leases[&lease].key);
                    let lease_state = reference.state_said(lease, *keep);
                    let body = LeaseBreak { lease_key, lease_state, ..Default::default() };
                    self.send(client, request, Kind::Lease, Command::OPLOCK_BREAK, &body);
                }
                None => {}
            },
            Operation::Close(which)
            | Operation::Read(which, ..)
            | Operation::Write(which, ..)
            | Operation::SetLength(which, _)
            | Operation::Lock(which, ..)
            | Operation::Unlock(which, _)
            | Operation::Rename(which, ..)
            | Operation::Delete(which, _) => {
                let open = reference.pick(*which);
                if let Some((open, client)) = open.and_then(|open| Some((open, reference.sender(open)?))) {
                    self.on_open(client, request, self.file_ids[&open], operation);
                }
            }
        }
    }

    fn on_open(&mut self, client: usize, request: Request, file_id: FileId, operation: &Operation) {
        match operation {
            Operation::Close(_) => {
                let body = CloseRequest { flags: CloseFlags::empty(), file_id };
                self.send(client, request, Kind::Plain, Command::CLOSE, &body);
            }
            Operation::Read(_, offset, length) => {
                let body = ReadRequest { file_id, offset: *offset, length: *length, ..Default::default() };
                self.send(client, request, Kind::Read, Command::READ, &body);
            }
            Operation::Write(_, offset, length) => {
                let data = vec![b'a' + (request % 26) as u8; *length];
                let body = short::write_request(file_id, *offset, &data);
                self.send(client, request, Kind::Write, Command::WRITE, &body);
            }
            Operation::SetLength(_, end_of_file) => {
                self.set(client, request, file_id, &fscc::FileEndOfFileInfo { end_of_file: *end_of_file });
            }
            Operation::Lock(_, ranges, wait) => {
                let locks: Vec<LockElement> =
                    ranges.iter().map(|range| lock_element(*range, *wait)).collect();
                let body = LockRequest { lock_sequence: 0, file_id, locks: locks.as_slice().into() };
                self.send(client, request, Kind::Plain, Command::LOCK, &body);
            }
            Operation::Unlock(_, ranges) => {
                let locks: Vec<LockElement> =
                    ranges.iter().map(|range| short::unlock(range.offset, range.length)).collect();
                let body = LockRequest { lock_sequence: 0, file_id, locks: locks.as_slice().into() };
                self.send(client, request, Kind::Plain, Command::LOCK, &body);
            }
            Operation::Rename(_, name, replace_if_exists) => {
                let name = Utf16Buf::new(name);
                let info = fscc::FileRenameInfo {
                    replace_if_exists: *replace_if_exists,
                    root_directory: 0,
                    name: name.as_utf16(),
                };
                self.set(client, request, file_id, &info);
            }
            Operation::Delete(_, delete_pending) => {
                self.set(
                    client,
                    request,
                    file_id,
                    &fscc::FileDispositionInfo { delete_pending: *delete_pending },
                );
            }
            _ => unreachable!("not on an open"),
        }
    }

    fn send<'m>(
        &mut self,
        client: usize,
        request: Request,
        kind: Kind,
        command: Command,
        body: &impl Body<'m>,
    ) {
        let Some(client) = &mut self.clients[client] else { return };
        // It may be answered before it is sent, so to speak.
        let id = client.send(&mut self.world, command, body);
        self.asked.insert((client.conn, id), (request, kind));
    }

    fn set<'m, I: fscc::FileInfo<'m>>(&mut self, client: usize, request: Request, file_id: FileId, info: &I) {
        let buffer = info.to_vec();
        let body = SetInfoRequest {
            info_type: InfoType::FILE,
            info_class: I::CLASS.0,
            file_id,
            buffer: &buffer,
            ..Default::default()
        };
        self.send(client, request, Kind::Plain, Command::SET_INFO, &body);
    }

    fn create(&mut self, client: usize, request: Request, create: &Create) {
        let mut contexts = Vec::new();
        let mut oplock = OplockLevel::LEASE;
        match create.cache {
            Cache::Oplock(level) => oplock = level,
            Cache::Lease(key, state) => {
                contexts.push(CreateContext::RequestLeaseV2(caching::lease(key, state)));
            }
        }
        match create.durable {
            Durable::No => {}
            Durable::V1 => contexts.push(CreateContext::DurableHandleRequest { reserved: [0; 16] }),
            Durable::V2(timeout) => contexts.push(CreateContext::DurableHandleRequestV2 {
                timeout,
                flags: DurableFlags::empty(),
                create_guid: create_guid(request),
            }),
        }
        let options =
            if create.delete_on_close { CreateOptions::DELETE_ON_CLOSE } else { CreateOptions::empty() };
        let how = short::Create {
            access: create.access,
            share: create.share,
            disposition: create.disposition,
            options,
            attributes: FileAttributes::empty(),
            oplock,
            contexts: &contexts,
        };
        let name = Utf16Buf::new(create.name);
        let body = short::create_request(&name, how);
        self.send(client, request, Kind::Create, Command::CREATE, &body);
    }

    fn reclaim(
        &mut self,
        client: usize,
        request: Request,
        open: Request,
        claim: Claim,
        reference: &Reference,
    ) {
        let known = &reference.opens[&open];
        let file_id = self.file_ids[&open];
        let create_guid = if claim.right_guid { create_guid(open) } else { Guid([0xEE; 16]) };
        let mut contexts = vec![if claim.v2 {
            CreateContext::DurableHandleReconnectV2 { file_id, create_guid, flags: DurableFlags::empty() }
        } else {
            CreateContext::DurableHandleReconnect(file_id)
        }];
        let key = known.lease.map(|lease| reference.leases[&lease].key);
        let key = if claim.right_lease { key } else { key.is_none().then_some(9) };
        if let Some(key) = key {
            let lease = caching::lease(key, LeaseState::READ_CACHING);
            contexts.push(CreateContext::RequestLeaseV2(lease));
        }
        let oplock = if key.is_some() { OplockLevel::LEASE } else { OplockLevel::BATCH };
        let name = Utf16Buf::new(if claim.right_name { known.name } else { "elsewhere" });
        let body =
            short::create_request(&name, short::Create { oplock, contexts: &contexts, ..short::open() });
        self.send(client, request, Kind::Create, Command::CREATE, &body);
    }

    /// What came for everybody.
    fn listen(&mut self) -> Vec<(usize, Heard)> {
        let mut heard = Vec::new();
        for at in 0..self.clients.len() {
            let Some(mut client) = self.clients[at].take() else { continue };
            while let Some(response) = client.poll(&mut self.world) {
                heard.push((at, self.understand(client.conn, &response)));
            }
            self.clients[at] = Some(client);
        }
        heard
    }

    fn understand(&mut self, conn: ConnId, response: &Response) -> Heard {
        let id = response.header.message_id;
        if id == u64::MAX {
            return match BreakNotification::decode(&response.bytes).expect("a break") {
                BreakNotification::Oplock(told) => {
                    let open = self.opens[&told.file_id.persistent];
                    assert_eq!(self.file_ids[&open], told.file_id, "an old FileId");
                    Heard::OplockBreak { open, to: told.oplock_level.0 }
                }
                BreakNotification::Lease(told) => Heard::LeaseBreak {
                    key: told.lease_key.0[0],
                    from: told.current_lease_state.bits(),
                    to: told.new_lease_state.bits(),
                    acknowledge: told.flags.contains(LeaseBreakFlags::ACK_REQUIRED),
                    epoch: told.new_epoch,
                },
            };
        }
        let (request, kind) = self.asked[&(conn, id)];
        let status = response.status();
        if status == NtStatus::PENDING {
            return Heard::Interim(request);
        }
        let answer = match kind {
            _ if status != NtStatus::SUCCESS => Answer::Status(status.0),
            Kind::Create => Answer::Opened(self.opened(request, response)),
            Kind::Read => Answer::Data(response.body::<ReadResponse<&[u8]>>().data.to_vec()),
            Kind::Write => Answer::Count(response.body::<WriteResponse>().count),
            Kind::Oplock => Answer::Level(response.body::<OplockBreak>().oplock_level.0),
            Kind::Lease => Answer::State(response.body::<LeaseBreak>().lease_state.bits()),
            Kind::Plain => Answer::Status(status.0),
        };
        Heard::Answer(request, answer)
    }

    fn opened(&mut self, request: Request, response: &Response) -> Opened {
        let body: CreateResponse<'_> = response.body();
        let open = *self.opens.entry(body.file_id.persistent).or_insert(request);
        self.file_ids.insert(open, body.file_id);
        let (mut lease, mut durable) = (None, None);
        for context in body.contexts.iter() {
            match context {
                CreateContextReply::ResponseLeaseV2(told) => {
                    lease = Some(LeaseTold {
                        key: told.key.0[0],
                        state: told.state.bits(),
                        breaking: told.flags.contains(LeaseFlags::BREAK_IN_PROGRESS),
                        epoch: told.epoch,
                    });
                }
                CreateContextReply::DurableHandleResponse { .. } => durable = Some(0),
                CreateContextReply::DurableHandleResponseV2 { timeout, .. } => durable = Some(timeout),
                other => panic!("{other:?}"),
            }
        }
        Opened {
            open,
            action: body.create_action.0,
            length: body.end_of_file,
            level: body.oplock_level.0,
            lease,
            durable,
        }
    }

    /// Names and what their files hold, as the storage has it.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let open = |path: Vec<Arc<str>>, want| {
            self.job(Job::Open {
                path: SharePath(path),
                want,
                existence: Existence::MustExist,
                rights: Rights { read: true, write: false },
                attributes: FileAttributes::empty(),
                no_follow: false,
                creator: None,
            })
        };
        let Ok(Done::Opened { handle, .. }) = open(Vec::new(), Want::Directory) else { panic!("no root") };
        let list = Job::List { handle, restart: true, limit: 100, security: false };
        let Ok(Done::Entries { entries, .. }) = self.job(list) else { panic!("no list") };
        let read = |name: &Arc<str>| {
            let Ok(Done::Opened { handle, .. }) = open(vec![Arc::clone(name)], Want::File) else {
                panic!("{name} is no file")
            };
            let into = MessageBuffer::with_capacity(4096);
            let Ok(Done::Read(data)) = self.job(Job::Read { handle, offset: 0, length: 4096, into }) else {
                panic!("{name} cannot be read")
            };
            data.payload().to_vec()
        };
        entries.iter().map(|entry| (entry.name.to_string(), read(&entry.name))).collect()
    }

    fn job(&self, job: Job) -> Outcome {
        let (done, outcome) = mpsc::channel();
        self.storage.submit(job, Box::new(move |outcome| done.send(outcome).expect("somebody waits")));
        outcome.recv().expect("an outcome")
    }
}

fn log_on(world: &mut World, client: usize) -> Client {
    world.client_from(10 + client as u8, Reference::user(client))
}

fn create_guid(request: Request) -> Guid {
    let mut guid = [0xC0; 16];
    guid[..8].copy_from_slice(&(request as u64).to_le_bytes());
    Guid(guid)
}

fn lock_element(range: Range, wait: bool) -> LockElement {
    let element = if range.exclusive {
        short::exclusive(range.offset, range.length)
    } else {
        short::shared(range.offset, range.length)
    };
    if wait { element } else { short::now(element) }
}
