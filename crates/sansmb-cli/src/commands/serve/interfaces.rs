//! The machine's network interfaces, as clients that open several connections are told of them.

use std::net::{IpAddr, SocketAddr};

use if_addrs::Interface;
use sansmb::wire::fsctl::{InterfaceCapability, NetworkInterfaceInfo};

/// What is said of an interface that does not know its own speed: a gigabit a second.
const USUAL_SPEED: u64 = 1_000_000_000;

/// The addresses under which a server that listens on `addr` can be reached. None where the system
/// does not say: clients are then content with the connection that they have.
pub(super) fn reachable(addr: SocketAddr) -> Vec<NetworkInterfaceInfo> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().filter(|interface| serves(addr.ip(), interface)).map(describe).collect()
}

fn serves(listens: IpAddr, interface: &Interface) -> bool {
    let ip = interface.ip();
    match listens {
        any if any.is_unspecified() => {
            // A socket for all of IPv6 takes IPv4 as well.
            let family = any.is_ipv6() || ip.is_ipv4();
            family && interface.is_oper_up() && !interface.is_loopback() && !interface.is_link_local()
        }
        one => one == ip,
    }
}

fn describe(interface: &Interface) -> NetworkInterfaceInfo {
    let mut capability = InterfaceCapability::empty();
    if receive_queues(&interface.name) > 1 {
        capability |= InterfaceCapability::RSS_CAPABLE;
    }
    NetworkInterfaceInfo {
        if_index: interface.index.unwrap_or(0),
        capability,
        link_speed: link_speed(&interface.name).unwrap_or(USUAL_SPEED),
        address: interface.ip().into(),
    }
}

/// Bits per second, as Linux knows them.
fn link_speed(name: &str) -> Option<u64> {
    let megabits = std::fs::read_to_string(format!("/sys/class/net/{name}/speed")).ok()?;
    let megabits = megabits.trim().parse::<u64>().ok().filter(|megabits| *megabits > 0)?;
    megabits.checked_mul(1_000_000)
}

/// With more than one, several connections to an interface are worth having.
fn receive_queues(name: &str) -> usize {
    let queues = std::fs::read_dir(format!("/sys/class/net/{name}/queues"));
    queues
        .into_iter()
        .flatten()
        .flatten()
        .filter(|q| q.file_name().as_encoded_bytes().starts_with(b"rx-"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_one_address_is_reachable_there_alone() {
        let addr: SocketAddr = "127.0.0.1:445".parse().unwrap();
        let all = reachable(addr);
        assert!(all.iter().all(|shown| shown.address.ip() == Some(addr.ip())));
        assert!(all.iter().all(|shown| shown.link_speed > 0));
        let nowhere: SocketAddr = "192.0.2.1:445".parse().unwrap();
        assert_eq!(reachable(nowhere), Vec::new());
    }

    #[test]
    fn a_server_on_all_addresses_shows_none_that_only_this_machine_reaches() {
        for addr in ["0.0.0.0:445", "[::]:445"] {
            let all = reachable(addr.parse().unwrap());
            assert!(all.iter().all(|shown| shown.address.ip().is_some_and(|ip| !ip.is_loopback())));
        }
    }
}
