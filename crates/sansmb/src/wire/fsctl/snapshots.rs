//! SRV_ENUMERATE_SNAPSHOTS, [MS-SMB2] 2.2.32.2.

use zerocopy::little_endian::U32;

use super::super::{DecodeError, Structure, Utf16, Writer, fixed_at, span};

layout! {
    struct SnapshotsFixed [12] { number: U32, returned: U32, array_size: U32 }
}

/// SRV_SNAPSHOT_ARRAY: the previous versions of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotArray<'m> {
    /// Previous versions that there are.
    pub number: u32,
    /// Previous versions below: all, or none where the buffer was too small.
    pub returned: u32,
    /// Bytes of the names; where the buffer was too small, the bytes that are needed.
    pub array_size: u32,
    /// The names as they stand: each followed by a NUL, and one more NUL behind the last.
    pub names: Utf16<'m>,
}

impl<'m> SnapshotArray<'m> {
    /// The names, such as `@GMT-2024.05.01-12.00.00`.
    pub fn iter(&self) -> impl Iterator<Item = Utf16<'m>> + use<'m> {
        let pairs = self.names.as_bytes();
        let mut rest = Some(pairs);
        core::iter::from_fn(move || {
            let bytes = rest.take()?;
            let len = bytes.chunks_exact(2).position(|unit| unit == [0, 0])? * 2;
            let (name, behind) = bytes.split_at_checked(len)?;
            rest = behind.get(2..);
            Utf16::new(name, "snapshot name", 0).ok().filter(|name| !name.is_empty())
        })
    }
}

impl<'m> Structure<'m> for SnapshotArray<'m> {
    const NAME: &'static str = "SRV_SNAPSHOT_ARRAY";
    const FIXED_LEN: usize = size_of::<SnapshotsFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &SnapshotsFixed = fixed_at(bytes, 0, Self::NAME)?;
        let len = if f.returned.get() == 0 { 0 } else { f.array_size.get() as usize };
        let names = span(bytes, Self::NAME, Self::FIXED_LEN, len)?;
        Ok(Self {
            number: f.number.get(),
            returned: f.returned.get(),
            array_size: f.array_size.get(),
            names: Utf16::new(names, Self::NAME, Self::FIXED_LEN)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&SnapshotsFixed {
            number: U32::new(self.number),
            returned: U32::new(self.returned),
            array_size: U32::new(self.array_size),
        });
        w.bytes(self.names.as_bytes());
    }
}
