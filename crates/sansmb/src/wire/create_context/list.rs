//! The chain of SMB2_CREATE_CONTEXT structures, [MS-SMB2] 2.2.13.2.

use core::fmt;
use core::mem::{self, offset_of};

use zerocopy::little_endian::{U16, U32};

use crate::wire::parse::{Parsed, Refused, chained, fixed, link, parse};
use crate::wire::{DecodeError, DecodeErrorKind, Writer, span_from};

/// One kind of named context.
pub trait NamedContext<'m>: Copy {
    /// Interprets the data of a context.
    fn from_data(name: &'m [u8], data: &'m [u8]) -> Result<Self, DecodeError>;

    /// Its name.
    fn name(&self) -> &[u8];

    /// Writes the data.
    fn encode_data(&self, w: &mut Writer<'_>);
}

layout! {
    struct ContextFixed [16] {
        next: U32,
        name_offset: U16,
        name_length: U16,
        reserved: U16,
        data_offset: U16,
        data_length: U32,
    }
}

const WHAT: &str = "create context";

/// A list of create contexts: a view when it was parsed, a slice when it is being built.
#[derive(Clone, Copy)]
pub enum ContextList<'m, C> {
    /// As it stands in a message. Decoding has checked every element, so that iterating cannot
    /// fail; bytes that do not parse end the iteration.
    Raw(&'m [u8]),
    /// As it is built.
    List(&'m [C]),
}

impl<'m, C: NamedContext<'m>> ContextList<'m, C> {
    /// The list of `len` bytes at `offset`, which must not lie before `floor`.
    pub(crate) fn decode(
        msg: &'m [u8],
        floor: usize,
        offset: usize,
        len: usize,
    ) -> Result<Self, DecodeError> {
        let bytes = span_from(msg, "create contexts", floor, offset, len)?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if !offset.is_multiple_of(8) {
            return Err(DecodeError::new("create contexts", offset, DecodeErrorKind::Chain(offset as u64)));
        }
        parse(WHAT, 0, bytes, chained(context::<C>))?;
        Ok(Self::Raw(bytes))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Raw(bytes) => bytes.is_empty(),
            Self::List(list) => list.is_empty(),
        }
    }

    /// The contexts in order.
    pub fn iter(&self) -> ContextIter<'m, C> {
        ContextIter { rest: *self }
    }

    /// Writes the list at the next multiple of 8. Returns its offset and length, unless it is empty.
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Option<(usize, usize)> {
        if self.is_empty() {
            return None;
        }
        w.align(8);
        let start = w.position();
        match self {
            Self::Raw(bytes) => w.bytes(bytes),
            Self::List(list) => encode_list(list, w),
        }
        Some((start, w.position() - start))
    }
}

/// A context, and whether another follows.
fn context<'m, C: NamedContext<'m>>(input: &'m [u8]) -> Parsed<'m, (C, bool)> {
    const HEAD: usize = size_of::<ContextFixed>();
    let (_, f) = fixed::<ContextFixed>(input)?;
    // Name and data must lie in this context, not in its successor and not in the message after it.
    let (rest, (own, more)) = link(HEAD, 8, |_| DecodeErrorKind::Range)(input)?;
    let name =
        span_from(own, "create context name", HEAD, f.name_offset.get().into(), f.name_length.get().into())?;
    if name.len() < 4 {
        let (what, left) = ("create context NameLength", input.len() - offset_of!(ContextFixed, name_length));
        let kind = DecodeErrorKind::Value(name.len() as u64);
        return Err(nom::Err::Error(Refused::Here { what, left, kind }));
    }
    let data = span_from(
        own,
        "create context data",
        HEAD,
        f.data_offset.get().into(),
        f.data_length.get() as usize,
    )?;
    Ok((rest, (C::from_data(name, data)?, more)))
}

fn encode_list<'m, C: NamedContext<'m>>(list: &[C], w: &mut Writer<'_>) {
    const HEAD: usize = size_of::<ContextFixed>();
    let mut previous = None;
    for context in list {
        w.align(8);
        let at = w.position();
        if let Some(previous) = previous {
            w.patch_u32(previous, (at - previous) as u32);
        }
        let name = context.name();
        w.put(&ContextFixed {
            next: U32::ZERO,
            name_offset: U16::new(HEAD as u16),
            name_length: U16::new(name.len() as u16),
            reserved: U16::ZERO,
            data_offset: U16::ZERO,
            data_length: U32::ZERO,
        });
        w.bytes(name);
        let name_end = w.position();
        w.align(8);
        let data_at = w.position();
        context.encode_data(w);
        let length = w.position() - data_at;
        if length > 0 {
            w.patch_u16(at + 10, (data_at - at) as u16);
            w.patch_u32(at + 12, length as u32);
        } else {
            w.truncate(name_end);
        }
        previous = Some(at);
    }
}

impl<C> Default for ContextList<'_, C> {
    fn default() -> Self {
        Self::List(&[])
    }
}

impl<'m, C> From<&'m [C]> for ContextList<'m, C> {
    fn from(list: &'m [C]) -> Self {
        Self::List(list)
    }
}

impl<'m, C: NamedContext<'m> + PartialEq> PartialEq for ContextList<'m, C> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'m, C: NamedContext<'m> + Eq> Eq for ContextList<'m, C> {}

impl<'m, C: NamedContext<'m> + fmt::Debug> fmt::Debug for ContextList<'m, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterates over a [`ContextList`].
#[derive(Clone)]
pub struct ContextIter<'m, C> {
    /// The contexts that are still to come.
    rest: ContextList<'m, C>,
}

impl<'m, C: NamedContext<'m>> Iterator for ContextIter<'m, C> {
    type Item = C;

    fn next(&mut self) -> Option<C> {
        match mem::take(&mut self.rest) {
            ContextList::Raw(bytes) => {
                let (rest, (context, more)) = context(bytes).ok()?;
                if more {
                    self.rest = ContextList::Raw(rest);
                }
                Some(context)
            }
            ContextList::List(list) => {
                let (context, rest) = list.split_first()?;
                self.rest = ContextList::List(rest);
                Some(*context)
            }
        }
    }
}

impl<'m, C: NamedContext<'m> + fmt::Debug> fmt::Debug for ContextIter<'m, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
