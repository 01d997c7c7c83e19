//! Lists of 16-bit numbers: dialects, ciphers and other algorithms.

use core::fmt;

use super::Writer;

/// A list of 16-bit numbers: a view when it was parsed, a slice when it is being built.
#[derive(Clone, Copy)]
pub enum U16List<'m, T = u16> {
    /// As it stands in a message, two bytes an element.
    Raw(&'m [u8]),
    /// As it is built.
    List(&'m [T]),
}

impl<'m, T: Copy + From<u16> + Into<u16>> U16List<'m, T> {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.len() / 2,
            Self::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Option<T> {
        match self {
            Self::Raw(bytes) => {
                let (pairs, _) = bytes.as_chunks::<2>();
                pairs.get(index).map(|pair| u16::from_le_bytes(*pair).into())
            }
            Self::List(list) => list.get(index).copied(),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + Clone + use<'m, T> {
        let list = *self;
        (0..list.len()).filter_map(move |index| list.get(index))
    }

    /// Whether `value` is among them.
    pub fn contains(&self, value: T) -> bool {
        let value: u16 = value.into();
        self.iter().any(|element| Into::<u16>::into(element) == value)
    }

    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Raw(bytes) => w.bytes(bytes),
            Self::List(list) => list.iter().for_each(|&value| w.bytes(&value.into().to_le_bytes())),
        }
    }
}

impl<T> Default for U16List<'_, T> {
    fn default() -> Self {
        Self::List(&[])
    }
}

impl<'m, T> From<&'m [T]> for U16List<'m, T> {
    fn from(list: &'m [T]) -> Self {
        Self::List(list)
    }
}

impl<'m, T, const N: usize> From<&'m [T; N]> for U16List<'m, T> {
    fn from(list: &'m [T; N]) -> Self {
        Self::List(list)
    }
}

impl<T: Copy + From<u16> + Into<u16>> PartialEq for U16List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(Into::into).eq(other.iter().map(Into::<u16>::into))
    }
}

impl<T: Copy + From<u16> + Into<u16>> Eq for U16List<'_, T> {}

impl<T: Copy + From<u16> + Into<u16> + fmt::Debug> fmt::Debug for U16List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
