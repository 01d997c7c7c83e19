//! FSCTL_QUERY_NETWORK_INTERFACE_INFO, and sessions that become somebody else's.

use sansmb::wire::{
    fscc::Entries,
    fsctl::{InterfaceCapability, NetworkInterfaceInfo},
    *,
};
use sansmb_fileserver::FileServerConfig;

use crate::common::{World, requests::*};

fn interface(if_index: u32, address: [u8; 4]) -> NetworkInterfaceInfo {
    NetworkInterfaceInfo {
        if_index,
        capability: InterfaceCapability::RSS_CAPABLE,
        link_speed: 1_000_000_000,
        address: std::net::IpAddr::from(address).into(),
    }
}

#[test]
fn interfaces_are_shown_where_multichannel_is_negotiated() {
    let interfaces =
        vec![interface(0, [10, 0, 0, 1]), interface(2, [10, 0, 0, 2]), interface(2, [10, 0, 0, 3])];
    let mut world = World::with(|config| FileServerConfig { interfaces: interfaces.clone(), ..config });
    let code = CtlCode::QUERY_NETWORK_INTERFACE_INFO;
    let mut plain = world.client();
    assert_eq!(plain.ioctl(&mut world, FileId::ANY, code, &[], 1000).status(), NtStatus::NOT_SUPPORTED);
    world.client_capabilities |= Capabilities::MULTI_CHANNEL;
    let mut client = world.client();
    let response = client.ioctl(&mut world, FileId::ANY, code, &[], 1000);
    let body = response.body::<IoctlResponse<'_>>();
    assert_eq!(body.file_id, FileId::ANY);
    let shown: Vec<_> = Entries::<NetworkInterfaceInfo>::new(body.output).map(Result::unwrap).collect();
    assert_eq!(shown, interfaces[1..], "interface 0 is none");
    let small = client.ioctl(&mut world, FileId::ANY, code, &[], 200).status();
    assert_eq!(small, NtStatus::BUFFER_TOO_SMALL);
    let file = client.open(&mut world, "file", ALL);
    let named = client.ioctl(&mut world, file, code, &[], 1000).status();
    assert_eq!(named, NtStatus::INVALID_PARAMETER, "it is about no file");
}

#[test]
fn n15_a_session_that_becomes_somebody_elses_opens_no_more_of_what_is_not_theirs() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"mine");
    let file = client.open(&mut world, "file", ALL);
    for user in ["guest", "nobody"] {
        assert_eq!(client.set_up(&mut world, user, SessionId(0)).status(), NtStatus::SUCCESS);
        assert_eq!(client.create_status(&mut world, "file", ALL), NtStatus::ACCESS_DENIED);
        client.standard(&mut world, file);
    }
    assert_eq!(client.tree_connect(&mut world, r"\\server\IPC$").status(), NtStatus::ACCESS_DENIED);
    assert_eq!(client.set_up(&mut world, "alice", SessionId(0)).status(), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "file", ALL), NtStatus::SUCCESS);
}
