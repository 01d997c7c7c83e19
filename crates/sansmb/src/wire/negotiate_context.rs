//! Contexts of NEGOTIATE, [MS-SMB2] 2.2.3.1 and 2.2.4.1.

use zerocopy::little_endian::{U16, U32};

use super::{
    Cipher, CompressionAlgorithm, DecodeError, HashAlgorithm, SigningAlgorithm, TypedContext, TypedContexts,
    U16List, Utf16, Writer, fixed_at, span,
};

wire_flags! {
    /// Flags of the compression capabilities, [MS-SMB2] 2.2.3.1.3.
    pub struct CompressionFlags: u32 {
        /// Chained compression is supported.
        const CHAINED = 0x0000_0001;
    }
}

wire_flags! {
    /// Flags of the transport capabilities, [MS-SMB2] 2.2.3.1.5.
    pub struct TransportFlags: u32 {
        /// The security of the transport may stand in for SMB2 encryption.
        const ACCEPT_TRANSPORT_LEVEL_SECURITY = 0x0000_0001;
    }
}

open_enum! {
    /// A transform of data sent over RDMA, [MS-SMB2] 2.2.3.1.6.
    pub struct RdmaTransformId: u16 {
        /// None
        NONE = 0x0000,
        /// Encryption
        ENCRYPTION = 0x0001,
        /// Signing
        SIGNING = 0x0002,
    }
}

/// A context of a NEGOTIATE request or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegotiateContext<'m> {
    /// SMB2_PREAUTH_INTEGRITY_CAPABILITIES
    Preauth {
        /// Hashes of the pre-authentication integrity value.
        hash_algorithms: U16List<'m, HashAlgorithm>,
        /// Random bytes that make the hash unpredictable.
        salt: &'m [u8],
    },
    /// SMB2_ENCRYPTION_CAPABILITIES
    Encryption {
        /// Ciphers, the most preferred first.
        ciphers: U16List<'m, Cipher>,
    },
    /// SMB2_COMPRESSION_CAPABILITIES
    Compression {
        /// Whether payloads may be chained.
        flags: CompressionFlags,
        /// Algorithms, the most preferred first.
        algorithms: U16List<'m, CompressionAlgorithm>,
    },
    /// SMB2_NETNAME_NEGOTIATE_CONTEXT_ID: the server name that the client connects to
    Netname(Utf16<'m>),
    /// SMB2_TRANSPORT_CAPABILITIES
    Transport {
        /// What the transport offers.
        flags: TransportFlags,
    },
    /// SMB2_RDMA_TRANSFORM_CAPABILITIES
    RdmaTransform {
        /// Transforms that are supported.
        transforms: U16List<'m, RdmaTransformId>,
    },
    /// SMB2_SIGNING_CAPABILITIES
    Signing {
        /// Algorithms, the most preferred first.
        algorithms: U16List<'m, SigningAlgorithm>,
    },
    /// Any other type, and a Netname that is no string: to be ignored.
    Unknown {
        /// ContextType
        context_type: u16,
        /// Data
        data: &'m [u8],
    },
}

impl NegotiateContext<'_> {
    /// ContextType of [`NegotiateContext::Preauth`].
    pub const PREAUTH: u16 = 1;
    /// ContextType of [`NegotiateContext::Encryption`].
    pub const ENCRYPTION: u16 = 2;
    /// ContextType of [`NegotiateContext::Compression`].
    pub const COMPRESSION: u16 = 3;
    /// ContextType of [`NegotiateContext::Netname`].
    pub const NETNAME: u16 = 5;
    /// ContextType of [`NegotiateContext::Transport`].
    pub const TRANSPORT: u16 = 6;
    /// ContextType of [`NegotiateContext::RdmaTransform`].
    pub const RDMA_TRANSFORM: u16 = 7;
    /// ContextType of [`NegotiateContext::Signing`].
    pub const SIGNING: u16 = 8;
}

/// The contexts of a NEGOTIATE request or response.
pub type NegotiateContexts<'m> = TypedContexts<'m, NegotiateContext<'m>>;

layout! {
    struct PreauthFixed [4] { hash_algorithm_count: U16, salt_length: U16 }
}

layout! {
    struct CompressionFixed [8] { count: U16, padding: U16, flags: U32 }
}

layout! {
    struct RdmaFixed [8] { count: U16, reserved1: U16, reserved2: U32 }
}

/// `count` numbers at `at`.
fn numbers<'m, T>(data: &'m [u8], at: usize, count: U16) -> Result<U16List<'m, T>, DecodeError> {
    let bytes = span(data, "negotiate context algorithms", at, usize::from(count.get()) * 2)?;
    Ok(U16List::Raw(bytes))
}

impl<'m> TypedContext<'m> for NegotiateContext<'m> {
    const NAME: &'static str = "negotiate context";

    fn from_data(context_type: u16, data: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match context_type {
            Self::PREAUTH => {
                let f: &PreauthFixed = fixed_at(data, 0, "preauth integrity capabilities")?;
                let count = f.hash_algorithm_count;
                let salt_at = size_of::<PreauthFixed>() + usize::from(count.get()) * 2;
                Self::Preauth {
                    hash_algorithms: numbers(data, size_of::<PreauthFixed>(), count)?,
                    salt: span(data, "preauth integrity salt", salt_at, f.salt_length.get().into())?,
                }
            }
            Self::ENCRYPTION => {
                let count: &U16 = fixed_at(data, 0, "encryption capabilities")?;
                Self::Encryption { ciphers: numbers(data, 2, *count)? }
            }
            Self::COMPRESSION => {
                let f: &CompressionFixed = fixed_at(data, 0, "compression capabilities")?;
                Self::Compression {
                    flags: CompressionFlags::from_bits_retain(f.flags.get()),
                    algorithms: numbers(data, size_of::<CompressionFixed>(), f.count)?,
                }
            }
            // A server must ignore the name, so one that is malformed cannot fail the request.
            Self::NETNAME => match Utf16::new(data, "netname", 0) {
                Ok(name) => Self::Netname(name),
                Err(_) => Self::Unknown { context_type, data },
            },
            Self::TRANSPORT => {
                let flags: &U32 = fixed_at(data, 0, "transport capabilities")?;
                Self::Transport { flags: TransportFlags::from_bits_retain(flags.get()) }
            }
            Self::RDMA_TRANSFORM => {
                let f: &RdmaFixed = fixed_at(data, 0, "RDMA transform capabilities")?;
                Self::RdmaTransform { transforms: numbers(data, size_of::<RdmaFixed>(), f.count)? }
            }
            Self::SIGNING => {
                let count: &U16 = fixed_at(data, 0, "signing capabilities")?;
                Self::Signing { algorithms: numbers(data, 2, *count)? }
            }
            _ => Self::Unknown { context_type, data },
        })
    }

    fn context_type(&self) -> u16 {
        match self {
            Self::Preauth { .. } => Self::PREAUTH,
            Self::Encryption { .. } => Self::ENCRYPTION,
            Self::Compression { .. } => Self::COMPRESSION,
            Self::Netname(_) => Self::NETNAME,
            Self::Transport { .. } => Self::TRANSPORT,
            Self::RdmaTransform { .. } => Self::RDMA_TRANSFORM,
            Self::Signing { .. } => Self::SIGNING,
            Self::Unknown { context_type, .. } => *context_type,
        }
    }

    fn encode_data(&self, w: &mut Writer<'_>) {
        match self {
            Self::Preauth { hash_algorithms, salt } => {
                w.put(&PreauthFixed {
                    hash_algorithm_count: U16::new(hash_algorithms.len() as u16),
                    salt_length: U16::new(salt.len() as u16),
                });
                hash_algorithms.encode(w);
                w.bytes(salt);
            }
            Self::Encryption { ciphers } => {
                w.put(&U16::new(ciphers.len() as u16));
                ciphers.encode(w);
            }
            Self::Compression { flags, algorithms } => {
                w.put(&CompressionFixed {
                    count: U16::new(algorithms.len() as u16),
                    padding: U16::ZERO,
                    flags: U32::new(flags.bits()),
                });
                algorithms.encode(w);
            }
            Self::Netname(name) => w.bytes(name.as_bytes()),
            Self::Transport { flags } => w.put(&U32::new(flags.bits())),
            Self::RdmaTransform { transforms } => {
                w.put(&RdmaFixed {
                    count: U16::new(transforms.len() as u16),
                    reserved1: U16::ZERO,
                    reserved2: U32::ZERO,
                });
                transforms.encode(w);
            }
            Self::Signing { algorithms } => {
                w.put(&U16::new(algorithms.len() as u16));
                algorithms.encode(w);
            }
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}
