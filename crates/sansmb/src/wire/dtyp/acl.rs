//! Access lists, [MS-DTYP] 2.4.5.

use core::fmt;

use nom::combinator::recognize;
use zerocopy::little_endian::U16;

use super::super::parse::{parse, repeated};
use super::super::{DecodeError, DecodeErrorKind, Structure, Writer, fixed_at};
use super::Ace;

layout! {
    struct AclFixed [8] { revision: u8, sbz1: u8, size: U16, ace_count: U16, sbz2: U16 }
}

/// An access list. An empty one grants nothing to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acl<'m> {
    /// 2, or 4 where there are entries for parts of objects.
    pub revision: u8,
    /// The entries; 65,535 bytes at most.
    pub aces: Aces<'m>,
}

/// The entries of an access list: a view that was checked when it was parsed, or a slice.
#[derive(Clone, Copy)]
pub enum Aces<'m> {
    /// As they stand in a message; every entry was decoded once, so that iterating finds all.
    Wire(CheckedAces<'m>),
    /// As they are built.
    Values(&'m [Ace<'m>]),
}

/// The bytes of entries that are known to be well-formed.
#[derive(Clone, Copy)]
pub struct CheckedAces<'m> {
    bytes: &'m [u8],
    count: u16,
}

impl<'m> Aces<'m> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Wire(checked) => checked.count.into(),
            Self::Values(aces) => aces.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = Ace<'m>> + use<'m> {
        let (mut bytes, count, values) = match *self {
            Self::Wire(checked) => (checked.bytes, checked.count, Default::default()),
            Self::Values(aces) => (Default::default(), 0, aces),
        };
        let wire = (0..count).map_while(move |_| {
            let (rest, ace) = Ace::parse(bytes).ok()?;
            bytes = rest;
            Some(ace)
        });
        wire.chain(values.iter().copied())
    }
}

impl Default for Aces<'_> {
    fn default() -> Self {
        Self::Values(&[])
    }
}

impl PartialEq for Aces<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Aces<'_> {}

impl fmt::Debug for Aces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for CheckedAces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Aces::Wire(*self).fmt(f)
    }
}

impl<'m> Acl<'m> {
    /// Revision of a list without entries for parts of objects.
    pub const REVISION: u8 = 2;
    /// Revision of a list with such entries.
    pub const REVISION_DS: u8 = 4;

    /// A list of `aces`.
    pub const fn new(aces: &'m [Ace<'m>]) -> Self {
        Self { revision: Self::REVISION, aces: Aces::Values(aces) }
    }
}

impl<'m> Structure<'m> for Acl<'m> {
    const NAME: &'static str = "ACL";
    const FIXED_LEN: usize = size_of::<AclFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &AclFixed = fixed_at(bytes, 0, Self::NAME)?;
        let range = DecodeError::new(Self::NAME, 2, DecodeErrorKind::Range);
        let aces = bytes.get(Self::FIXED_LEN..f.size.get().into()).ok_or(range)?;
        let count = f.ace_count.get();
        let list = recognize(repeated(count.into(), Ace::parse));
        let (_, bytes) = parse(Self::NAME, Self::FIXED_LEN, aces, list)?;
        Ok(Self { revision: f.revision, aces: Aces::Wire(CheckedAces { bytes, count }) })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let at = w.position();
        w.put(&AclFixed {
            revision: self.revision,
            sbz1: 0,
            size: U16::ZERO,
            ace_count: U16::new(self.aces.len() as u16),
            sbz2: U16::ZERO,
        });
        match &self.aces {
            Aces::Wire(checked) => w.bytes(checked.bytes),
            Aces::Values(aces) => aces.iter().for_each(|ace| ace.encode(w)),
        }
        w.patch_u16(at + 2, (w.position() - at) as u16);
    }
}
