//! QUERY_NETWORK_INTERFACE_INFO, [MS-SMB2] 2.2.32.5.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use zerocopy::big_endian::{U16 as BeU16, U32 as BeU32};
use zerocopy::little_endian::{U16, U32, U64};

use super::super::fscc::{Entries, Entry};
use super::super::{DecodeError, Structure, Writer, fixed_at};

wire_flags! {
    /// What a network interface can do.
    pub struct InterfaceCapability: u32 {
        /// Receive-side scaling: several connections to it are of use.
        const RSS_CAPABLE = 0x0000_0001;
        /// RDMA
        const RDMA_CAPABLE = 0x0000_0002;
    }
}

/// SOCKADDR_STORAGE, [MS-SMB2] 2.2.32.5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// An IPv4 or IPv6 address. The port is reserved: connect to the port of this connection.
    Ip(SocketAddr),
    /// Another family: the bytes behind the family.
    Other(u16, [u8; 126]),
}

impl SocketAddress {
    const INTER_NETWORK: u16 = 0x0002;
    const INTER_NETWORK_V6: u16 = 0x0017;

    /// The IP address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()),
            Self::Other(..) => None,
        }
    }
}

impl From<IpAddr> for SocketAddress {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(SocketAddr::new(ip, 0))
    }
}

layout! {
    struct InterfaceFixed [152] {
        next: U32,
        if_index: U32,
        capability: U32,
        reserved: U32,
        link_speed: U64,
        family: U16,
        address: [u8; 126],
    }
}

layout! {
    struct SockaddrIn [6] { port: BeU16, address: [u8; 4] }
}

layout! {
    struct SockaddrIn6 [26] { port: BeU16, flow_info: BeU32, address: [u8; 16], scope_id: BeU32 }
}

/// NETWORK_INTERFACE_INFO: one address of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkInterfaceInfo {
    /// Number of the interface.
    pub if_index: u32,
    /// What it can do.
    pub capability: InterfaceCapability,
    /// Bits per second.
    pub link_speed: u64,
    /// Its address.
    pub address: SocketAddress,
}

impl<'m> Structure<'m> for NetworkInterfaceInfo {
    const NAME: &'static str = "NETWORK_INTERFACE_INFO";
    const FIXED_LEN: usize = size_of::<InterfaceFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &InterfaceFixed = fixed_at(bytes, 0, Self::NAME)?;
        let address = match f.family.get() {
            SocketAddress::INTER_NETWORK => {
                let a: &SockaddrIn = fixed_at(&f.address, 0, Self::NAME)?;
                SocketAddress::Ip(SocketAddrV4::new(Ipv4Addr::from(a.address), a.port.get()).into())
            }
            SocketAddress::INTER_NETWORK_V6 => {
                let a: &SockaddrIn6 = fixed_at(&f.address, 0, Self::NAME)?;
                let ip = Ipv6Addr::from(a.address);
                let address = SocketAddrV6::new(ip, a.port.get(), a.flow_info.get(), a.scope_id.get());
                SocketAddress::Ip(address.into())
            }
            family => SocketAddress::Other(family, f.address),
        };
        Ok(Self {
            if_index: f.if_index.get(),
            capability: InterfaceCapability::from_bits_retain(f.capability.get()),
            link_speed: f.link_speed.get(),
            address,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let start = w.position();
        let family = match self.address {
            SocketAddress::Ip(SocketAddr::V4(_)) => SocketAddress::INTER_NETWORK,
            SocketAddress::Ip(SocketAddr::V6(_)) => SocketAddress::INTER_NETWORK_V6,
            SocketAddress::Other(family, _) => family,
        };
        w.put(&U32::ZERO);
        w.put(&U32::new(self.if_index));
        w.put(&U32::new(self.capability.bits()));
        w.put(&U32::ZERO);
        w.put(&U64::new(self.link_speed));
        w.put(&U16::new(family));
        match self.address {
            SocketAddress::Ip(SocketAddr::V4(a)) => {
                w.put(&SockaddrIn { port: BeU16::new(a.port()), address: a.ip().octets() });
            }
            SocketAddress::Ip(SocketAddr::V6(a)) => w.put(&SockaddrIn6 {
                port: BeU16::new(a.port()),
                flow_info: BeU32::new(a.flowinfo()),
                address: a.ip().octets(),
                scope_id: BeU32::new(a.scope_id()),
            }),
            SocketAddress::Other(_, bytes) => w.bytes(&bytes),
        }
        w.zeros((start + size_of::<InterfaceFixed>()).saturating_sub(w.position()));
    }
}

impl<'m> Entry<'m> for NetworkInterfaceInfo {
    const ALIGNMENT: usize = 8;
}

/// The interfaces of a server; a list that leads back, or nowhere, ends with an error.
pub type NetworkInterfaces<'m> = Entries<'m, NetworkInterfaceInfo>;
