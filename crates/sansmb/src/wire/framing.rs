//! What stands before each message on the transport: the Direct TCP prefix, [MS-SMB2] 2.1, and the
//! session packets of NetBIOS over TCP, RFC 1002, 4.3.

use core::fmt;

use zerocopy::big_endian::U16;

use super::{DecodeError, Writer, fixed_at};

open_enum! {
    /// The first byte of a prefix, RFC 1002, 4.3.1. Direct TCP knows only the session message.
    pub struct SessionPacketType: u8 {
        /// A message of SMB follows.
        SESSION_MESSAGE = 0x00,
        /// The client asks for a session.
        SESSION_REQUEST = 0x81,
        /// The server agrees.
        POSITIVE_SESSION_RESPONSE = 0x82,
        /// The server refuses.
        NEGATIVE_SESSION_RESPONSE = 0x83,
        /// The server sends the client elsewhere.
        RETARGET_SESSION_RESPONSE = 0x84,
        /// Nothing is meant.
        SESSION_KEEP_ALIVE = 0x85,
    }
}

/// The four bytes before each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePrefix {
    /// What follows.
    pub packet_type: SessionPacketType,
    /// Its length in bytes, at most [`FramePrefix::MAX_LENGTH`].
    pub length: u32,
}

impl FramePrefix {
    /// Length of the prefix itself.
    pub const LEN: usize = 4;
    /// The longest message of Direct TCP: 24 bits.
    pub const MAX_LENGTH: u32 = 0x00FF_FFFF;
    /// The longest message of NetBIOS: 17 bits.
    pub const MAX_NETBIOS_LENGTH: u32 = 0x0001_FFFF;

    /// The prefix of a message of `length` bytes, unless that is too long.
    pub fn message(length: usize) -> Option<Self> {
        let length = u32::try_from(length).ok().filter(|length| *length <= Self::MAX_LENGTH)?;
        Some(Self { packet_type: SessionPacketType::SESSION_MESSAGE, length })
    }

    /// Takes the prefix apart. Which types and lengths are allowed depends on the transport.
    pub fn from_bytes([packet_type, a, b, c]: [u8; 4]) -> Self {
        Self { packet_type: SessionPacketType(packet_type), length: u32::from_be_bytes([0, a, b, c]) }
    }

    /// The prefix as it stands on the wire.
    pub fn to_bytes(self) -> [u8; 4] {
        let [_, a, b, c] = self.length.to_be_bytes();
        [self.packet_type.0, a, b, c]
    }
}

/// A NetBIOS name: fifteen characters and a suffix that tells services apart, RFC 1001, 14.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetbiosName(pub [u8; 16]);

impl NetbiosName {
    /// Suffix of a file server.
    pub const SERVER: u8 = 0x20;
    /// Suffix of a workstation.
    pub const WORKSTATION: u8 = 0x00;
    /// The name that every file server answers to.
    pub const SMBSERVER: Self = Self(*b"*SMBSERVER      ");

    /// Length of an encoded name without a scope.
    const ENCODED_LEN: usize = 34;
    /// Length of any encoded name at most, RFC 1002, 4.1.
    const MAX_ENCODED_LEN: usize = 255;

    /// `name` in capitals, filled up with spaces. `None` if it is longer than fifteen bytes, empty, or
    /// not ASCII.
    pub fn new(name: &str, suffix: u8) -> Option<Self> {
        if name.is_empty() || name.len() > 15 || !name.is_ascii() {
            return None;
        }
        let mut bytes = [b' '; 16];
        bytes.iter_mut().zip(name.bytes()).for_each(|(byte, c)| *byte = c.to_ascii_uppercase());
        bytes[15] = suffix;
        Some(Self(bytes))
    }

    /// The last byte.
    pub fn suffix(&self) -> u8 {
        self.0[15]
    }

    /// Parses the name at `at` in its first-level encoding, RFC 1001, 14.1. Returns where it ends. A
    /// scope is passed over.
    fn decode(bytes: &[u8], at: usize) -> Result<(Self, usize), DecodeError> {
        const WHAT: &str = "NetBIOS name";
        let encoded: &[u8; 33] = fixed_at(bytes, at, WHAT)?;
        let [0x20, letters @ ..] = encoded else {
            return Err(DecodeError::value(WHAT, at, encoded[0].into()));
        };
        let mut name = [0; 16];
        let (pairs, _) = letters.as_chunks::<2>();
        for (byte, pair) in name.iter_mut().zip(pairs) {
            if !pair.iter().all(|letter| (b'A'..=b'P').contains(letter)) {
                return Err(DecodeError::value(WHAT, at, u16::from_be_bytes(*pair).into()));
            }
            *byte = (pair[0] - b'A') << 4 | (pair[1] - b'A');
        }
        let mut end = at + encoded.len();
        loop {
            let label: &u8 = fixed_at(bytes, end, WHAT)?;
            end += 1 + usize::from(*label);
            if *label == 0 {
                return Ok((Self(name), end));
            }
            // No compression pointers here, and no endless names.
            if *label > 63 || end - at > Self::MAX_ENCODED_LEN {
                return Err(DecodeError::value(WHAT, end, u64::from(*label)));
            }
        }
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(&[0x20]);
        self.0.iter().for_each(|byte| w.bytes(&[b'A' + (byte >> 4), b'A' + (byte & 15)]));
        w.bytes(&[0]);
    }
}

impl fmt::Debug for NetbiosName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = self.0.split_at(15);
        write!(f, "{}<{:02x}>", name.trim_ascii_end().escape_ascii(), self.suffix())
    }
}

open_enum! {
    /// Why the server refuses a session, RFC 1002, 4.3.4.
    pub struct SessionRefusal: u8 {
        /// Not listening on the called name
        NOT_LISTENING_ON_CALLED_NAME = 0x80,
        /// Not listening for the calling name
        NOT_LISTENING_FOR_CALLING_NAME = 0x81,
        /// The called name is not there
        CALLED_NAME_NOT_PRESENT = 0x82,
        /// Not enough resources
        INSUFFICIENT_RESOURCES = 0x83,
        /// Some other reason
        UNSPECIFIED = 0x8F,
    }
}

/// A packet of the NetBIOS session service other than a message, RFC 1002, 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionPacket {
    /// Asks for a session.
    Request {
        /// The server's name.
        called: NetbiosName,
        /// The client's name.
        calling: NetbiosName,
    },
    /// Agrees.
    Positive,
    /// Refuses.
    Negative(SessionRefusal),
    /// Sends the client elsewhere.
    Retarget {
        /// IPv4 address
        address: [u8; 4],
        /// TCP port
        port: u16,
    },
    /// Means nothing.
    KeepAlive,
}

layout! {
    struct RetargetFixed [6] { address: [u8; 4], port: U16 }
}

impl SessionPacket {
    /// Parses what follows a prefix of `packet_type`; a session message is not parsed here.
    pub fn decode(packet_type: SessionPacketType, body: &[u8]) -> Result<Self, DecodeError> {
        Ok(match packet_type {
            SessionPacketType::SESSION_REQUEST => {
                let (called, end) = NetbiosName::decode(body, 0)?;
                let (calling, _) = NetbiosName::decode(body, end)?;
                Self::Request { called, calling }
            }
            SessionPacketType::POSITIVE_SESSION_RESPONSE => Self::Positive,
            SessionPacketType::NEGATIVE_SESSION_RESPONSE => {
                let reason: &u8 = fixed_at(body, 0, "NEGATIVE SESSION RESPONSE")?;
                Self::Negative(SessionRefusal(*reason))
            }
            SessionPacketType::RETARGET_SESSION_RESPONSE => {
                let f: &RetargetFixed = fixed_at(body, 0, "RETARGET SESSION RESPONSE")?;
                Self::Retarget { address: f.address, port: f.port.get() }
            }
            SessionPacketType::SESSION_KEEP_ALIVE => Self::KeepAlive,
            _ => return Err(DecodeError::value("session packet type", 0, packet_type.0.into())),
        })
    }

    /// Appends the packet with its prefix.
    pub fn encode(&self, w: &mut Writer<'_>) {
        let (packet_type, length) = match self {
            Self::Request { .. } => (SessionPacketType::SESSION_REQUEST, 2 * NetbiosName::ENCODED_LEN),
            Self::Positive => (SessionPacketType::POSITIVE_SESSION_RESPONSE, 0),
            Self::Negative(_) => (SessionPacketType::NEGATIVE_SESSION_RESPONSE, 1),
            Self::Retarget { .. } => {
                (SessionPacketType::RETARGET_SESSION_RESPONSE, size_of::<RetargetFixed>())
            }
            Self::KeepAlive => (SessionPacketType::SESSION_KEEP_ALIVE, 0),
        };
        w.bytes(&FramePrefix { packet_type, length: length as u32 }.to_bytes());
        match self {
            Self::Request { called, calling } => {
                called.encode(w);
                calling.encode(w);
            }
            Self::Negative(reason) => w.bytes(&[reason.0]),
            Self::Retarget { address, port } => {
                w.put(&RetargetFixed { address: *address, port: U16::new(*port) });
            }
            Self::Positive | Self::KeepAlive => {}
        }
    }
}
