//! The combinators that lists are parsed with: nom, over complete slices.
//!
//! A list is whole when it gets here, so nothing says "incomplete", and nothing allocates for an
//! element. See `docs/chained-lists.md`.

use nom::bytes::complete::take;
use nom::combinator::{cut, eof, not};
use nom::error::{ContextError, ErrorKind, ParseError, context};
use nom::multi::fold;
use nom::sequence::preceded;
use nom::{IResult, Parser};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::{DecodeError, DecodeErrorKind};

/// What a parser returns: the input behind what it read, and what it read.
pub(crate) type Parsed<'m, O> = IResult<&'m [u8], O, Refused>;

/// Why a parser refused its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Something is wrong where this much of the input is left.
    Here {
        /// Empty until a `context` names it.
        what: &'static str,
        /// Bytes from there to the end of the input.
        left: usize,
        /// What is wrong.
        kind: DecodeErrorKind,
    },
    /// Something is wrong in a nested structure, which counts from its own first byte.
    Nested(DecodeError),
}

impl Refused {
    /// The first byte of `input` is where it is wrong.
    pub(crate) fn here(input: &[u8], kind: DecodeErrorKind) -> nom::Err<Self> {
        nom::Err::Error(Self::Here { what: "", left: input.len(), kind })
    }

    /// The error of a parser whose input was `len` bytes at `base`.
    fn into_error(self, base: usize, len: usize) -> DecodeError {
        match self {
            Self::Here { what, left, kind } => DecodeError::new(what, base + len.saturating_sub(left), kind),
            Self::Nested(error) => error,
        }
    }
}

impl<'m> ParseError<&'m [u8]> for Refused {
    /// nom's parsers either miss bytes or do not like the one that is there.
    fn from_error_kind(input: &'m [u8], kind: ErrorKind) -> Self {
        let kind = match (kind, input.first()) {
            (ErrorKind::Eof, _) | (_, None) => DecodeErrorKind::Truncated,
            (_, Some(byte)) => DecodeErrorKind::Value(u64::from(*byte)),
        };
        Self::Here { what: "", left: input.len(), kind }
    }

    /// The innermost error says it best.
    fn append(_input: &'m [u8], _kind: ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'m> ContextError<&'m [u8]> for Refused {
    fn add_context(_input: &'m [u8], name: &'static str, other: Self) -> Self {
        match other {
            Self::Here { what: "", left, kind } => Self::Here { what: name, left, kind },
            named => named,
        }
    }
}

/// So that `?` takes the error of a nested structure.
impl From<DecodeError> for nom::Err<Refused> {
    fn from(error: DecodeError) -> Self {
        Self::Error(Refused::Nested(error))
    }
}

/// Runs a parser. Its errors are about `what`, and count from `base`, the offset of `input`.
pub(crate) fn parse<'m, O>(
    what: &'static str,
    base: usize,
    input: &'m [u8],
    parser: impl Parser<&'m [u8], Output = O, Error = Refused>,
) -> Result<(&'m [u8], O), DecodeError> {
    context(what, parser).parse(input).map_err(|error| match error {
        nom::Err::Error(refused) | nom::Err::Failure(refused) => refused.into_error(base, input.len()),
        nom::Err::Incomplete(_) => DecodeError::truncated(what, base + input.len()),
    })
}

/// A structure.
pub(crate) fn fixed<T>(input: &[u8]) -> Parsed<'_, &T>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    match T::ref_from_prefix(input) {
        Ok((fixed, rest)) => Ok((rest, fixed)),
        Err(_) => Err(Refused::here(input, DecodeErrorKind::Truncated)),
    }
}

/// `count` structures, one behind the other.
pub(crate) fn elements<'m, T>(count: usize) -> impl Fn(&'m [u8]) -> Parsed<'m, &'m [T]>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned + 'm,
{
    move |input| match <[T]>::ref_from_prefix_with_elems(input, count) {
        Ok((elements, rest)) => Ok((rest, elements)),
        Err(_) => Err(Refused::here(&[], DecodeErrorKind::Truncated)),
    }
}

/// The `len` bytes of a variable part.
pub(crate) fn data<'m>(len: usize) -> impl Fn(&'m [u8]) -> Parsed<'m, &'m [u8]> {
    move |input| take(len)(input).map_err(|_: nom::Err<Refused>| Refused::here(input, DecodeErrorKind::Range))
}

/// An element that stands at a multiple of `alignment`, counted from the first byte of `list`, of
/// which the input is the rest.
pub(crate) fn aligned<'m, O>(
    list: &'m [u8],
    alignment: usize,
    element: impl Parser<&'m [u8], Output = O, Error = Refused>,
) -> impl Parser<&'m [u8], Output = O, Error = Refused> {
    let padding = move |input: &'m [u8]| {
        let at = list.len().saturating_sub(input.len());
        take(at.next_multiple_of(alignment) - at)(input)
    };
    preceded(padding, element)
}

/// `count` elements, each of which takes a byte or more. They are checked and dropped.
pub(crate) fn repeated<'m, O>(
    count: usize,
    element: impl Parser<&'m [u8], Output = O, Error = Refused>,
) -> impl Parser<&'m [u8], Output = (), Error = Refused> {
    fold(count, element, || (), |(), _| ())
}

/// Elements as long as there is input, each of which takes a byte or more. They are checked and
/// dropped.
pub(crate) fn to_the_end<'m, O>(
    element: impl Parser<&'m [u8], Output = O, Error = Refused>,
) -> impl Parser<&'m [u8], Output = (), Error = Refused> {
    fold(0.., preceded(not(eof), cut(element)), || (), |(), _| ())
}

/// Cuts an entry off a chain: the input starts with the distance to the next entry, or zero in the
/// last, whose bytes are all that is left. Also says whether another entry follows.
///
/// The distance is at least `min`, which must not be zero, so that a chain always gets shorter.
/// `beyond` is what is wrong with a distance that leads out of the input.
pub(crate) fn link<'m>(
    min: usize,
    alignment: usize,
    beyond: fn(u64) -> DecodeErrorKind,
) -> impl Fn(&'m [u8]) -> Parsed<'m, (&'m [u8], bool)> {
    move |input| {
        let (_, distance) = fixed::<U32>(input)?;
        let distance = distance.get();
        match distance as usize {
            0 => Ok((&[], (input, false))),
            next if next < min || !next.is_multiple_of(alignment) => {
                Err(Refused::here(input, DecodeErrorKind::Chain(distance.into())))
            }
            next => match input.split_at_checked(next) {
                Some((entry, rest)) => Ok((rest, (entry, true))),
                None => Err(Refused::here(input, beyond(distance.into()))),
            },
        }
    }
}

/// The entries of a chain up to the one behind which none follows. They are checked and dropped.
pub(crate) fn chained<'m, O>(
    entry: impl Fn(&'m [u8]) -> Parsed<'m, (O, bool)>,
) -> impl Fn(&'m [u8]) -> Parsed<'m, ()> {
    move |mut input| {
        loop {
            let (rest, (_, more)) = entry(input)?;
            if !more {
                return Ok((rest, ()));
            }
            input = rest;
        }
    }
}

#[cfg(test)]
mod tests;
