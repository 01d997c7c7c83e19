//! The little of SMB1 that a client's first message may need: NEGOTIATE, [MS-CIFS] 2.2.3.1 and
//! 2.2.4.52.

use core::fmt;

use nom::Parser;
use nom::bytes::complete::{tag, take_till};
use nom::sequence::delimited;
use zerocopy::little_endian::{U16, U32};

use super::parse::{Parsed, parse, to_the_end};
use super::{DecodeError, DecodeErrorKind, Writer, fixed_at, span};

/// The first four bytes of an SMB1 message.
pub const SMB1_PROTOCOL_ID: [u8; 4] = [0xFF, b'S', b'M', b'B'];

layout! {
    struct Smb1HeaderFixed [32] {
        protocol_id: [u8; 4],
        command: u8,
        status: U32,
        flags: u8,
        flags2: U16,
        pid_high: U16,
        security_features: [u8; 8],
        reserved: U16,
        tid: U16,
        pid_low: U16,
        uid: U16,
        mid: U16,
    }
}

/// The header of an SMB1 message, [MS-CIFS] 2.2.3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Smb1Header {
    /// What is asked: [`Smb1Header::NEGOTIATE`] here.
    pub command: u8,
    /// Zero in requests.
    pub status: u32,
    /// Among others [`Smb1Header::FLAG_REPLY`].
    pub flags: u8,
    /// More flags.
    pub flags2: u16,
    /// The high half of the process id.
    pub pid_high: u16,
    /// A signature, or zero.
    pub security_features: [u8; 8],
    /// Reserved: zero.
    pub reserved: u16,
    /// Tree id
    pub tid: u16,
    /// The low half of the process id.
    pub pid_low: u16,
    /// User id
    pub uid: u16,
    /// Multiplex id
    pub mid: u16,
}

impl Smb1Header {
    /// Length in bytes.
    pub const LEN: usize = 32;
    /// SMB_COM_NEGOTIATE
    pub const NEGOTIATE: u8 = 0x72;
    /// SMB_FLAGS_REPLY: the message is a response.
    pub const FLAG_REPLY: u8 = 0x80;

    /// Parses the header that `frame` starts with.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "SMB1 header";
        let f: &Smb1HeaderFixed = fixed_at(frame, 0, WHAT)?;
        if f.protocol_id != SMB1_PROTOCOL_ID {
            return Err(DecodeError::new(WHAT, 0, DecodeErrorKind::ProtocolId));
        }
        Ok(Self {
            command: f.command,
            status: f.status.get(),
            flags: f.flags,
            flags2: f.flags2.get(),
            pid_high: f.pid_high.get(),
            security_features: f.security_features,
            reserved: f.reserved.get(),
            tid: f.tid.get(),
            pid_low: f.pid_low.get(),
            uid: f.uid.get(),
            mid: f.mid.get(),
        })
    }

    /// Appends the header.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.put(&Smb1HeaderFixed {
            protocol_id: SMB1_PROTOCOL_ID,
            command: self.command,
            status: U32::new(self.status),
            flags: self.flags,
            flags2: U16::new(self.flags2),
            pid_high: U16::new(self.pid_high),
            security_features: self.security_features,
            reserved: U16::new(self.reserved),
            tid: U16::new(self.tid),
            pid_low: U16::new(self.pid_low),
            uid: U16::new(self.uid),
            mid: U16::new(self.mid),
        });
    }
}

/// SMB_COM_NEGOTIATE request, [MS-CIFS] 2.2.4.52.1, as a first message that leads to SMB2,
/// [MS-SMB2] 3.3.5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smb1NegotiateRequest<'m> {
    /// The header.
    pub header: Smb1Header,
    /// The dialects that the client speaks.
    pub dialects: Smb1Dialects<'m>,
}

impl<'m> Smb1NegotiateRequest<'m> {
    /// A request for these dialects.
    pub fn new(dialects: &'m [&'m [u8]]) -> Self {
        // What Windows sends: case-insensitive and canonical paths; Unicode, NT status codes, extended
        // security and long names.
        let header = Smb1Header {
            command: Smb1Header::NEGOTIATE,
            flags: 0x18,
            flags2: 0xC853,
            tid: 0xFFFF,
            pid_low: 0xFEFF,
            ..Smb1Header::default()
        };
        Self { header, dialects: Smb1Dialects::List(dialects) }
    }

    /// Parses `frame`, which is one SMB1 message.
    pub fn decode(frame: &'m [u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "SMB1 NEGOTIATE request";
        let header = Smb1Header::decode(frame)?;
        if header.command != Smb1Header::NEGOTIATE || header.flags & Smb1Header::FLAG_REPLY != 0 {
            return Err(DecodeError::value(WHAT, 4, header.command.into()));
        }
        let word_count: &u8 = fixed_at(frame, Smb1Header::LEN, WHAT)?;
        if *word_count != 0 {
            return Err(DecodeError::value(WHAT, Smb1Header::LEN, u64::from(*word_count)));
        }
        let at = Smb1Header::LEN + 1;
        let byte_count: &U16 = fixed_at(frame, at, WHAT)?;
        let dialects = span(frame, WHAT, at + 2, byte_count.get().into())?;
        parse("SMB1 dialect", at + 2, dialects, to_the_end(Smb1Dialects::element))?;
        Ok(Self { header, dialects: Smb1Dialects::Raw(dialects) })
    }

    /// Appends the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        self.header.encode(w);
        w.bytes(&[0]);
        let at = w.position();
        w.put(&U16::ZERO);
        self.dialects.encode(w);
        w.patch_u16(at, (w.position() - at - 2) as u16);
    }
}

/// Dialects of SMB1: a view when they were parsed, a slice when they are being built.
#[derive(Clone, Copy)]
pub enum Smb1Dialects<'m> {
    /// As they stand in a message: each a 2, the name and a NUL, all of them checked.
    Raw(&'m [u8]),
    /// As they are built: names without NUL.
    List(&'m [&'m [u8]]),
}

impl<'m> Smb1Dialects<'m> {
    /// SMB1 itself.
    pub const NT_LM_0_12: &'static [u8] = b"NT LM 0.12";
    /// SMB 2.0.2
    pub const SMB_2_002: &'static [u8] = b"SMB 2.002";
    /// SMB 2.1 or later, to be negotiated in SMB2.
    pub const SMB_2_WILDCARD: &'static [u8] = b"SMB 2.???";

    /// BufferFormat of a dialect.
    const FORMAT: u8 = 2;

    fn element(input: &'m [u8]) -> Parsed<'m, &'m [u8]> {
        delimited(tag(&[Self::FORMAT][..]), take_till(|byte| byte == 0), tag(&[0][..])).parse(input)
    }

    /// The dialects in order.
    pub fn iter(&self) -> impl Iterator<Item = &'m [u8]> + Clone + use<'m> {
        let mut dialects = *self;
        core::iter::from_fn(move || match &mut dialects {
            Self::Raw(bytes) => {
                let (rest, dialect) = Self::element(bytes).ok()?;
                *bytes = rest;
                Some(dialect)
            }
            Self::List(list) => {
                let (dialect, rest) = list.split_first()?;
                *list = rest;
                Some(*dialect)
            }
        })
    }

    /// Whether `dialect` is among them.
    pub fn contains(&self, dialect: &[u8]) -> bool {
        self.iter().any(|element| element == dialect)
    }

    fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Raw(bytes) => w.bytes(bytes),
            Self::List(list) => list.iter().for_each(|dialect| {
                w.bytes(&[Self::FORMAT]);
                w.bytes(dialect);
                w.bytes(&[0]);
            }),
        }
    }
}

impl PartialEq for Smb1Dialects<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Smb1Dialects<'_> {}

impl fmt::Debug for Smb1Dialects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(alloc::string::String::from_utf8_lossy)).finish()
    }
}

/// SMB_COM_NEGOTIATE response, [MS-CIFS] 2.2.4.52.2, as far as the choice of the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smb1NegotiateResponse {
    /// The header.
    pub header: Smb1Header,
    /// Index of the dialect that the server chose, or [`Smb1NegotiateResponse::NONE`].
    pub dialect_index: u16,
}

impl Smb1NegotiateResponse {
    /// No dialect is accepted.
    pub const NONE: u16 = 0xFFFF;

    /// The answer to `request` that accepts none of its dialects.
    pub fn refuse(request: &Smb1Header) -> Self {
        let header = Smb1Header { flags: request.flags | Smb1Header::FLAG_REPLY, ..*request };
        Self { header, dialect_index: Self::NONE }
    }

    /// Parses `frame`, which is one SMB1 message.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "SMB1 NEGOTIATE response";
        let header = Smb1Header::decode(frame)?;
        if header.command != Smb1Header::NEGOTIATE || header.flags & Smb1Header::FLAG_REPLY == 0 {
            return Err(DecodeError::value(WHAT, 4, header.command.into()));
        }
        let word_count: &u8 = fixed_at(frame, Smb1Header::LEN, WHAT)?;
        if *word_count == 0 {
            return Err(DecodeError::value(WHAT, Smb1Header::LEN, 0));
        }
        let dialect_index: &U16 = fixed_at(frame, Smb1Header::LEN + 1, WHAT)?;
        Ok(Self { header, dialect_index: dialect_index.get() })
    }

    /// Appends a response that ends after DialectIndex, as one that accepts no dialect does.
    pub fn encode(&self, w: &mut Writer<'_>) {
        self.header.encode(w);
        w.bytes(&[1]);
        w.put(&U16::new(self.dialect_index));
        w.put(&U16::ZERO);
    }
}
