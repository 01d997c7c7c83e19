//! Lists of contexts that carry a 16-bit type: those of NEGOTIATE, [MS-SMB2] 2.2.3.1, and of
//! TREE_CONNECT, [MS-SMB2] 2.2.9.2.

use core::fmt;

use nom::Parser;
use nom::combinator::recognize;
use zerocopy::little_endian::{U16, U32};

use super::parse::{Parsed, aligned, data, fixed, parse, repeated};
use super::{DecodeError, DecodeErrorKind, Writer};

/// One kind of typed context.
pub trait TypedContext<'m>: Copy {
    /// The name in messages of errors.
    const NAME: &'static str;

    /// Interprets the data of a context.
    fn from_data(context_type: u16, data: &'m [u8]) -> Result<Self, DecodeError>;

    /// ContextType.
    fn context_type(&self) -> u16;

    /// Writes the data.
    fn encode_data(&self, w: &mut Writer<'_>);
}

layout! {
    struct ContextFixed [8] { context_type: U16, data_length: U16, reserved: U32 }
}

/// A list of contexts: a view when it was parsed, a slice when it is being built.
#[derive(Clone, Copy)]
pub enum TypedContexts<'m, C> {
    /// As it stands in a message. Decoding has checked every element, so that iterating cannot
    /// fail; bytes that do not parse end the iteration.
    Raw {
        /// From the first byte of the first context to the last byte of the last.
        bytes: &'m [u8],
        /// How many contexts there are.
        count: u16,
    },
    /// As it is built.
    List(&'m [C]),
}

impl<'m, C: TypedContext<'m>> TypedContexts<'m, C> {
    /// The list of `count` contexts at `offset`, which must not lie before `floor`.
    pub(crate) fn decode(
        msg: &'m [u8],
        floor: usize,
        offset: usize,
        count: u16,
    ) -> Result<Self, DecodeError> {
        if count == 0 {
            return Ok(Self::default());
        }
        if !offset.is_multiple_of(8) {
            return Err(DecodeError::new(C::NAME, offset, DecodeErrorKind::Chain(offset as u64)));
        }
        if offset < floor {
            return Err(DecodeError::new(C::NAME, offset, DecodeErrorKind::Range));
        }
        let input = msg.get(offset..).unwrap_or_default();
        let list = repeated(count.into(), aligned(input, 8, context::<C>));
        let (_, bytes) = parse(C::NAME, offset, input, recognize(list))?;
        Ok(Self::Raw { bytes, count })
    }

    /// How many contexts there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Raw { count, .. } => usize::from(*count),
            Self::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The contexts in order.
    pub fn iter(&self) -> TypedContextIter<'m, C> {
        let rest = match self {
            Self::Raw { bytes, .. } => bytes,
            Self::List(_) => &[][..],
        };
        TypedContextIter { list: *self, rest, index: 0 }
    }

    /// How many contexts have this type: more than one of most types is an error.
    pub fn count_of(&self, context_type: u16) -> usize {
        self.iter().filter(|context| context.context_type() == context_type).count()
    }

    /// Writes the list; the first context stands at the next multiple of 8.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Raw { bytes: [], .. } => {}
            Self::Raw { bytes, .. } => {
                w.align(8);
                w.bytes(bytes);
            }
            Self::List(list) => list.iter().for_each(|context| encode_context(context, w)),
        }
    }
}

fn context<'m, C: TypedContext<'m>>(input: &'m [u8]) -> Parsed<'m, C> {
    let (input, f) = fixed::<ContextFixed>(input)?;
    let (input, data) = data(f.data_length.get().into())(input)?;
    Ok((input, C::from_data(f.context_type.get(), data)?))
}

fn encode_context<'m, C: TypedContext<'m>>(context: &C, w: &mut Writer<'_>) {
    w.align(8);
    let at = w.position();
    w.put(&ContextFixed {
        context_type: U16::new(context.context_type()),
        data_length: U16::ZERO,
        reserved: U32::ZERO,
    });
    context.encode_data(w);
    let length = w.position() - at - size_of::<ContextFixed>();
    w.patch_u16(at + 2, length as u16);
}

impl<C> Default for TypedContexts<'_, C> {
    fn default() -> Self {
        Self::List(&[])
    }
}

impl<'m, C> From<&'m [C]> for TypedContexts<'m, C> {
    fn from(list: &'m [C]) -> Self {
        Self::List(list)
    }
}

impl<'m, C: TypedContext<'m> + PartialEq> PartialEq for TypedContexts<'m, C> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'m, C: TypedContext<'m> + Eq> Eq for TypedContexts<'m, C> {}

impl<'m, C: TypedContext<'m> + fmt::Debug> fmt::Debug for TypedContexts<'m, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterates over [`TypedContexts`].
#[derive(Clone)]
pub struct TypedContextIter<'m, C> {
    list: TypedContexts<'m, C>,
    /// What follows the last context, of a list that was parsed.
    rest: &'m [u8],
    index: usize,
}

impl<'m, C: TypedContext<'m>> Iterator for TypedContextIter<'m, C> {
    type Item = C;

    fn next(&mut self) -> Option<C> {
        let context = match self.list {
            TypedContexts::Raw { bytes, count } if self.index < usize::from(count) => {
                let (rest, context) = aligned(bytes, 8, context).parse(self.rest).ok()?;
                self.rest = rest;
                Some(context)
            }
            TypedContexts::Raw { .. } => None,
            TypedContexts::List(list) => list.get(self.index).copied(),
        };
        self.index += 1;
        context
    }
}

impl<'m, C: TypedContext<'m> + fmt::Debug> fmt::Debug for TypedContextIter<'m, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
