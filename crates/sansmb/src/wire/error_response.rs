//! ERROR response, [MS-SMB2] 2.2.2.

use nom::Parser;
use zerocopy::little_endian::{U16, U32};

use super::parse::{Parsed, aligned, data, fixed};
use super::{Body, DecodeError, HEADER_LEN, Utf16, Writer, fixed_at, span, span_from};

layout! {
    pub struct ErrorResponseFixed [8] {
        structure_size: U16,
        error_context_count: u8,
        reserved: u8,
        byte_count: U32,
    }
}

/// ERROR response, [MS-SMB2] 2.2.2: the answer to any request that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorResponse<'m> {
    /// How many [`ErrorContext`]s `data` holds (3.1.1); with zero it is the error data itself.
    pub error_context_count: u8,
    /// ErrorData
    pub data: &'m [u8],
}

impl<'m> ErrorResponse<'m> {
    /// An error without data.
    pub const EMPTY: ErrorResponse<'static> = ErrorResponse { error_context_count: 0, data: &[] };

    /// The error contexts; the first that does not parse ends the iteration.
    pub fn contexts(&self) -> impl Iterator<Item = ErrorContext<'m>> + use<'m> {
        let list = self.data;
        let mut rest = list;
        (0..self.error_context_count).map_while(move |_| {
            let (behind, context) = aligned(list, 8, ErrorContext::parse).parse(rest).ok()?;
            rest = behind;
            Some(context)
        })
    }

    /// The error data, taken out of its context where there is one.
    pub fn error_data(&self) -> &'m [u8] {
        if self.error_context_count == 0 {
            return self.data;
        }
        self.contexts().find(|context| context.id == ErrorId::DEFAULT).map_or(&[], |context| context.data)
    }

    /// The buffer length that would have been needed, of STATUS_BUFFER_TOO_SMALL and the like.
    pub fn required_length(&self) -> Option<u32> {
        self.error_data().first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

impl<'m> Body<'m> for ErrorResponse<'m> {
    const NAME: &'static str = "ERROR response";
    const STRUCTURE_SIZE: u16 = 9;
    type Fixed = ErrorResponseFixed;

    fn from_parts(f: &'m ErrorResponseFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let at = HEADER_LEN + size_of::<ErrorResponseFixed>();
        let data = span(msg, "ERROR response data", at, f.byte_count.get() as usize)?;
        Ok(Self { error_context_count: f.error_context_count, data })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&ErrorResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            error_context_count: self.error_context_count,
            reserved: 0,
            byte_count: U32::new(self.data.len() as u32),
        });
        // Clients insist on the one byte that the odd StructureSize promises.
        w.bytes(if self.data.is_empty() { &[0] } else { self.data });
    }
}

open_enum! {
    /// What an error context holds.
    pub struct ErrorId: u32 {
        /// The data that belongs to the status.
        DEFAULT = 0,
        /// A [`ShareRedirect`].
        SHARE_REDIRECT = 0x7264_5253,
    }
}

layout! {
    struct ErrorContextFixed [8] { length: U32, id: U32 }
}

/// SMB2 ERROR Context, [MS-SMB2] 2.2.2.1 (3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorContext<'m> {
    /// What it holds.
    pub id: ErrorId,
    /// ErrorContextData
    pub data: &'m [u8],
}

impl<'m> ErrorContext<'m> {
    fn parse(input: &'m [u8]) -> Parsed<'m, Self> {
        let (input, f) = fixed::<ErrorContextFixed>(input)?;
        let (input, data) = data(f.length.get() as usize)(input)?;
        Ok((input, Self { id: ErrorId(f.id.get()), data }))
    }

    /// Writes one context. The writer counts from the start of [`ErrorResponse::data`].
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.align(8);
        w.put(&ErrorContextFixed { length: U32::new(self.data.len() as u32), id: U32::new(self.id.0) });
        w.bytes(self.data);
    }
}

wire_flags! {
    /// Flags of a symbolic link.
    pub struct SymlinkFlags: u32 {
        /// The target counts from the directory that holds the link.
        const RELATIVE = 0x0000_0001;
    }
}

layout! {
    struct SymlinkFixed [28] {
        symlink_length: U32,
        symlink_error_tag: U32,
        reparse_tag: U32,
        reparse_data_length: U16,
        unparsed_path_length: U16,
        substitute_name_offset: U16,
        substitute_name_length: U16,
        print_name_offset: U16,
        print_name_length: U16,
        flags: U32,
    }
}

/// Symbolic Link Error Response, [MS-SMB2] 2.2.2.2.1: the data of STATUS_STOPPED_ON_SYMLINK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SymbolicLinkErrorResponse<'m> {
    /// Bytes at the end of the requested path that come after the link.
    pub unparsed_path_length: u16,
    /// Whether the target is relative.
    pub flags: SymlinkFlags,
    /// The target.
    pub substitute_name: Utf16<'m>,
    /// The target as a user should see it.
    pub print_name: Utf16<'m>,
}

impl<'m> SymbolicLinkErrorResponse<'m> {
    const ERROR_TAG: u32 = 0x4C4D_5953;
    const REPARSE_TAG: u32 = 0xA000_000C;

    /// Parses [`ErrorResponse::error_data`].
    pub fn decode(data: &'m [u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "symbolic link error response";
        let f: &SymlinkFixed = fixed_at(data, 0, WHAT)?;
        let own = span(data, WHAT, 4, f.symlink_length.get() as usize)?;
        if f.symlink_error_tag.get() != Self::ERROR_TAG {
            return Err(DecodeError::value(WHAT, 4, f.symlink_error_tag.get().into()));
        }
        if f.reparse_tag.get() != Self::REPARSE_TAG {
            return Err(DecodeError::value(WHAT, 8, f.reparse_tag.get().into()));
        }
        let path_buffer = own.get(size_of::<SymlinkFixed>() - 4..).ok_or(DecodeError::truncated(WHAT, 0))?;
        let name = |offset: U16, length: U16| {
            let at = offset.get().into();
            Utf16::new(span(path_buffer, WHAT, at, length.get().into())?, WHAT, at)
        };
        Ok(Self {
            unparsed_path_length: f.unparsed_path_length.get(),
            flags: SymlinkFlags::from_bits_retain(f.flags.get()),
            substitute_name: name(f.substitute_name_offset, f.substitute_name_length)?,
            print_name: name(f.print_name_offset, f.print_name_length)?,
        })
    }

    /// Writes the structure.
    pub fn encode(&self, w: &mut Writer<'_>) {
        let (substitute, print) = (self.substitute_name, self.print_name);
        let names = substitute.len() + print.len();
        w.put(&SymlinkFixed {
            symlink_length: U32::new((size_of::<SymlinkFixed>() - 4 + names) as u32),
            symlink_error_tag: U32::new(Self::ERROR_TAG),
            reparse_tag: U32::new(Self::REPARSE_TAG),
            reparse_data_length: U16::new((12 + names) as u16),
            unparsed_path_length: U16::new(self.unparsed_path_length),
            substitute_name_offset: U16::ZERO,
            substitute_name_length: U16::new(substitute.len() as u16),
            print_name_offset: U16::new(substitute.len() as u16),
            print_name_length: U16::new(print.len() as u16),
            flags: U32::new(self.flags.bits()),
        });
        w.bytes(substitute.as_bytes());
        w.bytes(print.as_bytes());
    }
}

layout! {
    struct RedirectFixed [24] {
        structure_size: U32,
        notification_type: U32,
        resource_name_offset: U32,
        resource_name_length: U32,
        reserved: U16,
        target_type: U16,
        ip_addr_count: U32,
    }
}

layout! {
    /// MOVE_DST_IPADDR, [MS-SMB2] 2.2.2.2.2.1.
    pub struct MoveDstIpAddr [24] {
        kind: U32,
        reserved: U32,
        address: [u8; 16],
    }
}

impl MoveDstIpAddr {
    /// An address of a server to move to.
    pub fn new(address: core::net::IpAddr) -> Self {
        let (kind, bytes) = match address {
            core::net::IpAddr::V4(v4) => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&v4.octets());
                (1, bytes)
            }
            core::net::IpAddr::V6(v6) => (2, v6.octets()),
        };
        Self { kind: U32::new(kind), reserved: U32::ZERO, address: bytes }
    }

    /// The address, unless its type is unknown.
    pub fn address(&self) -> Option<core::net::IpAddr> {
        match (self.kind.get(), self.address) {
            (1, [a, b, c, d, ..]) => Some(core::net::Ipv4Addr::new(a, b, c, d).into()),
            (2, bytes) => Some(core::net::Ipv6Addr::from(bytes).into()),
            _ => None,
        }
    }
}

/// Share Redirect Error Context Response, [MS-SMB2] 2.2.2.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareRedirect<'m> {
    /// Addresses of the server to go to.
    pub addresses: &'m [MoveDstIpAddr],
    /// The share.
    pub resource_name: Utf16<'m>,
}

impl<'m> ShareRedirect<'m> {
    const STRUCTURE_SIZE: u32 = 48;
    const SHARE_MOVE_NOTIFICATION: u32 = 3;

    /// Parses the data of an [`ErrorContext`] whose id is [`ErrorId::SHARE_REDIRECT`].
    pub fn decode(data: &'m [u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "share redirect";
        let f: &RedirectFixed = fixed_at(data, 0, WHAT)?;
        if f.structure_size.get() != Self::STRUCTURE_SIZE {
            return Err(DecodeError::value(WHAT, 0, f.structure_size.get().into()));
        }
        if f.notification_type.get() != Self::SHARE_MOVE_NOTIFICATION {
            return Err(DecodeError::value(WHAT, 4, f.notification_type.get().into()));
        }
        let count = f.ip_addr_count.get() as usize;
        let list = count
            .checked_mul(size_of::<MoveDstIpAddr>())
            .ok_or(DecodeError::truncated(WHAT, 20))
            .and_then(|len| span(data, WHAT, size_of::<RedirectFixed>(), len))?;
        let addresses = zerocopy::FromBytes::ref_from_bytes(list)
            .map_err(|_| DecodeError::truncated(WHAT, size_of::<RedirectFixed>()))?;
        let floor = size_of::<RedirectFixed>() + list.len();
        let at = f.resource_name_offset.get() as usize;
        let name = span_from(data, WHAT, floor, at, f.resource_name_length.get() as usize)?;
        Ok(Self { addresses, resource_name: Utf16::new(name, WHAT, at)? })
    }

    /// Writes the structure.
    pub fn encode(&self, w: &mut Writer<'_>) {
        let name_at = size_of::<RedirectFixed>() + size_of_val(self.addresses);
        w.put(&RedirectFixed {
            structure_size: U32::new(Self::STRUCTURE_SIZE),
            notification_type: U32::new(Self::SHARE_MOVE_NOTIFICATION),
            resource_name_offset: U32::new(name_at as u32),
            resource_name_length: U32::new(self.resource_name.len() as u32),
            reserved: U16::ZERO,
            target_type: U16::ZERO,
            ip_addr_count: U32::new(self.addresses.len() as u32),
        });
        self.addresses.iter().for_each(|address| w.put(address));
        w.bytes(self.resource_name.as_bytes());
    }
}
