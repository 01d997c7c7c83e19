//! Entries of a directory in all the forms that QUERY_DIRECTORY can ask for.

use alloc::vec::Vec;

use zerocopy::little_endian::{U16, U32, U64, U128};

use super::super::{DecodeError, FileAttributes, FileTime, Utf16, Writer, fixed_at, span};
use super::FileInfoClass;
use super::chain::{Chain, EntryWriter};
use super::name::name_at;

const NAME: &str = "directory entry";

layout! {
    /// What all forms but the names alone start with.
    struct HeadFixed [64] {
        next_entry_offset: U32,
        file_index: U32,
        creation_time: U64,
        last_access_time: U64,
        last_write_time: U64,
        change_time: U64,
        end_of_file: U64,
        allocation_size: U64,
        file_attributes: U32,
        file_name_length: U32,
    }
}

layout! {
    struct NamesFixed [12] { next_entry_offset: U32, file_index: U32, file_name_length: U32 }
}

layout! {
    struct ShortNameFixed [26] { length: u8, reserved: u8, name: [u8; 24] }
}

layout! {
    struct FullFixed [4] { ea_size: U32 }
}

layout! {
    struct BothFixed [30] { ea_size: U32, short_name: ShortNameFixed }
}

layout! {
    struct IdFullFixed [16] { ea_size: U32, reserved: U32, file_id: U64 }
}

layout! {
    struct IdBothFixed [40] { ea_size: U32, short_name: ShortNameFixed, reserved: U16, file_id: U64 }
}

layout! {
    struct IdExtdFixed [24] { ea_size: U32, reparse_tag: U32, file_id: U128 }
}

layout! {
    struct Id64ExtdFixed [16] { ea_size: U32, reparse_tag: U32, file_id: U64 }
}

layout! {
    struct Id64ExtdBothFixed [42] { head: Id64ExtdFixed, short_name: ShortNameFixed }
}

/// An entry of a directory. Fields that its class does not carry are zero or empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirEntry<'m> {
    /// Position in the directory, zero where positions change.
    pub file_index: u32,
    /// When the file was made.
    pub creation_time: FileTime,
    /// When it was last read.
    pub last_access_time: FileTime,
    /// When its data last changed.
    pub last_write_time: FileTime,
    /// When its metadata last changed.
    pub change_time: FileTime,
    /// Bytes in the file.
    pub end_of_file: u64,
    /// Bytes allocated.
    pub allocation_size: u64,
    /// [MS-FSCC] 2.6 attributes.
    pub attributes: FileAttributes,
    /// Size of the extended attributes. In the classes 2, 3, 37 and 38 this is the reparse tag
    /// instead where the file is a reparse point: see [`Self::tag`].
    pub ea_size: u32,
    /// The 8.3 name, 12 units at most; classes 3, 37 and 79.
    pub short_name: Utf16<'m>,
    /// File ID: 128 bits in class 60, the low 64 in the classes 37, 38, 78 and 79.
    pub file_id: u128,
    /// Reparse tag; classes 60, 78 and 79.
    pub reparse_tag: u32,
    /// The name.
    pub name: Utf16<'m>,
}

impl<'m> DirEntry<'m> {
    /// Parses one entry, which is all of `bytes`.
    fn decode(class: FileInfoClass, bytes: &'m [u8]) -> Result<Self, DecodeError> {
        if class == FileInfoClass::NAMES {
            let f: &NamesFixed = fixed_at(bytes, 0, NAME)?;
            let name = name_at(bytes, NAME, size_of::<NamesFixed>(), f.file_name_length)?;
            return Ok(Self { file_index: f.file_index.get(), name, ..Self::default() });
        }
        let f: &HeadFixed = fixed_at(bytes, 0, NAME)?;
        let mut entry = Self {
            file_index: f.file_index.get(),
            creation_time: FileTime(f.creation_time.get()),
            last_access_time: FileTime(f.last_access_time.get()),
            last_write_time: FileTime(f.last_write_time.get()),
            change_time: FileTime(f.change_time.get()),
            end_of_file: f.end_of_file.get(),
            allocation_size: f.allocation_size.get(),
            attributes: FileAttributes::from_bits_retain(f.file_attributes.get()),
            ..Self::default()
        };
        let at = size_of::<HeadFixed>() + entry.decode_tail(class, bytes)?;
        entry.name = name_at(bytes, NAME, at, f.file_name_length)?;
        Ok(entry)
    }

    /// Parses what a class has behind the common head, and says how long it is.
    fn decode_tail(&mut self, class: FileInfoClass, bytes: &'m [u8]) -> Result<usize, DecodeError> {
        const AT: usize = size_of::<HeadFixed>();
        Ok(match class {
            FileInfoClass::FULL_DIRECTORY => {
                let f: &FullFixed = fixed_at(bytes, AT, NAME)?;
                self.ea_size = f.ea_size.get();
                size_of_val(f)
            }
            FileInfoClass::BOTH_DIRECTORY => {
                let f: &BothFixed = fixed_at(bytes, AT, NAME)?;
                self.ea_size = f.ea_size.get();
                self.short_name = short_name(&f.short_name)?;
                size_of_val(f)
            }
            FileInfoClass::ID_FULL_DIRECTORY => {
                let f: &IdFullFixed = fixed_at(bytes, AT, NAME)?;
                self.ea_size = f.ea_size.get();
                self.file_id = f.file_id.get().into();
                size_of_val(f)
            }
            FileInfoClass::ID_BOTH_DIRECTORY => {
                let f: &IdBothFixed = fixed_at(bytes, AT, NAME)?;
                self.ea_size = f.ea_size.get();
                self.short_name = short_name(&f.short_name)?;
                self.file_id = f.file_id.get().into();
                size_of_val(f)
            }
            FileInfoClass::ID_EXTD_DIRECTORY => {
                let f: &IdExtdFixed = fixed_at(bytes, AT, NAME)?;
                self.ea_size = f.ea_size.get();
                self.reparse_tag = f.reparse_tag.get();
                self.file_id = f.file_id.get();
                size_of_val(f)
            }
            FileInfoClass::ID_64_EXTD_DIRECTORY => {
                let f: &Id64ExtdFixed = fixed_at(bytes, AT, NAME)?;
                self.set_id_64_extd(f);
                size_of_val(f)
            }
            FileInfoClass::ID_64_EXTD_BOTH_DIRECTORY => {
                let f: &Id64ExtdBothFixed = fixed_at(bytes, AT, NAME)?;
                self.set_id_64_extd(&f.head);
                self.short_name = short_name(&f.short_name)?;
                size_of_val(f)
            }
            _ => 0,
        })
    }

    fn set_id_64_extd(&mut self, f: &Id64ExtdFixed) {
        self.ea_size = f.ea_size.get();
        self.reparse_tag = f.reparse_tag.get();
        self.file_id = f.file_id.get().into();
    }

    fn encode(&self, class: FileInfoClass, w: &mut Writer<'_>) {
        let file_name_length = U32::new(self.name.len() as u32);
        if class == FileInfoClass::NAMES {
            let file_index = U32::new(self.file_index);
            w.put(&NamesFixed { next_entry_offset: U32::ZERO, file_index, file_name_length });
        } else {
            w.put(&HeadFixed {
                next_entry_offset: U32::ZERO,
                file_index: U32::new(self.file_index),
                creation_time: U64::new(self.creation_time.0),
                last_access_time: U64::new(self.last_access_time.0),
                last_write_time: U64::new(self.last_write_time.0),
                change_time: U64::new(self.change_time.0),
                end_of_file: U64::new(self.end_of_file),
                allocation_size: U64::new(self.allocation_size),
                file_attributes: U32::new(self.attributes.bits()),
                file_name_length,
            });
            self.encode_tail(class, w);
        }
        w.bytes(self.name.as_bytes());
    }

    fn encode_tail(&self, class: FileInfoClass, w: &mut Writer<'_>) {
        let ea_size = U32::new(self.ea_size);
        let reparse_tag = U32::new(self.reparse_tag);
        let file_id = U64::new(self.file_id as u64);
        let head = Id64ExtdFixed { ea_size, reparse_tag, file_id };
        let short_name = self.short_name_fixed();
        match class {
            FileInfoClass::FULL_DIRECTORY => w.put(&FullFixed { ea_size }),
            FileInfoClass::BOTH_DIRECTORY => w.put(&BothFixed { ea_size, short_name }),
            FileInfoClass::ID_FULL_DIRECTORY => {
                w.put(&IdFullFixed { ea_size, reserved: U32::ZERO, file_id });
            }
            FileInfoClass::ID_BOTH_DIRECTORY => {
                w.put(&IdBothFixed { ea_size, short_name, reserved: U16::ZERO, file_id });
            }
            FileInfoClass::ID_EXTD_DIRECTORY => {
                w.put(&IdExtdFixed { ea_size, reparse_tag, file_id: U128::new(self.file_id) });
            }
            FileInfoClass::ID_64_EXTD_DIRECTORY => w.put(&head),
            FileInfoClass::ID_64_EXTD_BOTH_DIRECTORY => w.put(&Id64ExtdBothFixed { head, short_name }),
            _ => {}
        }
    }

    /// A name that is too long for an 8.3 name is left out.
    fn short_name_fixed(&self) -> ShortNameFixed {
        let mut fixed = ShortNameFixed { length: 0, reserved: 0, name: [0; 24] };
        let bytes = self.short_name.as_bytes();
        if let Some(room) = fixed.name.get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            fixed.length = bytes.len() as u8;
        }
        fixed
    }

    /// The reparse tag, wherever its class put it, if the file is a reparse point.
    pub fn tag(&self) -> Option<u32> {
        let tag = if self.reparse_tag != 0 { self.reparse_tag } else { self.ea_size };
        self.attributes.contains(FileAttributes::REPARSE_POINT).then_some(tag)
    }

    /// Whether the name is one component that leads nowhere else: not empty, `.` or `..`, and
    /// without `/`, `\` and NUL. A client must not build a local path of any other.
    pub fn has_plain_name(&self) -> bool {
        let [slash, backslash, dot] = ['/', '\\', '.'].map(|c| c as u16);
        let mut units = self.name.units();
        let dots = units.clone().all(|unit| unit == dot) && units.clone().count() <= 2;
        !dots && !units.any(|unit| unit == slash || unit == backslash || unit == 0)
    }
}

fn short_name(f: &ShortNameFixed) -> Result<Utf16<'_>, DecodeError> {
    const WHAT: &str = "directory entry short name";
    Utf16::new(span(&f.name, WHAT, 0, f.length.into())?, WHAT, 0)
}

impl FileInfoClass {
    /// Length of the fixed part of a directory entry of this class, or `None` if it is no class
    /// that [`DirEntries`] knows.
    pub fn dir_entry_len(self) -> Option<usize> {
        let tail = match self {
            Self::NAMES => return Some(size_of::<NamesFixed>()),
            Self::DIRECTORY => 0,
            Self::FULL_DIRECTORY => size_of::<FullFixed>(),
            Self::BOTH_DIRECTORY => size_of::<BothFixed>(),
            Self::ID_FULL_DIRECTORY => size_of::<IdFullFixed>(),
            Self::ID_BOTH_DIRECTORY => size_of::<IdBothFixed>(),
            Self::ID_EXTD_DIRECTORY => size_of::<IdExtdFixed>(),
            Self::ID_64_EXTD_DIRECTORY => size_of::<Id64ExtdFixed>(),
            Self::ID_64_EXTD_BOTH_DIRECTORY => size_of::<Id64ExtdBothFixed>(),
            _ => return None,
        };
        Some(size_of::<HeadFixed>() + tail)
    }
}

/// The entries of a QUERY_DIRECTORY response. It always ends; after an error it ends at once.
#[derive(Clone, Debug)]
pub struct DirEntries<'m> {
    class: FileInfoClass,
    chain: Chain<'m>,
}

impl<'m> DirEntries<'m> {
    /// The entries in `bytes`, or `None` if `class` is no class of directory entries.
    pub fn new(class: FileInfoClass, bytes: &'m [u8]) -> Option<Self> {
        Some(Self { class, chain: Chain::new(bytes, NAME, class.dir_entry_len()?) })
    }
}

impl<'m> Iterator for DirEntries<'m> {
    type Item = Result<DirEntry<'m>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.chain.next()?.and_then(|bytes| DirEntry::decode(self.class, bytes));
        if entry.is_err() {
            self.chain.stop();
        }
        Some(entry)
    }
}

/// Writes the buffer of a QUERY_DIRECTORY response.
#[derive(Debug)]
pub struct DirEntryWriter {
    class: FileInfoClass,
    entries: EntryWriter,
}

impl DirEntryWriter {
    /// An empty buffer that may become `limit` bytes long, or `None` if `class` is no class of
    /// directory entries.
    pub fn new(class: FileInfoClass, limit: usize) -> Option<Self> {
        class.dir_entry_len().map(|_| Self { class, entries: EntryWriter::new(limit) })
    }

    /// Appends an entry at a multiple of 8, or says `false` and changes nothing if it does not fit.
    #[must_use = "an entry that does not fit is not written"]
    pub fn push(&mut self, entry: &DirEntry<'_>) -> bool {
        self.entries.push_with(8, |w| entry.encode(self.class, w))
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The buffer.
    pub fn finish(self) -> Vec<u8> {
        self.entries.finish()
    }
}
