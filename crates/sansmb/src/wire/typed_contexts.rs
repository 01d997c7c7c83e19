//! Lists of contexts that carry a 16-bit type: those of NEGOTIATE, [MS-SMB2] 2.2.3.1, and of
//! TREE_CONNECT, [MS-SMB2] 2.2.9.2.

use core::fmt;

use zerocopy::little_endian::{U16, U32};

use super::{DecodeError, DecodeErrorKind, Writer, fixed_at, span};

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
        let mut end = offset;
        for _ in 0..count {
            // No overflow: `end` lies within `msg`.
            (_, end) = context_at::<C>(msg, end.next_multiple_of(8))?;
        }
        let bytes = span(msg, C::NAME, offset, end - offset)?;
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
        TypedContextIter { list: *self, at: 0, index: 0 }
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

fn context_at<'m, C: TypedContext<'m>>(msg: &'m [u8], at: usize) -> Result<(C, usize), DecodeError> {
    let f: &ContextFixed = fixed_at(msg, at, C::NAME)?;
    let data_at = at + size_of::<ContextFixed>();
    let data = span(msg, C::NAME, data_at, f.data_length.get().into())?;
    Ok((C::from_data(f.context_type.get(), data)?, data_at + data.len()))
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
    at: usize,
    index: usize,
}

impl<'m, C: TypedContext<'m>> Iterator for TypedContextIter<'m, C> {
    type Item = C;

    fn next(&mut self) -> Option<C> {
        let context = match self.list {
            TypedContexts::Raw { bytes, count } if self.index < usize::from(count) => {
                let (context, end) = context_at(bytes, self.at).ok()?;
                self.at = end.next_multiple_of(8);
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
