//! TREE_CONNECT, [MS-SMB2] 2.2.9 and 2.2.10.

use zerocopy::little_endian::{U16, U32};

use super::{
    AccessMask, Body, DecodeError, HEADER_LEN, TypedContext, TypedContexts, Utf16, Writer, fixed_at,
    span_from,
};

wire_flags! {
    /// Flags of a TREE_CONNECT request (3.1.1).
    pub struct TreeConnectFlags: u16 {
        /// The client was connected to this cluster share before.
        const CLUSTER_RECONNECT = 0x0001;
        /// The client understands a share redirect error.
        const REDIRECT_TO_OWNER = 0x0002;
        /// The extension is present.
        const EXTENSION_PRESENT = 0x0004;
    }
}

/// A context of a TREE_CONNECT request, [MS-SMB2] 2.2.9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeConnectContext<'m> {
    /// SMB2_REMOTED_IDENTITY_TREE_CONNECT, [MS-SMB2] 2.2.9.2.1, not interpreted
    RemotedIdentity(&'m [u8]),
    /// Any other type
    Unknown {
        /// ContextType
        context_type: u16,
        /// Data
        data: &'m [u8],
    },
}

/// The contexts of a TREE_CONNECT request.
pub type TreeConnectContexts<'m> = TypedContexts<'m, TreeConnectContext<'m>>;

impl TreeConnectContext<'_> {
    /// ContextType of [`TreeConnectContext::RemotedIdentity`].
    pub const REMOTED_IDENTITY: u16 = 1;
}

impl<'m> TypedContext<'m> for TreeConnectContext<'m> {
    const NAME: &'static str = "tree connect context";

    fn from_data(context_type: u16, data: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match context_type {
            Self::REMOTED_IDENTITY => Self::RemotedIdentity(data),
            _ => Self::Unknown { context_type, data },
        })
    }

    fn context_type(&self) -> u16 {
        match self {
            Self::RemotedIdentity(_) => Self::REMOTED_IDENTITY,
            Self::Unknown { context_type, .. } => *context_type,
        }
    }

    fn encode_data(&self, w: &mut Writer<'_>) {
        match self {
            Self::RemotedIdentity(data) | Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

layout! {
    pub struct TreeConnectRequestFixed [8] {
        structure_size: U16,
        flags: U16,
        path_offset: U16,
        path_length: U16,
    }
}

layout! {
    struct ExtensionFixed [16] {
        context_offset: U32,
        context_count: U16,
        reserved: [u8; 10],
    }
}

/// TREE_CONNECT request, [MS-SMB2] 2.2.9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeConnectRequest<'m> {
    /// How to connect (3.1.1). [`TreeConnectFlags::EXTENSION_PRESENT`] is sent as `extension` says.
    pub flags: TreeConnectFlags,
    /// `\\server\share`
    pub path: Utf16<'m>,
    /// The contexts of SMB2 TREE_CONNECT Request Extension, [MS-SMB2] 2.2.9.1.
    pub extension: Option<TreeConnectContexts<'m>>,
}

impl<'m> Body<'m> for TreeConnectRequest<'m> {
    const NAME: &'static str = "TREE_CONNECT request";
    const STRUCTURE_SIZE: u16 = 9;
    type Fixed = TreeConnectRequestFixed;

    fn from_parts(f: &'m TreeConnectRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        const PATH: &str = "TREE_CONNECT request path";
        let floor = HEADER_LEN + size_of::<TreeConnectRequestFixed>();
        let flags = TreeConnectFlags::from_bits_retain(f.flags.get());
        let at = f.path_offset.get().into();
        let path = Utf16::new(span_from(msg, PATH, floor, at, f.path_length.get().into())?, PATH, at)?;
        let extension = if flags.contains(TreeConnectFlags::EXTENSION_PRESENT) {
            let extension: &ExtensionFixed = fixed_at(msg, floor, "TREE_CONNECT request extension")?;
            // This offset counts from the body, unlike all others.
            let at = HEADER_LEN.saturating_add(extension.context_offset.get() as usize);
            let floor = floor + size_of::<ExtensionFixed>();
            Some(TreeConnectContexts::decode(msg, floor, at, extension.context_count.get())?)
        } else {
            None
        };
        Ok(Self { flags, path, extension })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let body_at = w.position();
        let mut flags = self.flags.difference(TreeConnectFlags::EXTENSION_PRESENT);
        let mut path_at = body_at + size_of::<TreeConnectRequestFixed>();
        if self.extension.is_some() {
            flags |= TreeConnectFlags::EXTENSION_PRESENT;
            path_at += size_of::<ExtensionFixed>();
        }
        w.put(&TreeConnectRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            flags: U16::new(flags.bits()),
            path_offset: U16::new(path_at as u16),
            path_length: U16::new(self.path.len() as u16),
        });
        if let Some(contexts) = &self.extension {
            let contexts_at = (path_at + self.path.len()).next_multiple_of(8) - body_at;
            w.put(&ExtensionFixed {
                context_offset: U32::new(if contexts.is_empty() { 0 } else { contexts_at as u32 }),
                context_count: U16::new(contexts.len() as u16),
                reserved: [0; 10],
            });
        }
        w.bytes(self.path.as_bytes());
        if let Some(contexts) = &self.extension {
            contexts.encode(w);
        }
    }
}

open_enum! {
    /// What kind of share it is.
    pub struct ShareType: u8 {
        /// Files
        DISK = 0x01,
        /// Named pipes
        PIPE = 0x02,
        /// A printer
        PRINT = 0x03,
    }
}

wire_flags! {
    /// Properties of a share, [MS-SMB2] 2.2.10.
    pub struct ShareFlags: u32 {
        /// Part of a DFS tree.
        const DFS = 0x0000_0001;
        /// Part of a DFS root.
        const DFS_ROOT = 0x0000_0002;
        /// The caching property, one of four values; none of its bits is manual caching.
        const CACHING_MASK = 0x0000_0030;
        /// Caching: files that are used may be cached.
        const AUTO_CACHING = 0x0000_0010;
        /// Caching: cached files may be used offline even when the share is there.
        const VDO_CACHING = 0x0000_0020;
        /// Caching: none.
        const NO_CACHING = 0x0000_0030;
        /// Opens that deny reading are not allowed.
        const RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100;
        /// Opens that deny deletion are not allowed.
        const FORCE_SHARED_DELETE = 0x0000_0200;
        /// Ignored.
        const ALLOW_NAMESPACE_CACHING = 0x0000_0400;
        /// Listings show what the user may open.
        const ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800;
        /// No exclusive caching rights.
        const FORCE_LEVELII_OPLOCK = 0x0000_1000;
        /// Branch cache, version 1 (2.1 and later).
        const ENABLE_HASH_V1 = 0x0000_2000;
        /// Branch cache, version 2 (3.x).
        const ENABLE_HASH_V2 = 0x0000_4000;
        /// Encryption is required (3.x).
        const ENCRYPT_DATA = 0x0000_8000;
        /// Identities may be remoted.
        const IDENTITY_REMOTING = 0x0004_0000;
        /// READ and WRITE are to be compressed (3.1.1).
        const COMPRESS_DATA = 0x0010_0000;
        /// The share would like connections of its own.
        const ISOLATED_TRANSPORT = 0x0020_0000;
    }
}

wire_flags! {
    /// Capabilities of a share, [MS-SMB2] 2.2.10.
    pub struct ShareCapabilities: u32 {
        /// Part of a DFS tree.
        const DFS = 0x0000_0008;
        /// Continuously available (3.x).
        const CONTINUOUS_AVAILABILITY = 0x0000_0010;
        /// On a scale-out server (3.x).
        const SCALEOUT = 0x0000_0020;
        /// On a cluster with a witness (3.x).
        const CLUSTER = 0x0000_0040;
        /// The owner may change (3.0.2 and later).
        const ASYMMETRIC = 0x0000_0080;
        /// The server may redirect to the owner (3.1.1).
        const REDIRECT_TO_OWNER = 0x0000_0100;
    }
}

layout! {
    pub struct TreeConnectResponseFixed [16] {
        structure_size: U16,
        share_type: u8,
        reserved: u8,
        share_flags: U32,
        capabilities: U32,
        maximal_access: U32,
    }
}

/// TREE_CONNECT response, [MS-SMB2] 2.2.10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeConnectResponse {
    /// Disk, pipe or printer.
    pub share_type: ShareType,
    /// Properties of the share.
    pub share_flags: ShareFlags,
    /// Capabilities of the share.
    pub capabilities: ShareCapabilities,
    /// What the user may do there at most.
    pub maximal_access: AccessMask,
}

impl<'m> Body<'m> for TreeConnectResponse {
    const NAME: &'static str = "TREE_CONNECT response";
    const STRUCTURE_SIZE: u16 = 16;
    type Fixed = TreeConnectResponseFixed;

    fn from_parts(f: &'m TreeConnectResponseFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            share_type: ShareType(f.share_type),
            share_flags: ShareFlags::from_bits_retain(f.share_flags.get()),
            capabilities: ShareCapabilities::from_bits_retain(f.capabilities.get()),
            maximal_access: AccessMask::from_bits_retain(f.maximal_access.get()),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&TreeConnectResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            share_type: self.share_type.0,
            reserved: 0,
            share_flags: U32::new(self.share_flags.bits()),
            capabilities: U32::new(self.capabilities.bits()),
            maximal_access: U32::new(self.maximal_access.bits()),
        });
    }
}
