//! Reparse points, [MS-FSCC] 2.1.2: GET_REPARSE_POINT, SET_REPARSE_POINT, DELETE_REPARSE_POINT.

use zerocopy::little_endian::{U16, U32, U64};

use super::super::{DecodeError, Guid, Structure, SymlinkFlags, Utf16, Writer, fixed_at, span};

open_enum! {
    /// Kinds of reparse points, [MS-FSCC] 2.1.2.1.
    pub struct ReparseTag: u32 {
        /// Reserved
        RESERVED_ZERO = 0x0000_0000,
        /// Mount point or junction
        MOUNT_POINT = 0xA000_0003,
        /// Hierarchical storage
        HSM = 0xC000_0004,
        /// Single-instance storage
        SIS = 0x8000_0007,
        /// Distributed File System
        DFS = 0x8000_000A,
        /// Symbolic link
        SYMLINK = 0xA000_000C,
        /// Distributed File System Replication
        DFSR = 0x8000_0012,
        /// Data deduplication
        DEDUP = 0x8000_0013,
        /// Special file of an NFS client
        NFS = 0x8000_0014,
        /// Cloud files
        CLOUD = 0x9000_001A,
        /// Application execution link
        APPEXECLINK = 0x8000_001B,
        /// Symbolic link of the Windows Subsystem for Linux
        LX_SYMLINK = 0xA000_001D,
        /// Socket
        AF_UNIX = 0x8000_0023,
        /// FIFO of the Windows Subsystem for Linux
        LX_FIFO = 0x8000_0024,
        /// Character device of the Windows Subsystem for Linux
        LX_CHR = 0x8000_0025,
        /// Block device of the Windows Subsystem for Linux
        LX_BLK = 0x8000_0026,
    }
}

impl ReparseTag {
    /// Whether Microsoft owns the tag; the others carry a GUID.
    pub fn is_microsoft(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }

    /// Whether the file stands for another name: a link or a mount point.
    pub fn is_name_surrogate(self) -> bool {
        self.0 & 0x2000_0000 != 0
    }
}

open_enum! {
    /// Kinds of special files of NFS clients, [MS-FSCC] 2.1.2.6.
    pub struct NfsFileType: u64 {
        /// Symbolic link; the data is its target in UTF-16
        LNK = 0x014B_4E4C,
        /// Character device; the data is two numbers of 32 bits
        CHR = 0x0052_4843,
        /// Block device; the data is two numbers of 32 bits
        BLK = 0x004B_4C42,
        /// FIFO
        FIFO = 0x4F46_4946,
        /// Socket
        SOCK = 0x4B43_4F53,
    }
}

layout! {
    struct HeadFixed [8] { tag: U32, data_length: U16, reserved: U16 }
}

layout! {
    struct NamesFixed [8] {
        substitute_name_offset: U16,
        substitute_name_length: U16,
        print_name_offset: U16,
        print_name_length: U16,
    }
}

/// REPARSE_DATA_BUFFER or REPARSE_GUID_DATA_BUFFER: what a reparse point says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReparseData<'m> {
    /// Symbolic link, [MS-FSCC] 2.1.2.4.
    Symlink {
        /// The target.
        substitute_name: Utf16<'m>,
        /// The target as a user should see it.
        print_name: Utf16<'m>,
        /// Whether the target is relative.
        flags: SymlinkFlags,
    },
    /// Mount point or junction, [MS-FSCC] 2.1.2.5.
    MountPoint {
        /// The target.
        substitute_name: Utf16<'m>,
        /// The target as a user should see it.
        print_name: Utf16<'m>,
    },
    /// Special file of an NFS client, [MS-FSCC] 2.1.2.6.
    Nfs {
        /// What it is.
        file_type: NfsFileType,
        /// What belongs to it: a target, two numbers, or nothing.
        data: &'m [u8],
    },
    /// Symbolic link of the Windows Subsystem for Linux, [MS-FSCC] 2.1.2.7.
    LxSymlink {
        /// The target, mostly UTF-8.
        target: &'m [u8],
    },
    /// Another kind that Microsoft owns, [MS-FSCC] 2.1.2.2.
    Raw {
        /// The kind.
        tag: ReparseTag,
        /// Its data.
        data: &'m [u8],
    },
    /// A kind that somebody else owns, [MS-FSCC] 2.1.2.3.
    Guid {
        /// The kind.
        tag: ReparseTag,
        /// Who owns it.
        guid: Guid,
        /// Its data.
        data: &'m [u8],
    },
}

impl<'m> ReparseData<'m> {
    /// Most bytes that a reparse point may have, header included.
    pub const MAX_LEN: usize = 16 * 1024;
    const LX_SYMLINK_VERSION: u32 = 2;

    /// The kind.
    pub fn tag(&self) -> ReparseTag {
        match self {
            Self::Symlink { .. } => ReparseTag::SYMLINK,
            Self::MountPoint { .. } => ReparseTag::MOUNT_POINT,
            Self::Nfs { .. } => ReparseTag::NFS,
            Self::LxSymlink { .. } => ReparseTag::LX_SYMLINK,
            Self::Raw { tag, .. } | Self::Guid { tag, .. } => *tag,
        }
    }
}

/// The two names, whose offsets count from `paths_at` in `data`.
fn names(data: &[u8], paths_at: usize) -> Result<(Utf16<'_>, Utf16<'_>), DecodeError> {
    const WHAT: &str = "reparse data name";
    let f: &NamesFixed = fixed_at(data, 0, WHAT)?;
    let paths = data.get(paths_at..).ok_or(DecodeError::truncated(WHAT, paths_at))?;
    let name = |offset: U16, length: U16| {
        let at = offset.get().into();
        Utf16::new(span(paths, WHAT, at, length.get().into())?, WHAT, at)
    };
    Ok((
        name(f.substitute_name_offset, f.substitute_name_length)?,
        name(f.print_name_offset, f.print_name_length)?,
    ))
}

fn put_names(w: &mut Writer<'_>, substitute: Utf16<'_>, print: Utf16<'_>, flags: Option<SymlinkFlags>) {
    // A NUL behind each name is not counted. Windows wants it behind the names of a mount point.
    let terminator = if flags.is_none() { 2 } else { 0 };
    w.put(&NamesFixed {
        substitute_name_offset: U16::ZERO,
        substitute_name_length: U16::new(substitute.len() as u16),
        print_name_offset: U16::new((substitute.len() + terminator) as u16),
        print_name_length: U16::new(print.len() as u16),
    });
    if let Some(flags) = flags {
        w.put(&U32::new(flags.bits()));
    }
    w.bytes(substitute.as_bytes());
    w.zeros(terminator);
    w.bytes(print.as_bytes());
    w.zeros(terminator);
}

impl<'m> Structure<'m> for ReparseData<'m> {
    const NAME: &'static str = "REPARSE_DATA_BUFFER";
    const FIXED_LEN: usize = size_of::<HeadFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &HeadFixed = fixed_at(bytes, 0, Self::NAME)?;
        let (tag, len) = (ReparseTag(f.tag.get()), usize::from(f.data_length.get()));
        if !tag.is_microsoft() {
            let guid: &[u8; 16] = fixed_at(bytes, Self::FIXED_LEN, Self::NAME)?;
            let data = span(bytes, Self::NAME, Self::FIXED_LEN + 16, len)?;
            return Ok(Self::Guid { tag, guid: Guid(*guid), data });
        }
        let data = span(bytes, Self::NAME, Self::FIXED_LEN, len)?;
        Ok(match tag {
            ReparseTag::SYMLINK => {
                let flags: &U32 = fixed_at(data, size_of::<NamesFixed>(), Self::NAME)?;
                let (substitute_name, print_name) = names(data, size_of::<NamesFixed>() + 4)?;
                let flags = SymlinkFlags::from_bits_retain(flags.get());
                Self::Symlink { substitute_name, print_name, flags }
            }
            ReparseTag::MOUNT_POINT => {
                let (substitute_name, print_name) = names(data, size_of::<NamesFixed>())?;
                Self::MountPoint { substitute_name, print_name }
            }
            ReparseTag::NFS => {
                let file_type: &U64 = fixed_at(data, 0, Self::NAME)?;
                let file_type = NfsFileType(file_type.get());
                Self::Nfs { file_type, data: data.get(8..).unwrap_or_default() }
            }
            ReparseTag::LX_SYMLINK => match fixed_at::<U32>(data, 0, Self::NAME)?.get() {
                Self::LX_SYMLINK_VERSION => Self::LxSymlink { target: data.get(4..).unwrap_or_default() },
                version => return Err(DecodeError::value(Self::NAME, Self::FIXED_LEN, version.into())),
            },
            _ => Self::Raw { tag, data },
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let at = w.position();
        w.put(&HeadFixed { tag: U32::new(self.tag().0), data_length: U16::ZERO, reserved: U16::ZERO });
        let mut uncounted = Self::FIXED_LEN;
        match *self {
            Self::Symlink { substitute_name, print_name, flags } => {
                put_names(w, substitute_name, print_name, Some(flags));
            }
            Self::MountPoint { substitute_name, print_name } => {
                put_names(w, substitute_name, print_name, None);
            }
            Self::Nfs { file_type, data } => {
                w.put(&U64::new(file_type.0));
                w.bytes(data);
            }
            Self::LxSymlink { target } => {
                w.put(&U32::new(Self::LX_SYMLINK_VERSION));
                w.bytes(target);
            }
            Self::Raw { data, .. } => w.bytes(data),
            Self::Guid { guid, data, .. } => {
                uncounted += 16;
                w.bytes(&guid.0);
                w.bytes(data);
            }
        }
        w.patch_u16(at + 4, (w.position() - at - uncounted) as u16);
    }
}
