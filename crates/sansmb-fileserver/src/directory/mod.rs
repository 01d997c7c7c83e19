//! QUERY_DIRECTORY, [MS-SMB2] 3.3.5.18 and [MS-FSA] 2.1.5.6.3.

mod pattern;

use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};

use pattern::Pattern;
use sansmb::{
    server::{Reply, Request, Token, op},
    wire::{
        AccessMask, FileAttributes, NtStatus, QueryDirectoryFlags, QueryDirectoryResponse, Utf16Buf,
        dtyp::Token as AccessToken,
        fscc::{DirEntry, DirEntryWriter, FileInfoClass},
    },
};

use crate::{
    create::shown_attributes,
    opens::OpenId,
    server::FileServer,
    storage::{Done, Entry, Job, Metadata, Outcome},
    task::Step,
};

/// Entries that one job asks for: as many as an answer may hold, within these bounds. So many are in memory
/// at most for each handle.
const BATCH: RangeInclusive<usize> = 64..=1024;
/// What an entry takes of an answer: mostly more.
const ENTRY: usize = 96;

/// Where the enumeration of one directory handle stands.
#[derive(Debug)]
pub(crate) struct Listing {
    pattern: Pattern,
    /// What comes next before the entries themselves: 0 is `.`, 1 is `..`.
    dots: usize,
    /// The directory itself, for the two.
    own: Option<Metadata>,
    /// Entries that are not given out yet.
    entries: VecDeque<Entry>,
    /// The storage has to start over.
    restart: bool,
    /// The storage has no more.
    end: bool,
    /// Nothing was asked since it started.
    first: bool,
    /// A request is being answered.
    running: bool,
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Query {
    token: Token<op::QueryDirectory>,
    writer: DirEntryWriter,
    class: FileInfoClass,
    single: bool,
    /// Entries that one job asks for.
    batch: usize,
}

/// What filling a response came to.
enum Filled {
    /// It is full, or there is nothing more.
    Done,
    /// Not one entry fits.
    TooSmall,
    /// The storage has to say more first.
    Needs(Job),
}

impl FileServer {
    pub(crate) fn query_directory(&mut self, request: Request<op::QueryDirectory>) {
        let id = match self.lookup(&request.origin, &request.message) {
            Ok(id) => id,
            Err(status) => return self.fail(request.token, status),
        };
        let may_list = self.opens.get(&id).is_some_and(|open| open.may(AccessMask::FILE_LIST_DIRECTORY));
        let limit = self.config.limits.waiting_per_connection;
        let Some(file) = self.file_mut(id).filter(|file| file.directory) else {
            return self.fail(request.token, NtStatus::INVALID_PARAMETER);
        };
        if !may_list {
            return self.fail(request.token, NtStatus::ACCESS_DENIED);
        }
        // One after the other: they share the place where the enumeration stands.
        if file.listing.as_ref().is_some_and(|listing| listing.running) {
            if file.queries.len() >= limit {
                return self.fail(request.token, NtStatus::INSUFFICIENT_RESOURCES);
            }
            file.queries.push_back(request);
            return;
        }
        self.start_query(id, request);
    }

    fn start_query(&mut self, id: OpenId, request: Request<op::QueryDirectory>) {
        let Request { token, message, .. } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let class = body.information_class;
        let limit = body.output_buffer_length as usize;
        let (Some(fixed), Some(writer)) = (class.dir_entry_len(), DirEntryWriter::new(class, limit)) else {
            return self.fail(token, NtStatus::INVALID_INFO_CLASS);
        };
        if limit < fixed {
            return self.fail(token, NtStatus::INFO_LENGTH_MISMATCH);
        }
        let reopen = body.flags.contains(QueryDirectoryFlags::REOPEN);
        let restart = reopen || body.flags.contains(QueryDirectoryFlags::RESTART_SCANS);
        let Some(file) = self.file_mut(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let fresh = file.listing.is_none() || reopen;
        let pattern = if fresh || restart && !body.pattern.is_empty() {
            match Pattern::parse(body.pattern) {
                Ok(pattern) => Some(pattern),
                Err(status) => return self.fail(token, status),
            }
        } else {
            None
        };
        match (&mut file.listing, pattern) {
            (Some(listing), None) if restart => listing.start_over(),
            (Some(_), None) => {}
            (listing, pattern) => *listing = pattern.map(Listing::new),
        }
        if let Some(listing) = &mut file.listing {
            listing.running = true;
        }
        let single = body.flags.contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY);
        let batch = (limit / ENTRY).clamp(*BATCH.start(), *BATCH.end());
        self.continue_query(id, Box::new(Query { token, writer, class, single, batch }));
    }

    /// The storage gave something to a request.
    pub(crate) fn list_step(&mut self, id: OpenId, query: Box<Query>, outcome: Outcome) {
        let outcome = self.shown_in(outcome);
        let Some(listing) = self.file_mut(id).and_then(|file| file.listing.as_mut()) else {
            return self.fail(query.token, NtStatus::FILE_CLOSED);
        };
        match outcome {
            Ok(Done::Metadata(metadata)) => listing.own = Some(metadata),
            Ok(Done::Found(entry)) => {
                listing.entries.push_back(entry);
                listing.end = true;
            }
            Ok(Done::Entries { entries, end }) => {
                // A storage that gives nothing and does not end would never end.
                listing.end = end || entries.is_empty();
                listing.restart = false;
                listing.entries.extend(entries);
            }
            Err(NtStatus::NO_SUCH_FILE | NtStatus::OBJECT_NAME_NOT_FOUND)
                if listing.pattern.exact().is_some() =>
            {
                listing.end = true;
            }
            outcome => {
                let status = outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR);
                self.fail(query.token, status);
                return self.query_over(id);
            }
        }
        self.continue_query(id, query);
    }

    fn continue_query(&mut self, id: OpenId, mut query: Box<Query>) {
        let who = self.sees_only(id);
        let Some(file) = self.file_mut(id) else { return self.fail(query.token, NtStatus::FILE_CLOSED) };
        let handle = file.handle;
        let Some(listing) = &mut file.listing else { return self.fail(query.token, NtStatus::FILE_CLOSED) };
        let filled = listing.fill(&mut query, handle, who.as_deref());
        let first = listing.first;
        match filled {
            Filled::Needs(job) => return self.job_on(id, |_| job, Step::List(query)),
            Filled::TooSmall => self.fail(query.token, NtStatus::BUFFER_OVERFLOW),
            Filled::Done => {
                listing.first = false;
                if query.writer.is_empty() {
                    let status = if first { NtStatus::NO_SUCH_FILE } else { NtStatus::NO_MORE_FILES };
                    self.fail(query.token, status);
                } else {
                    let buffer = query.writer.finish();
                    self.respond(query.token, Ok(Reply::new(&QueryDirectoryResponse { buffer: &buffer })));
                }
            }
        }
        self.query_over(id);
    }

    /// For whom a listing is, where it leaves out what they may not read.
    fn sees_only(&self, id: OpenId) -> Option<Arc<AccessToken>> {
        let open = self.opens.get(&id)?;
        if open.file()?.share.config.access_based_enumeration { self.token_of(open.session) } else { None }
    }

    /// A request is answered: the next one has its turn.
    fn query_over(&mut self, id: OpenId) {
        // Requests that fail at once must not nest: each comes back here.
        loop {
            let Some(file) = self.file_mut(id) else { return };
            if let Some(listing) = &mut file.listing {
                listing.running = false;
            }
            let Some(request) = file.queries.pop_front() else { return };
            self.start_query(id, request);
            let running =
                self.file(id).and_then(|file| file.listing.as_ref()).is_some_and(|listing| listing.running);
            if running {
                return;
            }
        }
    }
}

impl Listing {
    fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            dots: 0,
            own: None,
            entries: VecDeque::new(),
            restart: true,
            end: false,
            first: true,
            running: false,
        }
    }

    fn start_over(&mut self) {
        self.dots = 0;
        self.own = None;
        self.entries.clear();
        self.restart = true;
        self.end = false;
        self.first = true;
    }

    /// Writes entries until the response is full or more have to be fetched. `only` sees no more than
    /// they may read.
    fn fill(
        &mut self,
        query: &mut Query,
        handle: crate::storage::Handle,
        only: Option<&AccessToken>,
    ) -> Filled {
        let security = only.is_some();
        loop {
            if query.single && !query.writer.is_empty() {
                return Filled::Done;
            }
            if let Some(dots) = [".", ".."].get(self.dots) {
                if self.pattern.matches(dots) {
                    let Some(metadata) = self.own else { return Filled::Needs(Job::Stat { handle }) };
                    if !query.push(dots, &metadata) {
                        return query.full();
                    }
                }
                self.dots += 1;
                continue;
            }
            if let Some(entry) = self.entries.front() {
                let shown = self.pattern.matches(&entry.name) && only.is_none_or(|who| may_see(entry, who));
                if shown && !query.push(&entry.name, &entry.metadata) {
                    return query.full();
                }
                self.entries.pop_front();
                continue;
            }
            if self.end {
                return Filled::Done;
            }
            return match self.pattern.exact() {
                Some(name) if matches!(&**name, "." | "..") => Filled::Done,
                Some(name) => Filled::Needs(Job::Find { handle, name: Arc::clone(name), security }),
                None => {
                    let limit = query.batch;
                    Filled::Needs(Job::List { handle, restart: self.restart, limit, security })
                }
            };
        }
    }
}

/// Whether somebody may read an entry.
fn may_see(entry: &Entry, who: &AccessToken) -> bool {
    let read = AccessMask::FILE_GENERIC_READ.difference(AccessMask::SYNCHRONIZE);
    entry.security.as_ref().is_some_and(|security| security.granted(who, read).contains(read))
}

impl Query {
    #[must_use]
    fn push(&mut self, name: &str, metadata: &Metadata) -> bool {
        let name = Utf16Buf::new(name);
        let reparse = metadata.attributes.contains(FileAttributes::REPARSE_POINT);
        let extended = matches!(
            self.class,
            FileInfoClass::ID_EXTD_DIRECTORY
                | FileInfoClass::ID_64_EXTD_DIRECTORY
                | FileInfoClass::ID_64_EXTD_BOTH_DIRECTORY
        );
        self.writer.push(&DirEntry {
            creation_time: metadata.created,
            last_access_time: metadata.accessed,
            last_write_time: metadata.written,
            change_time: metadata.changed,
            end_of_file: metadata.length,
            allocation_size: metadata.allocated,
            attributes: shown_attributes(metadata.attributes),
            ea_size: if reparse && !extended { metadata.reparse_tag } else { metadata.ea_size },
            file_id: metadata.node.file.into(),
            reparse_tag: if extended { metadata.reparse_tag } else { 0 },
            name: name.as_utf16(),
            ..Default::default()
        })
    }

    fn full(&self) -> Filled {
        if self.writer.is_empty() { Filled::TooSmall } else { Filled::Done }
    }
}
