//! Counted lists of elements that all have the same size.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::parse::{elements, parse};
use super::{DecodeError, Writer};

/// An element of a [`List`]: a meaning and its layout.
pub trait Element: Copy + fmt::Debug + PartialEq {
    /// The layout.
    type Fixed: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned;
    /// What the layout says.
    fn from_fixed(fixed: &Self::Fixed) -> Self;
    /// The layout that says it.
    fn to_fixed(&self) -> Self::Fixed;
}

/// A list of equally long elements: a view into a message when parsed, a slice when built.
#[derive(Clone, Copy)]
pub enum List<'m, T: Element> {
    /// The elements as they stand in a message.
    Wire(&'m [T::Fixed]),
    /// The elements that are to be written.
    Values(&'m [T]),
}

impl<'m, T: Element> List<'m, T> {
    /// The `count` elements that `bytes` starts with.
    pub(crate) fn parse(bytes: &'m [u8], count: usize, what: &'static str) -> Result<Self, DecodeError> {
        let (_, elements) = parse(what, 0, bytes, elements(count))?;
        Ok(Self::Wire(elements))
    }

    /// As many whole elements as `bytes` has; a rest is ignored.
    pub(crate) fn parse_all(bytes: &'m [u8], what: &'static str) -> Result<Self, DecodeError> {
        Self::parse(bytes, bytes.len() / size_of::<T::Fixed>().max(1), what)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Wire(elements) => elements.len(),
            Self::Values(elements) => elements.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`, counted from zero.
    pub fn get(&self, index: usize) -> Option<T> {
        match self {
            Self::Wire(elements) => elements.get(index).map(T::from_fixed),
            Self::Values(elements) => elements.get(index).copied(),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Appends the elements.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Wire(elements) => elements.iter().for_each(|element| w.put(element)),
            Self::Values(elements) => elements.iter().for_each(|element| w.put(&element.to_fixed())),
        }
    }
}

impl<'m, T: Element> From<&'m [T]> for List<'m, T> {
    fn from(values: &'m [T]) -> Self {
        Self::Values(values)
    }
}

impl<T: Element> Default for List<'_, T> {
    fn default() -> Self {
        Self::Values(&[])
    }
}

impl<T: Element> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Element + Eq> Eq for List<'_, T> {}

impl<T: Element> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
