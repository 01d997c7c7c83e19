//! What a CREATE asks for, checked before anything is looked up.

use std::sync::Arc;

use sansmb::wire::{
    AccessMask, CreateContext, CreateDisposition, CreateOptions, CreateRequest, FileAttributes, FileTime,
    NtStatus, OplockLevel, ShareAccess,
    dtyp::{Privileges, Token},
};

use super::path::{Name, Stream};
use crate::{
    caching::LeaseWish,
    info::eas,
    quota,
    shares::Share,
    storage::{Existence, ExtendedAttribute, Rights, SharePath, Want},
};

/// Bits that no access mask has, [MS-FSA] 2.1.5.1.
const INVALID_ACCESS: u32 = 0x0CE0_FE00;
/// Bits that no set of create options has.
const INVALID_OPTIONS: u32 = 0xFF00_0000;
/// Attributes that CREATE may name: all but the volume and device bits and what is beyond.
const VALID_ATTRIBUTES: u32 = 0x00FF_FFB7;
/// Attributes that an application can set.
pub(crate) const SETTABLE: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM)
    .union(FileAttributes::ARCHIVE)
    .union(FileAttributes::TEMPORARY)
    .union(FileAttributes::OFFLINE)
    .union(FileAttributes::NOT_CONTENT_INDEXED);

const NOT_SUPPORTED: CreateOptions =
    CreateOptions::OPEN_BY_FILE_ID.union(CreateOptions::RESERVE_OPFILTER).union(CREATE_TREE_CONNECTION);
/// FILE_CREATE_TREE_CONNECTION, which means nothing to a server.
const CREATE_TREE_CONNECTION: CreateOptions = CreateOptions::from_bits_retain(0x80);
/// What CREATE does not look at, [MS-SMB2] 3.3.5.9.
const IGNORED: CreateOptions = CreateOptions::COMPLETE_IF_OPLOCKED
    .union(CreateOptions::SYNCHRONOUS_IO_ALERT)
    .union(CreateOptions::SYNCHRONOUS_IO_NONALERT)
    .union(CreateOptions::OPEN_FOR_FREE_SPACE_QUERY);
const FOR_DIRECTORIES: CreateOptions = CreateOptions::DIRECTORY_FILE
    .union(CreateOptions::WRITE_THROUGH)
    .union(CreateOptions::OPEN_REMOTE_INSTANCE)
    .union(CreateOptions::OPEN_FOR_BACKUP_INTENT)
    .union(CreateOptions::DELETE_ON_CLOSE)
    .union(CreateOptions::NO_COMPRESSION)
    .union(CreateOptions::OPEN_REPARSE_POINT)
    .union(CreateOptions::OPEN_REQUIRING_OPLOCK)
    .union(CreateOptions::NO_EA_KNOWLEDGE)
    .union(CreateOptions::OPEN_NO_RECALL);

/// What a CREATE wants, once it is known to make sense.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) path: SharePath,
    /// The named stream; existence, rights and overwriting then concern the stream, and the kind its
    /// file.
    pub(crate) stream: Option<Arc<str>>,
    pub(crate) want: Want,
    pub(crate) existence: Existence,
    /// What a missing name means where it cannot be made.
    pub(crate) when_missing: Option<NtStatus>,
    /// What a file in place of a directory means.
    pub(crate) when_file: NtStatus,
    pub(crate) disposition: CreateDisposition,
    pub(crate) options: CreateOptions,
    /// Without generic bits and MAXIMUM_ALLOWED.
    pub(crate) access: AccessMask,
    pub(crate) maximum_allowed: bool,
    /// What the share allows at most.
    pub(crate) maximal: AccessMask,
    pub(crate) sharing: ShareAccess,
    pub(crate) attributes: FileAttributes,
    /// What the client wants to cache.
    pub(crate) oplock: OplockLevel,
    pub(crate) contexts: Contexts,
}

/// Create contexts that are answered or obeyed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contexts {
    pub(crate) maximal_access: Option<Option<FileTime>>,
    pub(crate) on_disk_id: bool,
    pub(crate) allocation: Option<u64>,
    pub(crate) lease: Option<LeaseWish>,
    /// Extended attributes of what is made.
    pub(crate) attributes: Vec<ExtendedAttribute>,
}

impl Wish {
    /// Checks a request for a file on `share`.
    pub(crate) fn new(body: &CreateRequest<'_>, share: &Share, who: &Token) -> Result<Self, NtStatus> {
        let contexts = Contexts::new(body, share)?;
        let name = Name::parse(body.name)?;
        if quota::file::is_at(&name.path) {
            quota::file::check(body, share)?;
        }
        let options = check_options(body)?;
        if !contexts.attributes.is_empty() && options.contains(CreateOptions::NO_EA_KNOWLEDGE) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let stream = match &name.stream {
            // A file system without streams knows no colons at all.
            stream if *stream != Stream::Unsaid && !share.named_streams() => {
                return Err(NtStatus::OBJECT_NAME_INVALID);
            }
            Stream::Named(stream) => Some(Arc::clone(stream)),
            _ => None,
        };
        let mut maximal = share.maximal_access();
        if who.privileges().contains(Privileges::SECURITY) {
            maximal |= AccessMask::ACCESS_SYSTEM_SECURITY;
        }
        let (access, maximum_allowed) = check_access(body, options, maximal)?;
        let attributes = body.file_attributes;
        if attributes.bits() & !VALID_ATTRIBUTES != 0 {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if options.contains(CreateOptions::DELETE_ON_CLOSE) {
            if !access.contains(AccessMask::DELETE) && !maximum_allowed {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            if !maximal.contains(AccessMask::DELETE) {
                return Err(NtStatus::ACCESS_DENIED);
            }
        }
        let want = want(options, &name)?;
        let makes_directory = options.contains(CreateOptions::DIRECTORY_FILE) || name.stream == Stream::Index;
        let writable = maximal.contains(AccessMask::FILE_WRITE_DATA);
        let mut wish = Self {
            existence: match body.create_disposition {
                CreateDisposition::OPEN | CreateDisposition::OVERWRITE => Existence::MustExist,
                CreateDisposition::CREATE => Existence::MustNotExist,
                _ => Existence::Either,
            },
            when_missing: None,
            when_file: if name.trailing_separator {
                NtStatus::OBJECT_NAME_INVALID
            } else {
                NtStatus::NOT_A_DIRECTORY
            },
            path: name.path,
            stream,
            want,
            disposition: body.create_disposition,
            options,
            access,
            maximum_allowed,
            maximal,
            sharing: body.share_access,
            attributes,
            oplock: body.requested_oplock_level,
            contexts,
        };
        let makes = wish.existence != Existence::MustExist;
        if makes && makes_directory && attributes.contains(FileAttributes::TEMPORARY) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if makes
            && attributes.contains(FileAttributes::READONLY)
            && options.contains(CreateOptions::DELETE_ON_CLOSE)
        {
            return Err(NtStatus::CANNOT_DELETE);
        }
        // What cannot be made must be there already.
        let cannot_make = if !writable {
            Some(NtStatus::ACCESS_DENIED)
        } else if name.trailing_separator && !makes_directory {
            Some(NtStatus::OBJECT_NAME_INVALID)
        } else {
            None
        };
        if let (true, Some(status)) = (makes, cannot_make) {
            if wish.existence == Existence::MustNotExist {
                return Err(status);
            }
            wish.existence = Existence::MustExist;
            wish.when_missing = Some(status);
        }
        Ok(wish)
    }

    /// Whether an existing file is to lose its data.
    pub(crate) fn overwrites(&self) -> bool {
        matches!(
            self.disposition,
            CreateDisposition::SUPERSEDE | CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF
        )
    }

    /// What overwriting needs beyond what was asked for, [MS-FSA] 2.1.5.1.2.
    pub(crate) fn overwrite_access(&self) -> AccessMask {
        let change = match self.stream {
            Some(_) => AccessMask::empty(),
            None => AccessMask::FILE_WRITE_EA | AccessMask::FILE_WRITE_ATTRIBUTES,
        };
        match self.disposition {
            CreateDisposition::SUPERSEDE => change | AccessMask::DELETE,
            CreateDisposition::OVERWRITE | CreateDisposition::OVERWRITE_IF => {
                change | AccessMask::FILE_WRITE_DATA
            }
            _ => AccessMask::empty(),
        }
    }

    /// What was asked for.
    pub(crate) fn desired(&self) -> AccessMask {
        if self.maximum_allowed { self.access | AccessMask::MAXIMUM_ALLOWED } else { self.access }
    }

    /// What the storage's handle has to be good for.
    pub(crate) fn rights(&self) -> Rights {
        let granted = if self.maximum_allowed { self.maximal | self.access } else { self.access };
        let rights = rights_for(granted);
        Rights { write: rights.write || self.overwrites(), ..rights }
    }
}

/// What the storage's handle has to be good for when this was granted.
pub(crate) fn rights_for(granted: AccessMask) -> Rights {
    Rights {
        read: granted.intersects(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE),
        write: granted.intersects(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA),
    }
}

impl Contexts {
    fn new(body: &CreateRequest<'_>, share: &Share) -> Result<Self, NtStatus> {
        let mut contexts = Self::default();
        for context in body.contexts.iter() {
            match context {
                CreateContext::QueryMaximalAccess(since) => contexts.maximal_access = Some(since),
                CreateContext::QueryOnDiskId => contexts.on_disk_id = true,
                CreateContext::AllocationSize(size) => contexts.allocation = Some(size),
                CreateContext::RequestLease(lease) => contexts.lease = Some(lease.into()),
                CreateContext::RequestLeaseV2(lease) => contexts.lease = Some(lease.into()),
                CreateContext::EaBuffer(eas) if !eas.is_empty() => {
                    if !share.traits.extended_attributes {
                        return Err(NtStatus::EAS_NOT_SUPPORTED);
                    }
                    contexts.attributes = eas::parse(eas)?;
                }
                // There are no earlier versions.
                CreateContext::TimewarpToken(time) if time.0 != 0 => {
                    return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
                }
                _ => {}
            }
        }
        Ok(contexts)
    }
}

fn check_options(body: &CreateRequest<'_>) -> Result<CreateOptions, NtStatus> {
    if body.impersonation_level.0 > 3 {
        return Err(NtStatus::BAD_IMPERSONATION_LEVEL);
    }
    if body.create_disposition > CreateDisposition::OVERWRITE_IF
        || body.share_access.bits() & !7 != 0
        || body.create_options.bits() & INVALID_OPTIONS != 0
    {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let options = body.create_options.difference(IGNORED);
    if options.intersects(NOT_SUPPORTED) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    if options.contains(CreateOptions::DIRECTORY_FILE) {
        let makes_sense = matches!(
            body.create_disposition,
            CreateDisposition::CREATE | CreateDisposition::OPEN | CreateDisposition::OPEN_IF
        );
        if !makes_sense || !FOR_DIRECTORIES.contains(options) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
    }
    Ok(options)
}

fn check_access(
    body: &CreateRequest<'_>,
    options: CreateOptions,
    maximal: AccessMask,
) -> Result<(AccessMask, bool), NtStatus> {
    let desired = body.desired_access;
    if desired.is_empty() || desired.bits() & INVALID_ACCESS != 0 {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let maximum_allowed = desired.contains(AccessMask::MAXIMUM_ALLOWED);
    let mut access = desired.difference(AccessMask::MAXIMUM_ALLOWED).expand_generic();
    if options.contains(CreateOptions::NO_INTERMEDIATE_BUFFERING) {
        access.remove(AccessMask::FILE_APPEND_DATA);
    }
    if !(maximal | AccessMask::SYNCHRONIZE).contains(access) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok((access, maximum_allowed))
}

fn want(options: CreateOptions, name: &Name) -> Result<Want, NtStatus> {
    let non_directory = options.contains(CreateOptions::NON_DIRECTORY_FILE);
    if name.trailing_separator && non_directory {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    match name.stream {
        Stream::Data | Stream::Named(_) if options.contains(CreateOptions::DIRECTORY_FILE) => {
            Err(NtStatus::NOT_A_DIRECTORY)
        }
        Stream::Index if non_directory => Err(NtStatus::FILE_IS_A_DIRECTORY),
        Stream::Data => Ok(Want::File),
        Stream::Named(_) => Ok(Want::Any),
        Stream::Index => Ok(Want::Directory),
        Stream::Unsaid if options.contains(CreateOptions::DIRECTORY_FILE) || name.trailing_separator => {
            Ok(Want::Directory)
        }
        Stream::Unsaid if non_directory => Ok(Want::File),
        Stream::Unsaid => Ok(Want::Any),
    }
}
