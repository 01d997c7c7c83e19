//! Extended attributes, [MS-FSA] 2.1.5.12.12 and 2.1.5.15.6.

use std::collections::{BTreeMap, BTreeSet};

use sansmb::{
    server::{Reply, Token, op},
    wire::{
        AccessMask, CompletionFilter, NtStatus, QueryInfoFlags, QueryInfoRequest, QueryInfoResponse,
        fscc::{EaEntries, EaEntry, EaFlags, EntryWriter, GetEaEntries, NotifyAction},
    },
};

use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Done, ExtendedAttribute, Job, MAX_EXTENDED_ATTRIBUTES, Outcome},
    task::Step,
};

/// Most bytes of a list of attributes or names: no file holds more than one list of that length.
const MAX_LIST: usize = 2 * MAX_EXTENDED_ATTRIBUTES as usize;

/// A query of extended attributes.
#[derive(Debug)]
pub(crate) struct QueryEas {
    token: Token<op::QueryInfo>,
    what: What,
    single: bool,
    limit: usize,
}

/// Which attributes are asked for.
#[derive(Debug)]
enum What {
    /// These, whether they are there or not.
    Named(Vec<String>),
    /// From this one on, counted from 1.
    From(u32),
    /// Those that come next, or all from the start.
    Next { restart: bool },
}

impl What {
    fn new(body: &QueryInfoRequest<'_>) -> Result<Self, NtStatus> {
        if !body.input.is_empty() {
            return names(body.input).map(Self::Named);
        }
        if body.flags.contains(QueryInfoFlags::INDEX_SPECIFIED) {
            return Ok(Self::From(body.additional_information.bits()));
        }
        Ok(Self::Next { restart: body.flags.contains(QueryInfoFlags::RESTART_SCAN) })
    }
}

impl FileServer {
    pub(crate) fn query_eas(&mut self, id: OpenId, token: Token<op::QueryInfo>, body: &QueryInfoRequest<'_>) {
        let Some(file) = self.file(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let supported = file.share.traits.extended_attributes;
        if let Err(status) = self.demand(id, AccessMask::FILE_READ_EA) {
            return self.fail(token, status);
        }
        let what = match What::new(body) {
            Ok(what) => what,
            Err(status) => return self.fail(token, status),
        };
        if !supported {
            return self.fail(token, NtStatus::NO_EAS_ON_FILE);
        }
        let single = body.flags.contains(QueryInfoFlags::RETURN_SINGLE_ENTRY);
        let query = QueryEas { token, what, single, limit: body.output_buffer_length as usize };
        let job = |file: &crate::opens::FileOpen| Job::ExtendedAttributes { handle: file.handle };
        self.job_on(id, job, Step::QueryEas(Box::new(query)));
    }

    pub(crate) fn query_eas_done(&mut self, id: OpenId, query: QueryEas, outcome: Outcome) {
        let QueryEas { token, what, single, limit } = query;
        let list = match outcome {
            Ok(Done::ExtendedAttributes(list)) => list,
            outcome => return self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR)),
        };
        let result = match what {
            What::Named(names) => {
                let known: BTreeMap<_, _> =
                    list.iter().map(|ea| (ea.name.to_ascii_uppercase(), ea)).collect();
                let wanted: Vec<_> = names.iter().map(|name| find(&known, name)).collect();
                fill(&wanted, single, limit)
            }
            _ if list.is_empty() => Err(NtStatus::NO_EAS_ON_FILE),
            What::From(index) => match (index as usize).checked_sub(1) {
                Some(at) if at < list.len() => fill(list.get(at..).unwrap_or_default(), single, limit),
                Some(at) if at == list.len() => Err(NtStatus::NO_MORE_EAS),
                _ => Err(NtStatus::NONEXISTENT_EA_ENTRY),
            },
            What::Next { restart } => {
                let at = if restart { 0 } else { self.file(id).map_or(0, |file| file.next_ea) };
                let rest = list.get(at..).unwrap_or_default();
                if rest.is_empty() {
                    Err(NtStatus::NO_MORE_EAS)
                } else {
                    let filled = fill(rest, single, limit);
                    if let (Ok(filled), Some(file)) = (&filled, self.file_mut(id)) {
                        file.next_ea = at + filled.entries;
                    }
                    filled
                }
            }
        };
        match result {
            Ok(filled) => {
                let reply = Reply::new(&QueryInfoResponse { buffer: &filled.buffer });
                let status = if filled.more { NtStatus::BUFFER_OVERFLOW } else { NtStatus::SUCCESS };
                self.respond(token, Ok(reply.with_status(status)));
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// What SET_INFO has the storage do.
    pub(crate) fn set_eas(&self, id: OpenId, buffer: &[u8]) -> Result<Job, NtStatus> {
        self.demand(id, AccessMask::FILE_WRITE_EA)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if !file.share.traits.extended_attributes {
            return Err(NtStatus::EAS_NOT_SUPPORTED);
        }
        Ok(Job::SetExtendedAttributes { handle: file.handle, changes: parse(buffer)? })
    }

    pub(crate) fn eas_are_set(&mut self, id: OpenId) {
        self.report(id, NotifyAction::MODIFIED, CompletionFilter::EA | CompletionFilter::ATTRIBUTES);
    }
}

/// Reads a list of attributes, [MS-FSCC] 2.4.16.
pub(crate) fn parse(buffer: &[u8]) -> Result<Vec<ExtendedAttribute>, NtStatus> {
    if buffer.len() > MAX_LIST {
        return Err(NtStatus::EA_TOO_LARGE);
    }
    if buffer.is_empty() {
        return Err(NtStatus::EA_LIST_INCONSISTENT);
    }
    let entry = |entry: EaEntry<'_>| {
        if !EaFlags::NEED_EA.contains(entry.flags) {
            return Err(NtStatus::INVALID_EA_NAME);
        }
        let value = bytes::Bytes::copy_from_slice(entry.value);
        let need = entry.flags.contains(EaFlags::NEED_EA);
        Ok(ExtendedAttribute { name: name(entry.name)?, value, need })
    };
    EaEntries::new(buffer).map(|e| e.map_err(|_| NtStatus::EA_LIST_INCONSISTENT).and_then(entry)).collect()
}

/// Reads a list of names; one that is there twice counts once.
fn names(buffer: &[u8]) -> Result<Vec<String>, NtStatus> {
    if buffer.len() > MAX_LIST {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for entry in GetEaEntries::new(buffer) {
        let name = name(entry.map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?.name)?;
        if seen.insert(name.to_ascii_uppercase()) {
            names.push(name);
        }
    }
    Ok(names)
}

fn name(name: &[u8]) -> Result<String, NtStatus> {
    let forbidden = |b: &u8| !b.is_ascii() || *b < b' ' || b"\\/:*?\"<>|,+=[];".contains(b);
    if name.is_empty() || name.iter().any(forbidden) {
        return Err(NtStatus::INVALID_EA_NAME);
    }
    String::from_utf8(name.to_vec()).map_err(|_| NtStatus::INVALID_EA_NAME)
}

/// An attribute of that name: without a value where there is none.
fn find(known: &BTreeMap<String, &ExtendedAttribute>, name: &str) -> ExtendedAttribute {
    let found = known.get(&name.to_ascii_uppercase()).copied().cloned();
    found.unwrap_or_else(|| ExtendedAttribute {
        name: name.to_owned(),
        value: bytes::Bytes::new(),
        need: false,
    })
}

/// As many attributes as fit.
struct Filled {
    buffer: Vec<u8>,
    entries: usize,
    /// Not all did.
    more: bool,
}

fn fill(list: &[ExtendedAttribute], single: bool, limit: usize) -> Result<Filled, NtStatus> {
    let mut writer = EntryWriter::new(limit);
    let wanted = if single { list.get(..1).unwrap_or(list) } else { list };
    let mut entries = 0;
    for ea in wanted {
        let flags = if ea.need { EaFlags::NEED_EA } else { EaFlags::empty() };
        if !writer.push(&EaEntry { flags, name: ea.name.as_bytes(), value: &ea.value }) {
            break;
        }
        entries += 1;
    }
    if entries == 0 && !wanted.is_empty() {
        return Err(NtStatus::BUFFER_TOO_SMALL);
    }
    Ok(Filled { buffer: writer.finish(), entries, more: entries < wanted.len() })
}
