//! CREATE, [MS-SMB2] 3.3.5.9 and [MS-FSA] 2.1.5.1.
//!
//! ```text
//! checked --> looked up --+--> refused: handle closed
//!                         +--> entered into the table --> truncated --> changed --> reserved --> answered
//! ```
//!
//! The lookup never truncates. Whoever may not have the file is refused before it is touched, and
//! whoever may is in the table, where others see its share mode, before its data goes.

pub(crate) mod access;
mod answer;
pub(crate) mod checks;
pub(crate) mod path;
mod stopped;
mod streams;
mod undo;

use std::sync::Arc;

use access::{Found, Verdict, wanted_descriptor};
pub(crate) use answer::{describe, shown_attributes};
use bytes::Bytes;
use checks::{SETTABLE, Wish};
use sansmb::{
    server::{Failure, Origin, Request, RequestId, Token, op},
    wire::{
        AccessMask, Capabilities, CompletionFilter, CreateAction, CreateDisposition, CreateOptions,
        FileAttributes, NtStatus, dtyp::Token as AccessToken, fscc::NotifyAction,
    },
};
use streams::Base;
use undo::New;

use crate::{
    action::JobId,
    caching::Obstacle,
    close::CloseReply,
    durable::Asked,
    opens::{FileOpen, Object, Open, OpenId},
    path_key::PathKey,
    quota,
    server::FileServer,
    share_modes::Claim,
    shares::{IPC, Share},
    storage::{
        Changes, Creator, Done, Existence, Handle, Job, Metadata, Outcome, QuotaJob, Rights, Security,
        SharePath, Want,
    },
    task::{Step, Task},
};

/// A lookup that found a file just as it was deleted is tried again so often.
const MAX_TRIES: u8 = 8;

/// A CREATE that is under way.
#[derive(Debug)]
pub(crate) struct Creating {
    pub(crate) id: OpenId,
    token: Token<op::Create>,
    pub(crate) origin: Origin,
    pub(crate) share: Arc<Share>,
    /// Who asks.
    who: Arc<AccessToken>,
    pub(crate) wish: Wish,
    /// The path that it asks for.
    pub(crate) key: PathKey,
    /// The descriptor of what is made.
    descriptor: Option<Bytes>,
    pub(crate) asked: Asked,
    rights: Rights,
    tries: u8,
    pub(crate) action: CreateAction,
    stage: Stage,
    /// The file, while its stream is being opened.
    base: Option<Base>,
    /// What was made, while it may still be refused.
    new: Option<New>,
    /// The file, while its attributes are looked at.
    unknown: Option<Found>,
    /// Its attributes were looked at: nothing in them must be understood.
    known: bool,
    /// Whether its record is kept, once that was tried.
    pub(crate) recorded: Option<bool>,
}

/// How far a file that is in the table has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Truncate,
    /// Streams and extended attributes go with the data.
    Strip,
    Change,
    Attributes,
    Reserve,
    Look,
}

impl Creating {
    /// The open that it is going to be.
    pub(crate) fn id(&self) -> OpenId {
        self.id
    }

    /// The request that asked for it.
    pub(crate) fn request(&self) -> RequestId {
        self.token.id()
    }
}

impl Stage {
    /// What comes next of that which a CREATE needs.
    fn next(self, wish: &Wish, share: &Share) -> Self {
        let on_stream = wish.stream.is_some();
        let (next, needed) = match self {
            Self::Truncate => {
                let traits = &share.traits;
                (Self::Strip, !on_stream && (traits.named_streams || traits.extended_attributes))
            }
            Self::Strip => (Self::Change, !on_stream),
            Self::Change => (Self::Attributes, !on_stream && !wish.contexts.attributes.is_empty()),
            Self::Attributes => (Self::Reserve, wish.contexts.allocation.is_some_and(|size| size > 0)),
            Self::Reserve | Self::Look => return Self::Look,
        };
        if needed { next } else { next.next(wish, share) }
    }
}

impl FileServer {
    pub(crate) fn create(&mut self, request: Request<op::Create>) {
        let Request { token, origin, message } = request;
        if let Err(status) = self.may_create(&origin) {
            return self.fail(token, status);
        }
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        if origin.share == IPC {
            return self.create_pipe(token, origin, &body);
        }
        let Some(share) = self.shares.get(origin.share) else {
            return self.fail(token, NtStatus::NETWORK_NAME_DELETED);
        };
        let asked = match Asked::new(&body, origin.dialect) {
            Ok(asked) => asked,
            Err(status) => return self.fail(token, status),
        };
        if let Some(claimed) = asked.reconnect() {
            return self.reconnect(token, &origin, &share, &body, &asked, claimed);
        }
        let Some(who) = self.token_of(origin.session) else {
            return self.fail(token, NtStatus::USER_SESSION_DELETED);
        };
        let wish = Wish::new(&body, &share, &who);
        let (mut wish, descriptor) = match wish.and_then(|wish| Ok((wish, wanted_descriptor(&body, &who)?))) {
            Ok(both) => both,
            Err(status) => return self.fail(token, status),
        };
        // What clients hear that is written must outlive the server.
        let persistent = origin.capabilities.contains(Capabilities::PERSISTENT_HANDLES);
        if persistent && share.continuously_available {
            wish.options |= CreateOptions::WRITE_THROUGH;
        }
        let key = PathKey::new(share.volume, &wish.path);
        if let Err(status) = self.check_lease_name(&wish, &origin, &key) {
            return self.fail(token, status);
        }
        let before = match self.made_before(&origin, &share, &wish, &asked) {
            Ok(before) => before,
            Err(status) => return self.fail(token, status),
        };
        let id = before.unwrap_or_else(|| self.new_open());
        let rights = wish.rights();
        let mut creating = Box::new(Creating {
            id,
            token,
            origin,
            share,
            who,
            wish,
            key,
            descriptor,
            asked,
            rights,
            tries: 0,
            action: CreateAction::OPENED,
            stage: Stage::Truncate,
            base: None,
            new: None,
            unknown: None,
            known: false,
            recorded: None,
        });
        if before.is_some() {
            self.resume_open(id, &creating.origin);
            creating.stage = Stage::Look;
            return self.create_next(creating);
        }
        self.creating.insert(id, (creating.origin.tree, None));
        if let Some(session) = self.sessions.get_mut(&creating.origin.session) {
            session.used = self.now.mono;
            session.opens.insert(id);
        }
        self.note_create_guid(&creating);
        match self.superseded(&creating) {
            Ok(opens) if opens.is_empty() => self.look_up(creating),
            Ok(opens) => self.clear_away(opens, creating),
            Err(status) => self.refuse(*creating, None, status),
        }
    }

    /// Whether a session may have one more open on a tree.
    pub(crate) fn may_create(&self, origin: &Origin) -> Result<(), NtStatus> {
        let session = self.sessions.get(&origin.session).filter(|s| !s.ending);
        let session = session.ok_or(NtStatus::USER_SESSION_DELETED)?;
        if session.ending_trees.contains(&origin.tree) {
            return Err(NtStatus::NETWORK_NAME_DELETED);
        }
        if !session.identity.as_ref().is_some_and(|who| self.shares.admit(origin.share, who)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let limits = &self.config.limits;
        if session.opens.len() >= limits.opens_per_session
            || self.opens.len() + self.creating.len() >= limits.opens
        {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        Ok(())
    }

    pub(crate) fn look_up(&mut self, creating: Box<Creating>) {
        if self.creating.get(&creating.id).is_none_or(|(_, doomed)| doomed.is_some()) {
            return self.refuse(*creating, None, NtStatus::FILE_CLOSED);
        }
        let wish = &creating.wish;
        // While it waited its lease may have got another file, and this one's name may be free.
        if let Err(status) = self.check_lease_name(wish, &creating.origin, &creating.key) {
            return self.refuse(*creating, None, status);
        }
        if self.nodes.is_beneath_doomed(&creating.key) {
            return self.refuse(*creating, None, NtStatus::DELETE_PENDING);
        }
        let mut attributes = new_attributes(wish);
        let compresses = creating.share.traits.features.compression;
        attributes.set(
            FileAttributes::COMPRESSED,
            compresses && !wish.options.contains(CreateOptions::NO_COMPRESSION),
        );
        let integrity = creating.share.traits.features.integrity;
        if integrity {
            attributes |= wish.attributes & FileAttributes::INTEGRITY_STREAM;
        }
        let mut job = Job::Open {
            path: wish.path.clone(),
            want: wish.want,
            existence: match wish.existence {
                Existence::MustNotExist if wish.stream.is_some() => Existence::Either,
                existence => existence,
            },
            rights: if wish.stream.is_some() { Rights::default() } else { creating.rights },
            attributes,
            no_follow: wish.options.contains(CreateOptions::OPEN_REPARSE_POINT),
            creator: Some(Arc::new(Creator {
                token: Arc::clone(&creating.who),
                wanted: creating.descriptor.clone(),
                replaces: false,
            })),
        };
        if quota::file::is_at(&wish.path) {
            job = Job::Quota(QuotaJob::Open);
        }
        let share = creating.share.clone();
        self.job(&share, job, Task::Open(creating));
    }

    /// The lookup is done.
    pub(crate) fn create_opened(&mut self, mut creating: Box<Creating>, job: JobId, outcome: Outcome) {
        let found = match outcome {
            Ok(Done::Opened { handle, metadata, created, path, security }) => {
                creating.new = created.then(|| New {
                    handle,
                    node: metadata.node,
                    directory: metadata.is_directory(),
                    path: path.clone(),
                    stream: None,
                });
                Found { handle, metadata, created, path, security }
            }
            Ok(Done::OpenedStream { handle, metadata, created, name }) => {
                creating.wish.stream = Some(name);
                // A stream is as open to others as its file.
                let (path, security) = match &creating.base {
                    Some(base) => (base.path.clone(), base.security.clone()),
                    None => (SharePath::default(), Security::nobodys()),
                };
                if created && creating.new.is_none() {
                    let stream = creating.wish.stream.clone();
                    let (node, path) = (metadata.node, path.clone());
                    creating.new = Some(New { handle, node, directory: false, path, stream });
                }
                Found { handle, metadata, created, path, security }
            }
            Ok(Done::ExtendedAttributes(list)) => match creating.unknown.take() {
                Some(found) if list.iter().all(|ea| !ea.need) => found,
                found => {
                    let handle = found.map(|found| found.handle);
                    return self.refuse(*creating, handle, NtStatus::ACCESS_DENIED);
                }
            },
            Ok(Done::Stopped { reparse, unparsed }) => {
                let failure = stopped::failure(&creating.wish.path, &reparse, unparsed);
                return self.refuse(*creating, None, failure);
            }
            Ok(_) => return self.refuse(*creating, None, NtStatus::INTERNAL_ERROR),
            Err(status) => return self.not_opened(creating, status),
        };
        self.create_found(creating, found, job, None);
    }

    /// Something was found or made. Where what it says does not decide who may have it, `parent` is what
    /// its directory says.
    fn create_found(
        &mut self,
        mut creating: Box<Creating>,
        found: Found,
        job: JobId,
        parent: Option<&Security>,
    ) {
        let Found { handle, metadata, created, .. } = found;
        if self.creating.get(&creating.id).is_none_or(|(_, doomed)| doomed.is_some()) {
            return self.refuse(*creating, Some(handle), NtStatus::FILE_CLOSED);
        }
        let deleted = self.was_deleted(metadata.node, job) || self.was_deleted(metadata.node.whole(), job);
        if deleted && creating.tries < MAX_TRIES {
            creating.tries += 1;
            self.give_back(&mut creating, handle);
            return self.look_up(creating);
        }
        let file_key = match found.path == creating.wish.path {
            true => creating.key.clone(),
            false => PathKey::new(creating.share.volume, &found.path),
        };
        let key = match &creating.wish.stream {
            Some(stream) if creating.base.is_some() => file_key.of_stream(stream),
            _ => file_key.clone(),
        };
        if self.nodes.is_doomed(&key) || self.nodes.is_doomed(&file_key) {
            return self.refuse(*creating, Some(handle), NtStatus::DELETE_PENDING);
        }
        let ignorant = creating.wish.options.contains(CreateOptions::NO_EA_KNOWLEDGE);
        if ignorant && !created && !creating.known && creating.share.traits.extended_attributes {
            creating.known = true;
            creating.unknown = Some(found);
            let share = creating.share.clone();
            self.job(&share, Job::ExtendedAttributes { handle }, Task::Open(creating));
            return;
        }
        if let Some(name) = creating.wish.stream.clone().filter(|_| creating.base.is_none()) {
            return self.open_stream(creating, name, found);
        }
        let granted = match creating.judge(&found, parent) {
            Verdict::Granted { granted, maximal } => {
                creating.wish.maximal = maximal;
                granted
            }
            Verdict::Refused(status) => return self.refuse(*creating, Some(handle), status),
            Verdict::AskParent => return self.ask_parent(creating, found),
        };
        let path = found.path;
        // What an overwriting open does to the data counts against the share modes of others, but
        // is not a right that it keeps.
        let needed = if created { granted } else { granted | creating.wish.overwrite_access() };
        let claim = Claim::new(needed, creating.wish.sharing);
        let allowed = self.nodes.allow(metadata.node, claim);
        let (node, overwrites) = (metadata.node, creating.wish.overwrites());
        let own = match self.asking(creating.id, &creating.wish, &creating.origin, node) {
            Ok(own) => own,
            Err(status) => return self.refuse(*creating, Some(handle), status),
        };
        if creating.origin.dialect.is_smb3() && self.is_promised(node) {
            return self.refuse(*creating, Some(handle), NtStatus::FILE_NOT_AVAILABLE);
        }
        let waiting = self.in_the_way(node, own, needed, overwrites, allowed);
        if !waiting.is_empty() {
            self.give_back(&mut creating, handle);
            return self.clear_away(waiting, creating);
        }
        match self.make_way(node, own, needed, overwrites, allowed) {
            Ok(()) => {}
            Err(Obstacle::Refuse(status)) => return self.refuse(*creating, Some(handle), status),
            Err(Obstacle::Wait(bits)) => {
                self.give_back(&mut creating, handle);
                return self.delay_create(creating, node, bits, own);
            }
        }
        creating.new = None;
        self.enter(&creating, handle, &metadata, path, granted, key);
        self.created(creating, &metadata, created);
    }

    /// What was found is looked up again later.
    fn give_back(&mut self, creating: &mut Creating, handle: Handle) {
        creating.known = false;
        creating.new = None;
        self.close_base(creating);
        self.job(&creating.share, Job::Close { handle }, Task::Discard);
    }

    /// Puts the open into the tables.
    fn enter(
        &mut self,
        creating: &Creating,
        handle: Handle,
        metadata: &Metadata,
        path: SharePath,
        granted: AccessMask,
        key: PathKey,
    ) {
        self.creating.remove(&creating.id);
        let wish = &creating.wish;
        let claim = Claim::new(granted, wish.sharing);
        let (volatile, lasting) = (self.new_volatile(), self.lasting(creating));
        let on_stream = creating.base.is_some();
        let file_key = match on_stream.then(|| key.parent()).flatten() {
            None => key.clone(),
            Some(file) => {
                self.nodes.add(metadata.node.whole(), file.clone(), creating.id).stream_modes.add(claim);
                file
            }
        };
        let node = self.nodes.add(metadata.node, key, creating.id);
        node.share_modes.add(claim);
        let (share, delete) = (creating.share.clone(), CreateOptions::DELETE_ON_CLOSE);
        let mut file = FileOpen::new(share, handle, metadata.node, path, file_key, claim);
        file.directory = metadata.is_directory();
        file.stream.clone_from(&wish.stream);
        file.delete_on_close = wish.options.contains(delete);
        file.mode = wish.options
            & (CreateOptions::WRITE_THROUGH
                | CreateOptions::SEQUENTIAL_ONLY
                | CreateOptions::NO_INTERMEDIATE_BUFFERING
                | delete);
        let open = Open {
            session: creating.origin.session,
            tree: creating.origin.tree,
            client_guid: creating.origin.client_guid,
            volatile,
            granted,
            object: Object::File(Box::new(file)),
            busy: 0,
            closing: None,
            lasting,
        };
        self.opens.insert(creating.id, Box::new(open));
        self.enter_caching(creating.id, wish, &creating.origin);
    }

    /// The open is in the tables: does what is left to do, or answers.
    fn created(&mut self, mut creating: Box<Creating>, metadata: &Metadata, created: bool) {
        if metadata.is_directory() {
            creating.wish.contexts.allocation = None;
        }
        let base = self.close_base(&mut creating);
        let wish = &creating.wish;
        if created {
            creating.action = CreateAction::CREATED;
            let kind = if metadata.is_directory() {
                CompletionFilter::DIR_NAME
            } else {
                CompletionFilter::FILE_NAME
            };
            match base {
                Some(base) => self.report_new_stream(creating.id, base.created()),
                None => self.report(creating.id, NotifyAction::ADDED, kind),
            }
            self.break_own_parent(creating.id);
            creating.stage = Stage::Change.next(&creating.wish, &creating.share);
            if creating.stage != Stage::Look {
                return self.create_next(creating);
            }
        } else if wish.overwrites() {
            creating.action = if wish.disposition == CreateDisposition::SUPERSEDE {
                CreateAction::SUPERSEDED
            } else {
                CreateAction::OVERWRITTEN
            };
            creating.stage = Stage::Truncate;
            return self.create_next(creating);
        }
        self.answer_create(creating, metadata);
    }

    /// Emits the job of the current stage.
    fn create_next(&mut self, creating: Box<Creating>) {
        let id = creating.id;
        let stage = creating.stage;
        let mut changes = Changes::default();
        if stage == Stage::Change {
            changes.attributes = Some(new_attributes(&creating.wish) | FileAttributes::ARCHIVE);
        }
        let allocation = creating.wish.contexts.allocation.unwrap_or(0);
        let attributes = creating.wish.contexts.attributes.clone();
        self.job_on(
            id,
            |file| {
                let handle = file.handle;
                match stage {
                    Stage::Truncate => Job::SetLength { handle, length: 0 },
                    Stage::Strip => Job::Strip { handle },
                    Stage::Change => Job::Change { handle, changes },
                    Stage::Attributes => Job::SetExtendedAttributes { handle, changes: attributes },
                    Stage::Reserve => Job::Allocate { handle, length: allocation },
                    Stage::Look => Job::Stat { handle },
                }
            },
            Step::Create(creating),
        );
    }

    /// A job on a file that is in the tables is done.
    pub(crate) fn create_step(&mut self, mut creating: Box<Creating>, outcome: Outcome) {
        let id = creating.id;
        if self.opens.get(&id).is_none_or(|open| open.closing.is_some()) {
            return self.fail(creating.token, NtStatus::FILE_CLOSED);
        }
        creating.stage = match (creating.stage, outcome) {
            (Stage::Look, Ok(Done::Metadata(metadata))) => return self.answer_create(creating, &metadata),
            // Reserving is a hint, and not every storage can.
            (Stage::Reserve, Ok(_) | Err(NtStatus::NOT_SUPPORTED)) => Stage::Look,
            (Stage::Truncate, Ok(_)) if creating.wish.stream.is_some() => {
                let kind = CompletionFilter::SIZE | CompletionFilter::LAST_WRITE;
                self.report(id, NotifyAction::MODIFIED, kind);
                creating.stage.next(&creating.wish, &creating.share)
            }
            (Stage::Change, Ok(_)) => {
                if let Some(node) = self.file(id).map(|file| file.node) {
                    self.show_times(node);
                }
                self.report(
                    id,
                    NotifyAction::MODIFIED,
                    CompletionFilter::SIZE | CompletionFilter::LAST_WRITE | CompletionFilter::ATTRIBUTES,
                );
                creating.stage.next(&creating.wish, &creating.share)
            }
            (Stage::Truncate | Stage::Strip | Stage::Attributes, Ok(_)) => {
                creating.stage.next(&creating.wish, &creating.share)
            }
            (_, outcome) => {
                let status = outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR);
                // A file whose attributes cannot be kept, or for which there is no room, is not made.
                if creating.action == CreateAction::CREATED {
                    self.unmake(id);
                }
                self.fail(creating.token, status);
                return self.begin_close(id, CloseReply::Nobody);
            }
        };
        self.create_next(creating);
    }

    /// The lookup failed.
    fn not_opened(&mut self, mut creating: Box<Creating>, status: NtStatus) {
        let wish = &creating.wish;
        let missing = status == NtStatus::OBJECT_NAME_NOT_FOUND;
        let refused = matches!(status, NtStatus::ACCESS_DENIED | NtStatus::MEDIA_WRITE_PROTECTED);
        // Whoever asks for as much as possible takes less.
        if refused && wish.maximum_allowed && !wish.overwrites() && creating.tries < MAX_TRIES {
            let needed = Wish { maximum_allowed: false, ..wish.clone() }.rights();
            if creating.rights.write && !needed.write {
                creating.rights.write = false;
                creating.wish.maximal.remove(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA);
            } else if creating.rights.read && !needed.read {
                creating.rights.read = false;
                creating.wish.maximal.remove(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE);
            } else {
                return self.refuse(*creating, None, status);
            }
            creating.tries += 1;
            creating.new = None;
            self.close_base(&mut creating);
            return self.look_up(creating);
        }
        let status = match status {
            NtStatus::NOT_A_DIRECTORY => wish.when_file,
            _ if missing => wish.when_missing.unwrap_or(status),
            _ => status,
        };
        self.refuse(*creating, None, status);
    }

    /// A CREATE ends before it is in the tables.
    pub(crate) fn refuse(
        &mut self,
        mut creating: Creating,
        handle: Option<Handle>,
        failure: impl Into<Failure>,
    ) {
        self.forget_create_guid(&creating);
        let new = creating.new.take();
        let base = creating.base.take().map(|base| base.handle());
        let unknown = creating.unknown.take().map(|found| found.handle);
        let needed = new.as_ref().map(|new| new.handle);
        for handle in handle.into_iter().chain(base).chain(unknown).filter(|handle| Some(*handle) != needed) {
            self.job(&creating.share, Job::Close { handle }, Task::Discard);
        }
        if let Some(session) = self.sessions.get_mut(&creating.origin.session) {
            session.opens.remove(&creating.id);
        }
        let doomed = self.creating.remove(&creating.id).and_then(|(_, doomed)| doomed);
        if let Some(new) = new {
            return self.undo(creating, new, failure.into(), doomed);
        }
        self.respond(creating.token, Err(failure.into()));
        if let Some(group) = doomed {
            self.leave_group(group);
        }
    }
}

/// Attributes of a new (or overwritten) file.
fn new_attributes(wish: &Wish) -> FileAttributes {
    let asked = wish.attributes & SETTABLE;
    match wish.want {
        Want::Directory => asked.difference(FileAttributes::ARCHIVE),
        Want::Any | Want::File => asked | FileAttributes::ARCHIVE,
    }
}
