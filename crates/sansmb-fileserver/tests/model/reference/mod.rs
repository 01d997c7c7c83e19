//! What the specification says that a file server answers: [MS-FSA] and [MS-SMB2] with maps, lists and
//! loops over all of them, and nothing that makes it quick. Where the two leave something open, or
//! Windows is known to differ, `docs/file-server.md` says what is expected.
//!
//! One request is carried out after the other. What one leads to (others that waited go on, a name goes
//! away) stands on an agenda and is done before anything else.

mod caching;
mod create;
mod durable;
mod files;
mod locks;

use std::collections::{BTreeMap, VecDeque};

use sansmb::wire::{AccessMask, CreateAction, LeaseState, NtStatus, OplockLevel, ShareAccess};
use sansmb_fileserver::Counters;

pub(crate) use caching::Holder;
use caching::{Grip, Lease};
use create::Creating;
use durable::Lasting;
use locks::{Lock, LockWait};

use crate::operation::{CLIENTS, Operation};

/// Names a request, and the open that a CREATE makes: how many came before it.
pub(crate) type Request = usize;
/// Names a file, in the order in which they are made.
pub(crate) type FileNumber = usize;

/// What a client hears.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heard {
    /// A request takes a while.
    Interim(Request),
    Answer(Request, Answer),
    OplockBreak {
        open: Request,
        to: u8,
    },
    LeaseBreak {
        key: u8,
        from: u32,
        to: u32,
        acknowledge: bool,
        epoch: u16,
    },
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Status(u32),
    Opened(Opened),
    Data(Vec<u8>),
    /// Bytes written.
    Count(u32),
    /// What a holder has after it gave something up: an oplock level, or the state of a lease.
    Level(u8),
    State(u32),
}

/// What CREATE answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Opened {
    pub(crate) open: Request,
    pub(crate) action: u32,
    pub(crate) length: u64,
    pub(crate) level: u8,
    pub(crate) lease: Option<LeaseTold>,
    pub(crate) durable: Option<u32>,
}

/// What CREATE answers about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseTold {
    pub(crate) key: u8,
    pub(crate) state: u32,
    pub(crate) breaking: bool,
    pub(crate) epoch: u16,
}

/// An open.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// Who has it; nobody while it waits for its client.
    pub(crate) client: Option<usize>,
    /// The machine that made it.
    pub(crate) machine: usize,
    pub(crate) file: FileNumber,
    pub(crate) name: &'static str,
    pub(crate) access: AccessMask,
    share: ShareAccess,
    delete_on_close: bool,
    pub(crate) lease: Option<usize>,
    pub(crate) lasting: Lasting,
    /// It was told that level II is gone.
    told: bool,
    /// It is closed as soon as nothing is under way on it.
    closing: bool,
}

#[derive(Debug, Clone, Copy)]
struct Name {
    file: FileNumber,
    /// It goes with its last open.
    doomed: bool,
}

/// Something to be done before anything new comes.
#[derive(Debug)]
enum Todo {
    LookUp(Creating),
    /// Opens are closed that were in the way of this.
    Cleared(Creating),
    /// The last open of a name that is to go is closed.
    Unlink(FileNumber, &'static str),
    Closed(Request, usize),
    Set(Setting),
}

/// A change of a name that waits or is under way.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    request: Request,
    client: usize,
    open: Request,
    to: SetTo,
    /// Its client has heard that it waits.
    waited: bool,
}

#[derive(Debug, Clone, Copy)]
enum SetTo {
    Name { name: &'static str, replace: bool },
    Deleted,
}

/// Something that waits until nobody else has `bits`, or has been told and not answered.
#[derive(Debug)]
struct Delay {
    file: FileNumber,
    bits: LeaseState,
    own: Holder,
    what: Delayed,
}

#[derive(Debug)]
enum Delayed {
    Create(Creating),
    Set(Setting),
}

/// The file server as it should be.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    /// Seconds.
    now: u64,
    requests: Request,
    /// Which clients are connected.
    pub(crate) connected: [bool; CLIENTS],
    files: BTreeMap<FileNumber, Vec<u8>>,
    names: BTreeMap<&'static str, Name>,
    pub(crate) opens: BTreeMap<Request, Open>,
    locks: Vec<Lock>,
    lock_waits: Vec<LockWait>,
    pub(crate) grips: BTreeMap<(FileNumber, Holder), Grip>,
    pub(crate) leases: BTreeMap<usize, Lease>,
    leases_made: usize,
    files_made: usize,
    delays: Vec<Delay>,
    agenda: VecDeque<Todo>,
    /// What the one thing that is being done leads to.
    next: Vec<Todo>,
    heard: Vec<(usize, Heard)>,
    /// Holders that were told something when their client was about to go.
    undelivered: Vec<(FileNumber, Holder)>,
}

impl Reference {
    pub(crate) fn new() -> Self {
        Self { connected: [true; CLIENTS], ..Self::default() }
    }

    /// The number of the request that comes next.
    pub(crate) fn next_request(&self) -> Request {
        self.requests
    }

    /// The open that is meant.
    pub(crate) fn pick(&self, which: usize) -> Option<Request> {
        let count = self.opens.len();
        if count == 0 { None } else { self.opens.keys().nth(which % count).copied() }
    }

    /// A request that waits, and whose it is.
    pub(crate) fn pick_waiting(&self, which: usize) -> Option<(usize, Request)> {
        let mut waiting: Vec<(usize, Request)> =
            self.lock_waits.iter().map(|wait| (wait.client, wait.request)).collect();
        waiting.extend(self.delays.iter().map(|delay| match &delay.what {
            Delayed::Create(creating) => (creating.client, creating.request),
            Delayed::Set(setting) => (setting.client, setting.request),
        }));
        if waiting.is_empty() { None } else { Some(waiting[which % waiting.len()]) }
    }

    /// The user of a machine.
    pub(crate) fn user(machine: usize) -> &'static str {
        if machine == 1 { "bob" } else { "alice" }
    }

    /// Who sends a request on an open. One that waits for its client is tried by the machine that made
    /// it.
    pub(crate) fn sender(&self, open: Request) -> Option<usize> {
        let open = self.opens.get(&open)?;
        let sender = open.client.unwrap_or(open.machine);
        self.connected[sender].then_some(sender)
    }

    /// Carries out one operation; gives who hears what of it. Nothing happens where nobody is there to
    /// do it.
    pub(crate) fn carry_out(&mut self, operation: &Operation) -> Vec<(usize, Heard)> {
        match operation {
            Operation::Create(client, create) if self.connected[*client] => self.create(*client, create),
            Operation::Create(..) => {}
            Operation::Drop(client) => self.drop_client(*client),
            Operation::Return(client) => self.connected[*client] = true,
            Operation::Reclaim(client, which, claim) => {
                if let Some(open) = self.pick(*which).filter(|_| self.connected[*client]) {
                    self.reclaim(*client, open, *claim);
                }
            }
            Operation::Pass(seconds) => self.pass(*seconds),
            Operation::Cancel(which) => {
                if let Some((_, request)) = self.pick_waiting(*which) {
                    self.cancel(request);
                }
            }
            Operation::Acknowledge(which, keep) => self.acknowledge(*which, *keep),
            Operation::Close(which)
            | Operation::Read(which, ..)
            | Operation::Write(which, ..)
            | Operation::SetLength(which, _)
            | Operation::Lock(which, ..)
            | Operation::Unlock(which, _)
            | Operation::Rename(which, ..)
            | Operation::Delete(which, _) => {
                let open = self.pick(*which);
                if let Some((open, client)) = open.and_then(|open| Some((open, self.sender(open)?))) {
                    self.on_open(client, open, operation);
                }
            }
        }
        self.settle();
        std::mem::take(&mut self.heard)
    }

    fn settle(&mut self) {
        loop {
            for todo in std::mem::take(&mut self.next).into_iter().rev() {
                self.agenda.push_front(todo);
            }
            match self.agenda.pop_front() {
                Some(Todo::LookUp(creating)) => self.look_up(creating),
                Some(Todo::Cleared(creating)) => self.want(creating),
                Some(Todo::Unlink(file, name)) => self.unlink(file, name),
                Some(Todo::Closed(request, client)) => self.answer(client, request, NtStatus::SUCCESS),
                Some(Todo::Set(setting)) => self.set(&setting),
                None => break,
            }
        }
    }

    fn request(&mut self) -> Request {
        self.requests += 1;
        self.requests - 1
    }

    fn hear(&mut self, client: usize, what: Heard) {
        if self.connected[client] {
            self.heard.push((client, what));
        }
    }

    fn answer(&mut self, client: usize, request: Request, status: NtStatus) {
        self.hear(client, Heard::Answer(request, Answer::Status(status.0)));
    }

    fn on_open(&mut self, client: usize, id: Request, operation: &Operation) {
        let request = self.request();
        if self.opens[&id].client.is_none() {
            return self.answer(client, request, NtStatus::FILE_CLOSED);
        }
        let result = match operation {
            Operation::Close(_) => {
                self.close(id);
                self.next.push(Todo::Closed(request, client));
                return;
            }
            Operation::Read(_, offset, length) => self.read(id, *offset, *length).map(Answer::Data),
            Operation::Write(_, offset, length) => {
                let data = vec![b'a' + (request % 26) as u8; *length];
                self.write(id, *offset, &data).map(Answer::Count)
            }
            Operation::SetLength(_, length) => self.set_length(id, *length),
            Operation::Lock(_, ranges, wait) => match self.lock(client, request, id, ranges, *wait) {
                Some(result) => result,
                None => return,
            },
            Operation::Unlock(_, ranges) => self.unlock(id, ranges),
            Operation::Rename(_, name, replace) => {
                let to = SetTo::Name { name, replace: *replace };
                return self.begin_set(Setting { request, client, open: id, to, waited: false });
            }
            Operation::Delete(_, true) => {
                let to = SetTo::Deleted;
                return self.begin_set(Setting { request, client, open: id, to, waited: false });
            }
            Operation::Delete(_, false) => self.keep(id),
            _ => unreachable!("not on an open"),
        };
        match result {
            Ok(answer) => self.hear(client, Heard::Answer(request, answer)),
            Err(status) => self.answer(client, request, status),
        }
    }

    fn drop_client(&mut self, client: usize) {
        if !std::mem::replace(&mut self.connected[client], false) {
            return;
        }
        // What it waits for nobody wants any more.
        self.delays.retain(|delay| !matches!(&delay.what, Delayed::Create(c) if c.client == client));
        let own: Vec<Request> =
            self.opens.iter().filter(|(_, open)| open.client == Some(client)).map(|(id, _)| *id).collect();
        for id in own {
            if self.lasts(id) {
                self.end_waits(id);
                self.wait_for_client(id);
            } else {
                self.close(id);
            }
        }
        for (file, holder) in std::mem::take(&mut self.undelivered) {
            self.lose(file, holder);
            self.resume(file);
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.expire_breaks();
        self.scavenge();
    }

    fn cancel(&mut self, request: Request) {
        if let Some(at) = self.lock_waits.iter().position(|wait| wait.request == request) {
            let wait = self.lock_waits.remove(at);
            return self.answer(wait.client, request, NtStatus::CANCELLED);
        }
        let at = self.delays.iter().position(|delay| delay.request() == request).expect("it waits");
        let client = self.delays.remove(at).client();
        self.answer(client, request, NtStatus::CANCELLED);
    }

    /// Ends what waits on an open.
    fn end_waits(&mut self, id: Request) {
        let (ended, rest) = std::mem::take(&mut self.lock_waits).into_iter().partition(|w| w.open == id);
        self.lock_waits = rest;
        let ended: Vec<LockWait> = ended;
        for wait in ended {
            self.answer(wait.client, wait.request, NtStatus::RANGE_NOT_LOCKED);
        }
        let of_open = |delay: &Delay| matches!(&delay.what, Delayed::Set(setting) if setting.open == id);
        let (ended, rest): (Vec<Delay>, _) = std::mem::take(&mut self.delays).into_iter().partition(of_open);
        self.delays = rest;
        for delay in ended {
            self.answer(delay.client(), delay.request(), NtStatus::FILE_CLOSED);
        }
    }

    /// What the server should say that it holds.
    pub(crate) fn counters(&self) -> Counters {
        let creating = self.delays.iter().filter(|delay| matches!(delay.what, Delayed::Create(_))).count();
        let mut open_files: Vec<FileNumber> = self.opens.values().map(|open| open.file).collect();
        open_files.sort_unstable();
        open_files.dedup();
        let held = |file: &FileNumber| self.grips.keys().any(|(of, _)| of == file);
        let used = |file: &FileNumber| self.opens.values().any(|open| open.file == *file && open.counts());
        let cached = open_files.iter().filter(|file| held(file) || used(file)).count();
        Counters {
            sessions: self.connected.iter().filter(|connected| **connected).count(),
            opens: self.opens.len() + creating,
            nodes: open_files.len(),
            locks: self.locks.len(),
            cached,
            leases: self.leases.len(),
            breaks: self.grips.values().filter(|grip| grip.told.is_some()).count(),
            delayed: self.delays.len(),
            waiting: self.delays.len() + self.lock_waits.len(),
            disconnected: self.opens.values().filter(|open| open.client.is_none()).count(),
            outstanding: self.lock_waits.len() + self.delays.len() - creating,
            ..Counters::default()
        }
    }

    /// Names, and what their files hold.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        self.names.iter().map(|(name, of)| ((*name).to_owned(), self.files[&of.file].clone())).collect()
    }
}

impl Delay {
    fn request(&self) -> Request {
        match &self.what {
            Delayed::Create(creating) => creating.request,
            Delayed::Set(setting) => setting.request,
        }
    }

    fn client(&self) -> usize {
        match &self.what {
            Delayed::Create(creating) => creating.client,
            Delayed::Set(setting) => setting.client,
        }
    }
}

impl Open {
    /// Whether it is in the way of others that want the file for themselves: it does more than look at
    /// attributes.
    fn counts(&self) -> bool {
        !caching::looks_only(self.access, AccessMask::READ_CONTROL)
    }
}

/// The level of an oplock that is asked for or told.
fn level(level: OplockLevel) -> u8 {
    level.0
}

fn action(action: CreateAction) -> u32 {
    action.0
}
