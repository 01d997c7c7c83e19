//! CREATE, [MS-SMB2] 2.2.13 and 2.2.14.

use zerocopy::little_endian::{U16, U32, U64};

use super::header::FileIdFixed;
use super::{
    AccessMask, Body, CreateContextReplies, CreateContexts, DecodeError, FileAttributes, FileId, FileTime,
    HEADER_LEN, Utf16, Writer, span_from,
};

open_enum! {
    /// How much of an oplock is asked for or granted.
    pub struct OplockLevel: u8 {
        /// None
        NONE = 0x00,
        /// Level II: shared reading
        II = 0x01,
        /// Exclusive
        EXCLUSIVE = 0x08,
        /// Batch: exclusive, and closing may be delayed
        BATCH = 0x09,
        /// A lease, which a create context describes (2.1 and later)
        LEASE = 0xFF,
    }
}

open_enum! {
    /// How far the server may act as the user.
    pub struct ImpersonationLevel: u32 {
        /// Anonymous
        ANONYMOUS = 0,
        /// Identification
        IDENTIFICATION = 1,
        /// Impersonation
        IMPERSONATION = 2,
        /// Delegate
        DELEGATE = 3,
    }
}

wire_flags! {
    /// What other opens may do with the file meanwhile.
    pub struct ShareAccess: u32 {
        /// Read it.
        const READ = 0x0000_0001;
        /// Write it.
        const WRITE = 0x0000_0002;
        /// Delete or rename it.
        const DELETE = 0x0000_0004;
    }
}

open_enum! {
    /// What to do when the file exists, and when it does not.
    pub struct CreateDisposition: u32 {
        /// Supersede, or create
        SUPERSEDE = 0,
        /// Open, or fail
        OPEN = 1,
        /// Fail, or create
        CREATE = 2,
        /// Open, or create
        OPEN_IF = 3,
        /// Overwrite, or fail
        OVERWRITE = 4,
        /// Overwrite, or create
        OVERWRITE_IF = 5,
    }
}

wire_flags! {
    /// How to create or open, [MS-SMB2] 2.2.13.
    pub struct CreateOptions: u32 {
        /// It must be a directory.
        const DIRECTORY_FILE = 0x0000_0001;
        /// Writes reach storage before they are answered.
        const WRITE_THROUGH = 0x0000_0002;
        /// Access will be sequential.
        const SEQUENTIAL_ONLY = 0x0000_0004;
        /// Nothing is kept in caches.
        const NO_INTERMEDIATE_BUFFERING = 0x0000_0008;
        /// Ignored.
        const SYNCHRONOUS_IO_ALERT = 0x0000_0010;
        /// Ignored.
        const SYNCHRONOUS_IO_NONALERT = 0x0000_0020;
        /// It must not be a directory.
        const NON_DIRECTORY_FILE = 0x0000_0040;
        /// Ignored.
        const COMPLETE_IF_OPLOCKED = 0x0000_0100;
        /// The client does not understand extended attributes.
        const NO_EA_KNOWLEDGE = 0x0000_0200;
        /// Ignored.
        const OPEN_REMOTE_INSTANCE = 0x0000_0400;
        /// Access will be random.
        const RANDOM_ACCESS = 0x0000_0800;
        /// Delete the file when the last open is closed.
        const DELETE_ON_CLOSE = 0x0000_1000;
        /// Not supported.
        const OPEN_BY_FILE_ID = 0x0000_2000;
        /// Opened for backup or restore.
        const OPEN_FOR_BACKUP_INTENT = 0x0000_4000;
        /// The file must not be compressed.
        const NO_COMPRESSION = 0x0000_8000;
        /// Ignored.
        const OPEN_REQUIRING_OPLOCK = 0x0001_0000;
        /// Ignored.
        const DISALLOW_EXCLUSIVE = 0x0002_0000;
        /// Not supported.
        const RESERVE_OPFILTER = 0x0010_0000;
        /// Open a reparse point itself.
        const OPEN_REPARSE_POINT = 0x0020_0000;
        /// Do not recall the file from remote storage.
        const OPEN_NO_RECALL = 0x0040_0000;
        /// Ignored.
        const OPEN_FOR_FREE_SPACE_QUERY = 0x0080_0000;
    }
}

layout! {
    pub struct CreateRequestFixed [56] {
        structure_size: U16,
        security_flags: u8,
        requested_oplock_level: u8,
        impersonation_level: U32,
        smb_create_flags: U64,
        reserved: U64,
        desired_access: U32,
        file_attributes: U32,
        share_access: U32,
        create_disposition: U32,
        create_options: U32,
        name_offset: U16,
        name_length: U16,
        contexts_offset: U32,
        contexts_length: U32,
    }
}

/// CREATE request, [MS-SMB2] 2.2.13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreateRequest<'m> {
    /// Reserved: zero.
    pub security_flags: u8,
    /// The oplock that is wanted.
    pub requested_oplock_level: OplockLevel,
    /// How far the server may act as the user.
    pub impersonation_level: ImpersonationLevel,
    /// Reserved: zero.
    pub smb_create_flags: u64,
    /// Reserved: any value.
    pub reserved: u64,
    /// What the open is to be allowed.
    pub desired_access: AccessMask,
    /// Attributes for a new file.
    pub file_attributes: FileAttributes,
    /// What other opens may do.
    pub share_access: ShareAccess,
    /// Open or create.
    pub create_disposition: CreateDisposition,
    /// How to open.
    pub create_options: CreateOptions,
    /// The name below the share, without a leading backslash; empty for its root.
    pub name: Utf16<'m>,
    /// Create contexts.
    pub contexts: CreateContexts<'m>,
}

impl<'m> Body<'m> for CreateRequest<'m> {
    const NAME: &'static str = "CREATE request";
    const STRUCTURE_SIZE: u16 = 57;
    type Fixed = CreateRequestFixed;

    fn from_parts(f: &'m CreateRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        const NAME: &str = "CREATE request name";
        let floor = HEADER_LEN + size_of::<CreateRequestFixed>();
        let name_at = f.name_offset.get().into();
        let name = span_from(msg, NAME, floor, name_at, f.name_length.get().into())?;
        let (at, len) = (f.contexts_offset.get() as usize, f.contexts_length.get() as usize);
        Ok(Self {
            security_flags: f.security_flags,
            requested_oplock_level: OplockLevel(f.requested_oplock_level),
            impersonation_level: ImpersonationLevel(f.impersonation_level.get()),
            smb_create_flags: f.smb_create_flags.get(),
            reserved: f.reserved.get(),
            desired_access: AccessMask::from_bits_retain(f.desired_access.get()),
            file_attributes: FileAttributes::from_bits_retain(f.file_attributes.get()),
            share_access: ShareAccess::from_bits_retain(f.share_access.get()),
            create_disposition: CreateDisposition(f.create_disposition.get()),
            create_options: CreateOptions::from_bits_retain(f.create_options.get()),
            name: Utf16::new(name, NAME, name_at)?,
            contexts: CreateContexts::decode(msg, floor, at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let start = w.position();
        let name_at = start + size_of::<CreateRequestFixed>();
        w.put(&CreateRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            security_flags: self.security_flags,
            requested_oplock_level: self.requested_oplock_level.0,
            impersonation_level: U32::new(self.impersonation_level.0),
            smb_create_flags: U64::new(self.smb_create_flags),
            reserved: U64::new(self.reserved),
            desired_access: U32::new(self.desired_access.bits()),
            file_attributes: U32::new(self.file_attributes.bits()),
            share_access: U32::new(self.share_access.bits()),
            create_disposition: U32::new(self.create_disposition.0),
            create_options: U32::new(self.create_options.bits()),
            name_offset: U16::new(name_at as u16),
            name_length: U16::new(self.name.len() as u16),
            contexts_offset: U32::ZERO,
            contexts_length: U32::ZERO,
        });
        w.bytes(self.name.as_bytes());
        match self.contexts.encode(w) {
            Some((offset, length)) => {
                w.patch_u32(start + 48, offset as u32);
                w.patch_u32(start + 52, length as u32);
            }
            // The buffer must have at least one byte.
            None if self.name.is_empty() => w.zeros(1),
            None => {}
        }
    }
}

wire_flags! {
    /// Flags of a CREATE response (3.x).
    pub struct CreateFlags: u8 {
        /// The last part of the path is a reparse point.
        const REPARSEPOINT = 0x01;
    }
}

open_enum! {
    /// What CREATE did.
    pub struct CreateAction: u32 {
        /// Replaced a file by a new one
        SUPERSEDED = 0,
        /// Opened a file
        OPENED = 1,
        /// Made a new file
        CREATED = 2,
        /// Overwrote a file
        OVERWRITTEN = 3,
    }
}

layout! {
    pub struct CreateResponseFixed [88] {
        structure_size: U16,
        oplock_level: u8,
        flags: u8,
        create_action: U32,
        creation_time: U64,
        last_access_time: U64,
        last_write_time: U64,
        change_time: U64,
        allocation_size: U64,
        end_of_file: U64,
        file_attributes: U32,
        reserved2: U32,
        file_id: FileIdFixed,
        contexts_offset: U32,
        contexts_length: U32,
    }
}

/// CREATE response, [MS-SMB2] 2.2.14.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreateResponse<'m> {
    /// The oplock that was granted.
    pub oplock_level: OplockLevel,
    /// Whether it is a reparse point.
    pub flags: CreateFlags,
    /// What was done.
    pub create_action: CreateAction,
    /// When the file was made.
    pub creation_time: FileTime,
    /// When it was last read.
    pub last_access_time: FileTime,
    /// When its data last changed.
    pub last_write_time: FileTime,
    /// When its metadata last changed.
    pub change_time: FileTime,
    /// Bytes allocated.
    pub allocation_size: u64,
    /// Bytes in the file.
    pub end_of_file: u64,
    /// The file's attributes.
    pub file_attributes: FileAttributes,
    /// Reserved; some servers set it.
    pub reserved2: u32,
    /// Names the open.
    pub file_id: FileId,
    /// Answers to create contexts.
    pub contexts: CreateContextReplies<'m>,
}

impl<'m> Body<'m> for CreateResponse<'m> {
    const NAME: &'static str = "CREATE response";
    const STRUCTURE_SIZE: u16 = 89;
    type Fixed = CreateResponseFixed;

    fn from_parts(f: &'m CreateResponseFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let floor = HEADER_LEN + size_of::<CreateResponseFixed>();
        let (at, len) = (f.contexts_offset.get() as usize, f.contexts_length.get() as usize);
        Ok(Self {
            oplock_level: OplockLevel(f.oplock_level),
            flags: CreateFlags::from_bits_retain(f.flags),
            create_action: CreateAction(f.create_action.get()),
            creation_time: FileTime(f.creation_time.get()),
            last_access_time: FileTime(f.last_access_time.get()),
            last_write_time: FileTime(f.last_write_time.get()),
            change_time: FileTime(f.change_time.get()),
            allocation_size: f.allocation_size.get(),
            end_of_file: f.end_of_file.get(),
            file_attributes: FileAttributes::from_bits_retain(f.file_attributes.get()),
            reserved2: f.reserved2.get(),
            file_id: f.file_id.into(),
            contexts: CreateContextReplies::decode(msg, floor, at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let start = w.position();
        w.put(&CreateResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            oplock_level: self.oplock_level.0,
            flags: self.flags.bits(),
            create_action: U32::new(self.create_action.0),
            creation_time: U64::new(self.creation_time.0),
            last_access_time: U64::new(self.last_access_time.0),
            last_write_time: U64::new(self.last_write_time.0),
            change_time: U64::new(self.change_time.0),
            allocation_size: U64::new(self.allocation_size),
            end_of_file: U64::new(self.end_of_file),
            file_attributes: U32::new(self.file_attributes.bits()),
            reserved2: U32::new(self.reserved2),
            file_id: self.file_id.into(),
            contexts_offset: U32::ZERO,
            contexts_length: U32::ZERO,
        });
        if let Some((offset, length)) = self.contexts.encode(w) {
            w.patch_u32(start + 80, offset as u32);
            w.patch_u32(start + 84, length as u32);
        }
    }
}
