//! As much of ASN.1's DER as SPNEGO needs.
//!
//! The reader borrows and never allocates, so a declared length costs nothing. It is laxer than DER
//! where peers are: lengths need not be minimal (some servers pad them with zeros). It refuses
//! indefinite lengths, lengths of more than four bytes, tags of more than one byte and everything
//! that runs past its container.

use alloc::vec::Vec;

use sansmb::auth::AuthError;

/// Universal and application tags.
pub(crate) mod tag {
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const GENERAL_STRING: u8 = 0x1b;
    pub(crate) const SEQUENCE: u8 = 0x30;
    /// `[APPLICATION 0]`, the frame of RFC 2743 section 3.1.
    pub(crate) const GSS: u8 = 0x60;

    /// `[n]`, constructed.
    pub(crate) const fn context(n: u8) -> u8 {
        0xa0 | n
    }
}

/// Walks over the elements of one container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the token.
    at: usize,
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
    pub(crate) content: &'a [u8],
    /// Where the content begins in the token.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(token: &'a [u8]) -> Self {
        Self { rest: token, at: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next element.
    pub(crate) fn element(&mut self, what: &'static str) -> Result<Element<'a>, AuthError> {
        let bad = AuthError::Malformed(what, self.at);
        let (&tag, after_tag) = self.rest.split_first().ok_or(bad)?;
        let (&first, after_first) = after_tag.split_first().ok_or(bad)?;
        if tag & 0x1f == 0x1f {
            return Err(bad);
        }
        let (length, body) = match first {
            0..=0x7f => (usize::from(first), after_first),
            0x81..=0x84 => {
                let (digits, body) = after_first.split_at_checked(usize::from(first & 0x7f)).ok_or(bad)?;
                let length = digits.iter().fold(0_u32, |sum, digit| sum << 8 | u32::from(*digit));
                (usize::try_from(length).map_err(|_| bad)?, body)
            }
            _ => return Err(bad),
        };
        let (content, after) = body.split_at_checked(length).ok_or(bad)?;
        let head = self.rest.len() - body.len();
        let whole = self.rest.get(..head + length).ok_or(bad)?;
        let element = Element { tag, whole, content, at: self.at + head };
        self.at += head + length;
        self.rest = after;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, AuthError> {
        let at = self.at;
        let element = self.element(what)?;
        if element.tag == tag { Ok(element) } else { Err(AuthError::Malformed(what, at)) }
    }
}

impl<'a> Element<'a> {
    /// Goes into the element.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader { rest: self.content, at: self.at }
    }

    /// The only element inside this one, which must have this tag.
    pub(crate) fn only(&self, tag: u8, what: &'static str) -> Result<Self, AuthError> {
        self.reader().expect(tag, what)
    }
}

/// One element with the concatenation of `parts` as its content.
pub(crate) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let significant = &digits[length.leading_zeros() as usize / 8..];
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        out.push(0x80 | significant.len() as u8);
        out.extend_from_slice(significant);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}
