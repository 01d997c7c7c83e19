//! From a captured packet to its TCP segment.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// A TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) payload: &'a [u8],
}

/// Takes headers off, down to TCP. `None` for everything else, and for link types that are unknown.
pub(super) fn segment(link: i32, data: &[u8]) -> Option<Segment<'_>> {
    /// Its numbers differ with the operating system; the version in the IP header tells more.
    const NULL_HEADER: usize = 4;
    const SLL_HEADER: usize = 16;
    const SLL2_HEADER: usize = 20;
    let packet = match link {
        1 => LaxSlicedPacket::from_ethernet(data).ok()?,
        0 | 108 => LaxSlicedPacket::from_ip(data.get(NULL_HEADER..)?).ok()?,
        12 | 14 | 101 | 228 | 229 => LaxSlicedPacket::from_ip(data).ok()?,
        113 => cooked(data.get(14..16)?, data.get(SLL_HEADER..)?)?,
        276 => cooked(data.get(..2)?, data.get(SLL2_HEADER..)?)?,
        _ => return None,
    };
    let (from, to): (IpAddr, IpAddr) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        _ => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { return None };
    Some(Segment {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ack: tcp.ack(),
        payload: tcp.payload(),
    })
}

fn cooked<'a>(protocol: &[u8], rest: &'a [u8]) -> Option<LaxSlicedPacket<'a>> {
    let protocol = u16::from_be_bytes(protocol.try_into().ok()?);
    Some(LaxSlicedPacket::from_ether_type(EtherType(protocol), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: [u8; 8] = [10, 0, 0, 1, 10, 0, 0, 2];

    fn tcp() -> Vec<u8> {
        let mut tcp = [0xC0_u16, 445].map(u16::to_be_bytes).concat();
        tcp.extend([0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        tcp.extend(b"data");
        tcp
    }

    fn ipv4() -> Vec<u8> {
        let len = 20 + tcp().len() as u8;
        let head = [0x45, 0, 0, len, 0, 0, 0, 0, 64, 6, 0, 0];
        [&head[..], &ADDRESSES, &tcp()].concat()
    }

    fn ipv6() -> Vec<u8> {
        let head = [0x60, 0, 0, 0, 0, tcp().len() as u8, 6, 64];
        [&head[..], &[0; 15], &[1], &[0; 15], &[2], &tcp()].concat()
    }

    #[track_caller]
    fn check(link: i32, head: &[u8], packet: &[u8]) {
        let bytes = [head, packet].concat();
        let segment = segment(link, &bytes).expect("a segment");
        assert_eq!((segment.to.port(), segment.sequence, segment.payload), (445, 7, &b"data"[..]));
        assert!(segment.ack && !segment.syn);
    }

    #[test]
    fn every_link_type() {
        let ethernet = |kind: [u8; 2]| [&[0; 12][..], &kind].concat();
        check(1, &ethernet([0x08, 0x00]), &ipv4());
        check(1, &ethernet([0x86, 0xDD]), &ipv6());
        let vlan = [&ethernet([0x81, 0x00])[..], &[0, 5, 8, 0]].concat();
        check(1, &vlan, &ipv4());
        check(0, &[2, 0, 0, 0], &ipv4());
        check(108, &[0, 0, 0, 24], &ipv6());
        check(101, &[], &ipv4());
        check(228, &[], &ipv4());
        check(229, &[], &ipv6());
        check(113, &[&[0; 14][..], &[0x08, 0x00]].concat(), &ipv4());
        check(276, &[&[0x86, 0xDD][..], &[0; 18]].concat(), &ipv6());
    }

    #[test]
    fn padding_of_short_frames_is_no_data() {
        let padded = [&[0; 12][..], &[0x08, 0x00], &ipv4(), &[0; 6]].concat();
        assert_eq!(segment(1, &padded).map(|segment| segment.payload), Some(&b"data"[..]));
    }

    #[test]
    fn cut_packets_give_what_is_there() {
        let packet = ipv4();
        assert_eq!(segment(101, &packet[..packet.len() - 2]).map(|it| it.payload), Some(&b"da"[..]));
        for len in 0..40 {
            assert_eq!(segment(101, &packet[..len]), None, "{len}");
        }
    }

    #[test]
    fn what_is_no_tcp_is_left_out() {
        let mut udp = ipv4();
        udp[9] = 17;
        assert_eq!(segment(101, &udp), None);
        assert_eq!(segment(1, &[&[0; 12][..], &[0x08, 0x06], &[0; 28]].concat()), None);
        assert_eq!(segment(9999, &ipv4()), None);
    }
}
