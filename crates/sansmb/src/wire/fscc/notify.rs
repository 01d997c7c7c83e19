//! Changes in a directory, [MS-FSCC] 2.7.1.

use zerocopy::little_endian::U32;

use super::super::{DecodeError, Structure, Utf16, Writer, fixed_at};
use super::name::name_at;
use super::{Entries, Entry};

open_enum! {
    /// What happened to a file, [MS-FSCC] 2.7.1.
    pub struct NotifyAction: u32 {
        /// It was made, or moved here.
        ADDED = 1,
        /// It was removed, or moved away.
        REMOVED = 2,
        /// Its data or metadata changed.
        MODIFIED = 3,
        /// It was renamed from this name.
        RENAMED_OLD_NAME = 4,
        /// It was renamed to this name.
        RENAMED_NEW_NAME = 5,
        /// A stream was made.
        ADDED_STREAM = 6,
        /// A stream was removed.
        REMOVED_STREAM = 7,
        /// A stream changed.
        MODIFIED_STREAM = 8,
        /// An object ID went with its file.
        REMOVED_BY_DELETE = 9,
        /// An object ID could not be kept across a rename.
        ID_NOT_TUNNELLED = 10,
        /// A file had an object ID already.
        TUNNELLED_ID_COLLISION = 11,
    }
}

layout! {
    struct NotifyFixed [12] { next_entry_offset: U32, action: U32, file_name_length: U32 }
}

/// FILE_NOTIFY_INFORMATION: one change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifyEntry<'m> {
    /// What happened.
    pub action: NotifyAction,
    /// The name, from the watched directory.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for NotifyEntry<'m> {
    const NAME: &'static str = "FILE_NOTIFY_INFORMATION";
    const FIXED_LEN: usize = size_of::<NotifyFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &NotifyFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            action: NotifyAction(f.action.get()),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.file_name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&NotifyFixed {
            next_entry_offset: U32::ZERO,
            action: U32::new(self.action.0),
            file_name_length: U32::new(self.name.len() as u32),
        });
        w.bytes(self.name.as_bytes());
    }
}

impl<'m> Entry<'m> for NotifyEntry<'m> {
    const ALIGNMENT: usize = 4;
}

/// The changes in the buffer of a CHANGE_NOTIFY response.
pub type NotifyEntries<'m> = Entries<'m, NotifyEntry<'m>>;
