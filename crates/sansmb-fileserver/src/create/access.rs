//! Who may open what, [MS-FSA] 2.1.5.1.2.1.

use std::sync::Arc;

use bytes::Bytes;
use sansmb::wire::{
    AccessMask, CreateContext, CreateOptions, CreateRequest, FileAttributes, NtStatus, Structure,
    dtyp::{Privileges, SecurityDescriptor, Token},
};

use super::Creating;
use crate::{
    action::JobId,
    server::FileServer,
    storage::{
        Done, Existence, Handle, Job, MAX_DESCRIPTOR, Metadata, Outcome, Rights, Security, SharePath, Want,
    },
    task::Task,
};

/// What the directory may grant where the file itself does not.
const BY_PARENT: AccessMask = AccessMask::DELETE.union(AccessMask::FILE_READ_ATTRIBUTES);
const WRITING: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_APPEND_DATA);

/// What a lookup found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(super) handle: Handle,
    pub(super) metadata: Metadata,
    pub(super) created: bool,
    pub(super) path: SharePath,
    pub(super) security: Security,
}

/// What an open may do.
pub(super) enum Verdict {
    Granted {
        granted: AccessMask,
        /// What the user may do at most.
        maximal: AccessMask,
    },
    Refused(NtStatus),
    /// The directory has to be asked.
    AskParent,
}

/// The descriptor that a CREATE wants for what it makes, checked.
pub(super) fn wanted_descriptor(body: &CreateRequest<'_>, who: &Token) -> Result<Option<Bytes>, NtStatus> {
    let given = body.contexts.iter().find_map(|context| match context {
        CreateContext::SdBuffer(bytes) => Some(bytes),
        _ => None,
    });
    let Some(bytes) = given else { return Ok(None) };
    if bytes.len() > MAX_DESCRIPTOR {
        return Err(NtStatus::INVALID_SECURITY_DESCR);
    }
    let descriptor = SecurityDescriptor::decode(bytes).map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?;
    if descriptor.owner.is_some_and(|owner| !who.may_assign_owner(&owner)) {
        return Err(NtStatus::INVALID_OWNER);
    }
    if descriptor.sacl.is_some() && !who.privileges().contains(Privileges::SECURITY) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(Some(Bytes::copy_from_slice(bytes)))
}

/// What a backup may do, and a restoration, [MS-FSA] 2.1.5.1.
fn by_privilege(who: &Token, options: CreateOptions) -> AccessMask {
    let mut access = AccessMask::empty();
    if !options.contains(CreateOptions::OPEN_FOR_BACKUP_INTENT) {
        return access;
    }
    if who.privileges().contains(Privileges::BACKUP) {
        access |= AccessMask::FILE_GENERIC_READ | AccessMask::FILE_TRAVERSE;
    }
    if who.privileges().contains(Privileges::RESTORE) {
        access |= AccessMask::FILE_GENERIC_WRITE
            | AccessMask::WRITE_DAC
            | AccessMask::WRITE_OWNER
            | AccessMask::DELETE;
    }
    access
}

impl Creating {
    /// What the open may do with what was found, or why it may not have it.
    pub(super) fn judge(&self, found: &Found, parent: Option<&Security>) -> Verdict {
        let wish = &self.wish;
        let Found { metadata, security, .. } = found;
        let maximal = security.granted(&self.who, wish.maximal);
        let in_old_file = self.base.as_ref().is_some_and(|base| !base.created());
        if found.created && !in_old_file {
            let granted = if wish.maximum_allowed { wish.maximal | wish.access } else { wish.access };
            return Verdict::Granted { granted, maximal };
        }
        let judged = self.base.as_ref().map_or(*metadata, |base| base.judged(metadata));
        if !found.created
            && let Err(status) = self.check_attributes(&judged)
        {
            return Verdict::Refused(status);
        }
        let deletes = wish.options.contains(CreateOptions::DELETE_ON_CLOSE);
        let beyond = if found.created { AccessMask::FILE_WRITE_DATA } else { wish.overwrite_access() };
        let mut needed = wish.access | beyond;
        needed.set(AccessMask::DELETE, needed.contains(AccessMask::DELETE) || deletes);
        let mut most = maximal | by_privilege(&self.who, wish.options) & wish.maximal;
        let mut granted = most | security.granted(&self.who, needed);
        // What is asked for beside MAXIMUM_ALLOWED is not optional.
        let unknown = if wish.maximum_allowed { BY_PARENT & wish.maximal } else { needed & BY_PARENT };
        if !granted.contains(unknown) && needed.difference(granted | BY_PARENT).is_empty() {
            match parent {
                Some(parent) => {
                    let also = granted_by_parent(parent, &self.who) & wish.maximal;
                    granted |= also;
                    most |= also;
                }
                None if !found.path.0.is_empty() => return Verdict::AskParent,
                None => {}
            }
        }
        if !granted.contains(needed) {
            return Verdict::Refused(NtStatus::ACCESS_DENIED);
        }
        if judged.attributes.contains(FileAttributes::READONLY) && !judged.is_directory() {
            most.remove(WRITING);
        }
        let granted = if wish.maximum_allowed { most | wish.access } else { wish.access };
        Verdict::Granted { granted, maximal: most }
    }

    /// Whether a new stream may be made in a file that was there before.
    pub(super) fn may_make_stream(&self, file: &Security) -> bool {
        let needed = self.wish.access | AccessMask::FILE_WRITE_DATA;
        let granted = file.granted(&self.who, needed) | by_privilege(&self.who, self.wish.options);
        granted.contains(needed)
    }

    /// What attributes forbid, whoever asks.
    fn check_attributes(&self, metadata: &Metadata) -> Result<(), NtStatus> {
        let wish = &self.wish;
        let attributes = metadata.attributes;
        let readonly = attributes.contains(FileAttributes::READONLY);
        if metadata.is_directory() && wish.overwrites() {
            let root = wish.path.0.is_empty();
            return Err(if root { NtStatus::ACCESS_DENIED } else { NtStatus::OBJECT_NAME_COLLISION });
        }
        if readonly && !metadata.is_directory() && (wish.access.intersects(WRITING) || wish.overwrites()) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if wish.options.contains(CreateOptions::DELETE_ON_CLOSE) && readonly {
            return Err(NtStatus::CANNOT_DELETE);
        }
        if wish.overwrites() {
            let kept = match wish.stream {
                Some(_) => FileAttributes::empty(),
                None => FileAttributes::HIDDEN | FileAttributes::SYSTEM,
            };
            if !(wish.attributes & kept).contains(attributes & kept)
                || !wish.maximal.contains(wish.overwrite_access())
            {
                return Err(NtStatus::ACCESS_DENIED);
            }
        }
        debug_assert!(wish.existence != Existence::MustNotExist);
        Ok(())
    }
}

/// What a directory grants on what is in it.
fn granted_by_parent(parent: &Security, who: &Token) -> AccessMask {
    let of = parent.granted(who, AccessMask::FILE_DELETE_CHILD | AccessMask::FILE_LIST_DIRECTORY);
    let mut access = AccessMask::empty();
    access.set(AccessMask::DELETE, of.contains(AccessMask::FILE_DELETE_CHILD));
    access.set(AccessMask::FILE_READ_ATTRIBUTES, of.contains(AccessMask::FILE_LIST_DIRECTORY));
    access
}

impl FileServer {
    /// Looks at the directory of what was found.
    pub(super) fn ask_parent(&mut self, creating: Box<Creating>, found: Found) {
        let mut path = found.path.clone();
        path.0.pop();
        let share = Arc::clone(&creating.share);
        let job = Job::Open {
            path,
            want: Want::Directory,
            existence: Existence::MustExist,
            rights: Rights::default(),
            attributes: FileAttributes::empty(),
            no_follow: false,
            creator: None,
        };
        self.job(&share, job, Task::Parent(creating, Box::new(found)));
    }

    /// The directory of what was found is known.
    pub(crate) fn create_parent(
        &mut self,
        creating: Box<Creating>,
        found: Found,
        job: JobId,
        outcome: Outcome,
    ) {
        match outcome {
            Ok(Done::Opened { handle, security, .. }) => {
                let share = Arc::clone(&creating.share);
                self.job(&share, Job::Close { handle }, Task::Discard);
                self.create_found(creating, found, job, Some(&security));
            }
            // It is not there any more, or hides: it grants nothing.
            _ => self.create_found(creating, found, job, Some(&Security::nobodys())),
        }
    }
}
