//! What the services behind the pipes answer.

use sansmb::{
    rpc::{
        FaultStatus, RpcClient, RpcError, RpcReply, SyntaxId, lsarpc,
        srvsvc::*,
        wkssvc::{self, WkssvcRequest},
    },
    wire::{
        dtyp::{Acl, SecurityDescriptor, Sid},
        *,
    },
};
use sansmb_fileserver::{Access, FileServerConfig, ShareConfig};

use crate::common::{Client, World, memory, requests::*};

/// A client with a pipe on which it asks a service.
pub(crate) struct Asker {
    pub(crate) client: Client,
    pipe: FileId,
    rpc: RpcClient,
}

impl Asker {
    pub(crate) fn new(world: &mut World, user: &str, name: &str, interface: SyntaxId) -> Self {
        let mut client = world.client_of(user, "IPC$");
        let access = AccessMask::GENERIC_READ | AccessMask::GENERIC_WRITE;
        let pipe = client.open(world, name, open().access(access));
        let mut asker = Self { client, pipe, rpc: RpcClient::new(interface, 1 << 20) };
        let bind = asker.rpc.bind();
        assert_eq!(asker.exchange(world, &bind), Ok(Some(RpcReply::Bound)));
        asker
    }

    fn exchange(&mut self, world: &mut World, pdu: &[u8]) -> Result<Option<RpcReply>, RpcError> {
        let response = self.client.ioctl(world, self.pipe, CtlCode::PIPE_TRANSCEIVE, pdu, 65_536);
        assert_eq!(response.status(), NtStatus::SUCCESS);
        let mut reply = self.rpc.received(response.body::<IoctlResponse<'_>>().output)?;
        while reply.is_none() {
            let data = self.client.read(world, self.pipe, 0, 65_536).expect("the rest");
            reply = self.rpc.received(&data)?;
        }
        Ok(reply)
    }

    pub(crate) fn try_call(
        &mut self,
        world: &mut World,
        opnum: u16,
        stub: &[u8],
    ) -> Result<Vec<u8>, RpcError> {
        let mut pdus = self.rpc.call(opnum, stub)?;
        let last = pdus.pop().expect("a message");
        for pdu in pdus {
            assert_eq!(self.client.write(world, self.pipe, 0, &pdu), NtStatus::SUCCESS);
        }
        match self.exchange(world, &last)? {
            Some(RpcReply::Results(stub)) => Ok(stub),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn call(&mut self, world: &mut World, opnum: u16, stub: &[u8]) -> Vec<u8> {
        self.try_call(world, opnum, stub).expect("an answer")
    }
}

fn srvsvc(world: &mut World, user: &str) -> Asker {
    Asker::new(world, user, "srvsvc", INTERFACE)
}

/// The identifier of a user, as the owner of a file on any server of this name.
pub(crate) fn user_sid(user: &str) -> Sid {
    let mut world = World::new();
    let mut client = world.client_of(user, "share");
    let file_id = client.open(&mut world, "file", ALL);
    let request = QueryInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: SecurityInformation::OWNER,
        output_buffer_length: 1000,
        file_id,
        ..Default::default()
    };
    let response = client.call(&mut world, Command::QUERY_INFO, &request);
    let response = response.body::<QueryInfoResponse<'_>>().buffer.to_vec();
    SecurityDescriptor::decode(&response).unwrap().owner.expect("an owner")
}

pub(crate) fn site(config: FileServerConfig) -> FileServerConfig {
    let list = ShareConfig {
        access: Access::List(vec!["alice".into()]),
        access_based_enumeration: true,
        comment: "hers".into(),
        ..ShareConfig::new("Alice", memory())
    };
    FileServerConfig {
        users: vec!["alice".into(), "bob".into()],
        administrators: vec!["root".into()],
        comment: "a server".into(),
        ..config
    }
    .with_share(list)
    .with_share(ShareConfig { encrypt: true, ..ShareConfig::new("vault", memory()) })
}

#[test]
fn shares_are_listed_in_parts() {
    let mut world = World::with(|config| {
        (0..50).fold(config, |config, n| config.with_share(ShareConfig::new(format!("share{n}"), memory())))
    });
    let mut asker = srvsvc(&mut world, "alice");
    let (mut resume_handle, mut names) = (Some(0), Vec::new());
    loop {
        let request =
            SrvsvcRequest::ShareEnum { server: None, level: 1, preferred_length: 500, resume_handle };
        let stub = asker.call(&mut world, request.opnum(), &request.encode());
        let response = ShareEnumResponse::decode(&stub).unwrap();
        assert_eq!(response.total_entries as usize, 52 - names.len());
        names.extend(response.shares.iter().map(|share| share.name.to_text().unwrap()));
        resume_handle = response.resume_handle;
        if response.status == NetStatus::SUCCESS {
            break;
        }
        assert_eq!(response.status, NetStatus::MORE_DATA);
    }
    assert_eq!((names.len(), resume_handle), (52, Some(0)));
    assert_eq!((names[0].as_str(), names[51].as_str()), ("share", "IPC$"));
    let (level, preferred_length, resume_handle) = (0, MAX_PREFERRED_LENGTH, None);
    let request = SrvsvcRequest::ShareEnumSticky { server: None, level, preferred_length, resume_handle };
    let stub = asker.call(&mut world, request.opnum(), &request.encode());
    let response = ShareEnumResponse::decode(&stub).unwrap();
    assert_eq!((response.status, response.shares.len()), (NetStatus::SUCCESS, 51));
}

#[test]
fn shares_are_described_as_far_as_one_may_know() {
    let mut world = World::with(site);
    let mut holder = world.client_of("alice", "Alice");
    holder.open(&mut world, "", open());
    for (user, denied) in [("bob", NetStatus::ACCESS_DENIED), ("root", NetStatus::SUCCESS)] {
        let mut asker = srvsvc(&mut world, user);
        let ok = NetStatus::SUCCESS;
        for (name, level, status) in [
            ("aLICE", 0, ok),
            ("Alice", 1, ok),
            ("Alice", 2, denied),
            ("Alice", 501, ok),
            ("Alice", 502, denied),
            ("Alice", 1005, ok),
            ("Alice", 503, NetStatus::INVALID_LEVEL),
            ("Alice", 77, NetStatus::INVALID_LEVEL),
            ("ipc$", 1, ok),
            ("nothing", 1, NetStatus::NET_NAME_NOT_FOUND),
        ] {
            let share = Utf16Buf::new(name);
            let request = SrvsvcRequest::ShareGetInfo { server: None, share: share.as_utf16(), level };
            let stub = asker.call(&mut world, request.opnum(), &request.encode());
            let response = ShareGetInfoResponse::decode(&stub).unwrap();
            assert_eq!((response.level, response.status), (level, status), "{user} {name}");
            assert_eq!(response.share.is_some(), status == NetStatus::SUCCESS);
            let Some(share) = response.share.filter(|_| name == "Alice") else { continue };
            if level == 1 {
                assert_eq!(share.remark.to_text().as_deref(), Some("hers"));
            }
            if matches!(level, 501 | 1005) {
                assert_eq!(share.flags, ShareInfoFlags::ACCESS_BASED_DIRECTORY_ENUM);
            }
            if matches!(level, 2 | 502) {
                assert_eq!((share.max_uses, share.current_uses), (u32::MAX, 1));
            }
            if level == 502 {
                let descriptor = SecurityDescriptor::decode(share.descriptor).unwrap();
                let Some(Acl { aces, .. }) = descriptor.dacl else { panic!("no list") };
                let sids: Vec<Sid> = aces.iter().filter_map(|ace| ace.sid().copied()).collect();
                assert_eq!(sids, [user_sid("alice")]);
            }
        }
        for (level, status) in [(0, ok), (1, ok), (2, denied), (501, ok), (502, denied)] {
            let list = SrvsvcRequest::ShareEnum {
                server: None,
                level,
                preferred_length: MAX_PREFERRED_LENGTH,
                resume_handle: None,
            };
            let stub = asker.call(&mut world, list.opnum(), &list.encode());
            let response = ShareEnumResponse::decode(&stub).unwrap();
            let count = if status == NetStatus::SUCCESS { 4 } else { 0 };
            assert_eq!((response.status, response.shares.len()), (status, count), "{user} {level}");
            if let Some(vault) = response.shares.get(2).filter(|_| level == 501) {
                assert_eq!(vault.flags, ShareInfoFlags::ENCRYPT_DATA);
            }
        }
    }
}

#[test]
fn the_server_and_its_clock_are_described() {
    let mut world = World::with(site);
    for (user, denied) in [("bob", NetStatus::ACCESS_DENIED), ("root", NetStatus::SUCCESS)] {
        let mut asker = srvsvc(&mut world, user);
        let ok = NetStatus::SUCCESS;
        for (level, status) in [(100, ok), (101, ok), (102, denied), (99, NetStatus::INVALID_LEVEL)] {
            let request = SrvsvcRequest::ServerGetInfo { server: None, level };
            let stub = asker.call(&mut world, request.opnum(), &request.encode());
            let response = ServerGetInfoResponse::decode(&stub).unwrap();
            assert_eq!(response.status, status, "{user} {level}");
            if let Some(info) = response.info {
                assert_eq!((info.platform_id, info.name.to_text().as_deref()), (500, Some("SERVER")));
                assert_eq!(info.comment.is_empty(), level == 100);
            }
        }
        let request = SrvsvcRequest::RemoteTod { server: None };
        let stub = asker.call(&mut world, request.opnum(), &request.encode());
        let time = RemoteTodResponse::decode(&stub).unwrap().time;
        assert_eq!(time, Some(TimeOfDay::new(world.now.wall)));
    }
}

#[test]
fn who_uses_the_server_is_not_for_everybody() {
    let mut world = World::with(site);
    let mut asker = srvsvc(&mut world, "bob");
    for (kind, level) in [(UsageKind::Connections, 1), (UsageKind::Files, 3), (UsageKind::Sessions, 10)] {
        let request = SrvsvcRequest::Usage {
            kind,
            server: None,
            qualifier: None,
            user: None,
            level,
            preferred_length: MAX_PREFERRED_LENGTH,
            resume_handle: None,
        };
        let stub = asker.call(&mut world, request.opnum(), &request.encode());
        assert_eq!(UsageResponse::decode(kind, &stub).unwrap().status, NetStatus::ACCESS_DENIED);
    }
    let request = SrvsvcRequest::FileClose { server: None, id: 1 };
    let stub = asker.call(&mut world, request.opnum(), &request.encode());
    assert_eq!(FileCloseResponse::decode(&stub).unwrap().status, NetStatus::ACCESS_DENIED);
}

/// What an administrator is told, in words.
fn uses(
    world: &mut World,
    asker: &mut Asker,
    kind: UsageKind,
    qualifier: &str,
    user: &str,
    level: u32,
) -> Result<Vec<String>, NetStatus> {
    let (qualifier, user) = (Utf16Buf::new(qualifier), Utf16Buf::new(user));
    let given = |text: &Utf16Buf| !text.as_utf16().is_empty();
    let request = SrvsvcRequest::Usage {
        kind,
        server: None,
        qualifier: Some(qualifier.as_utf16()).filter(|_| given(&qualifier)),
        user: Some(user.as_utf16()).filter(|_| given(&user)),
        level,
        preferred_length: MAX_PREFERRED_LENGTH,
        resume_handle: None,
    };
    let stub = asker.call(world, request.opnum(), &request.encode());
    let response = UsageResponse::decode(kind, &stub).unwrap();
    let told = response.list.iter().map(|info| match info {
        UsageInfo::Connection(c) => {
            format!("{} {} {} {}", c.user.to_text_lossy(), c.net_name.to_text_lossy(), c.opens, c.seconds)
        }
        UsageInfo::File(f) => {
            let permissions = f.permissions.bits();
            format!("{} {} {} {permissions:#x}", f.user.to_text_lossy(), f.path.to_text_lossy(), f.locks)
        }
        UsageInfo::Session(s) => {
            format!(
                "{} {} {} {} {}",
                s.user.to_text_lossy(),
                s.client.to_text_lossy(),
                s.opens,
                s.seconds,
                s.idle
            )
        }
    });
    let told = told.collect();
    if response.status == NetStatus::SUCCESS { Ok(told) } else { Err(response.status) }
}

#[test]
fn administrators_see_who_uses_the_server() {
    let mut world = World::with(|config| {
        let mut config = site(config);
        config.shares[0].path = r"C:\srv\share".into();
        config
    });
    let mut alice = world.client_from(7, "alice");
    let file = alice.open(&mut world, "f", ALL);
    alice.lock(&mut world, file, &[now(exclusive(0, 1)), now(exclusive(5, 1))]);
    let how = open().access(AccessMask::FILE_READ_DATA);
    alice.open(&mut world, "f:stream", ALL.access(AccessMask::FILE_READ_DATA | AccessMask::DELETE));
    world.advance(std::time::Duration::from_secs(90));
    alice.open(&mut world, "f", how);
    world.advance(std::time::Duration::from_secs(10));
    let mut root = srvsvc(&mut world, "root");
    let machine = "07070707-0707-0707-0707-070707070707";
    let world = &mut world;
    let files = [
        r"alice C:\srv\share\f 2 0x7f".to_owned(),
        r"alice C:\srv\share\f:stream 0 0x11".to_owned(),
        r"alice C:\srv\share\f 0 0x1".to_owned(),
    ];
    let ask = uses;
    let kind = UsageKind::Files;
    assert_eq!(ask(world, &mut root, kind, r"c:\SRV\share\", "", 3).unwrap(), files);
    assert_eq!(ask(world, &mut root, kind, "", "Alice", 3).unwrap(), files);
    assert_eq!(ask(world, &mut root, kind, "", "", 3).unwrap().len(), 4, "and a pipe");
    assert_eq!(ask(world, &mut root, kind, r"C:\srv\sha", "", 3).unwrap().len(), 0);
    assert_eq!(ask(world, &mut root, kind, "", "", 1), Err(NetStatus::INVALID_LEVEL));
    assert_eq!(ask(world, &mut root, kind, &"x".repeat(1024), "", 3), Err(NetStatus::INVALID_PARAMETER));
    let kind = UsageKind::Sessions;
    let hers = [format!("alice {machine} 3 100 10")];
    assert_eq!(ask(world, &mut root, kind, "", "alice", 502).unwrap(), hers);
    assert_eq!(ask(world, &mut root, kind, &format!(r"\\{machine}"), "", 1).unwrap(), hers);
    assert_eq!(ask(world, &mut root, kind, "", "", 10).unwrap().len(), 2);
    assert_eq!(ask(world, &mut root, kind, machine, "", 10), Err(NetStatus::INVALID_COMPUTER));
    assert_eq!(ask(world, &mut root, kind, r"\\other", "", 10), Err(NetStatus::CLIENT_NAME_NOT_FOUND));
    assert_eq!(ask(world, &mut root, kind, "", "carol", 10), Err(NetStatus::USER_NOT_FOUND));
    let kind = UsageKind::Connections;
    assert_eq!(ask(world, &mut root, kind, "SHARE", "", 1).unwrap(), [format!("alice {machine} 3 100")]);
    assert_eq!(ask(world, &mut root, kind, &format!(r"\\{machine}"), "", 1).unwrap(), ["alice share 3 100"]);
    assert_eq!(ask(world, &mut root, kind, "IPC$", "", 0).unwrap().len(), 1);
    assert_eq!(ask(world, &mut root, kind, "", "", 1), Err(NetStatus::INVALID_PARAMETER));
    assert_eq!(ask(world, &mut root, kind, "nothing", "", 1), Err(NetStatus::NET_NAME_NOT_FOUND));
    // What is in somebody's way can be closed.
    let id = file.persistent as u32;
    for status in [NetStatus::SUCCESS, NetStatus::FILE_ID_NOT_FOUND] {
        let request = SrvsvcRequest::FileClose { server: None, id };
        let stub = root.call(world, request.opnum(), &request.encode());
        assert_eq!(FileCloseResponse::decode(&stub).unwrap().status, status);
    }
    assert_eq!(alice.write(world, file, 0, b"x"), NtStatus::FILE_CLOSED);
    assert_eq!(ask(world, &mut root, UsageKind::Files, "", "alice", 3).unwrap(), files[1..]);
    world.close_all();
    world.assert_empty();
}

#[test]
fn the_workstation_is_described_as_far_as_one_may_know() {
    use wkssvc::{GetInfoResponse, JoinInformationResponse, JoinStatus, UserEnumResponse};
    let mut world = World::with(site);
    for (user, denied) in [("bob", NetStatus::ACCESS_DENIED), ("root", NetStatus::SUCCESS)] {
        let mut asker = Asker::new(&mut world, user, "wkssvc", wkssvc::INTERFACE);
        let ok = NetStatus::SUCCESS;
        for (level, status) in [(100, ok), (101, ok), (102, denied), (99, NetStatus::INVALID_LEVEL)] {
            let request = WkssvcRequest::GetInfo { server: None, level };
            let stub = asker.call(&mut world, request.opnum(), &request.encode());
            let response = GetInfoResponse::decode(&stub).unwrap();
            assert_eq!(response.status, status, "{user} {level}");
            let Some(info) = response.info else { continue };
            assert_eq!(info.name.to_text().as_deref(), Some("SERVER"));
            assert_eq!(info.domain.to_text().as_deref(), Some("WORKGROUP"));
            assert_eq!(info.logged_on_users, if level == 102 { 2 } else { 0 });
        }
        for level in [0, 1] {
            let (preferred_length, resume_handle) = (MAX_PREFERRED_LENGTH, None);
            let request = WkssvcRequest::UserEnum { server: None, level, preferred_length, resume_handle };
            let stub = asker.call(&mut world, request.opnum(), &request.encode());
            let response = UserEnumResponse::decode(&stub).unwrap();
            assert_eq!(response.status, denied);
            let names: Vec<_> = response.users.iter().map(|user| user.name.to_text().unwrap()).collect();
            assert_eq!(names, if user == "root" { vec!["bob", "root"] } else { vec![] });
        }
        let request = WkssvcRequest::GetJoinInformation { server: None };
        let stub = asker.call(&mut world, request.opnum(), &request.encode());
        let response = JoinInformationResponse::decode(&stub).unwrap();
        assert_eq!((response.join_status, response.status), (JoinStatus::WORKGROUP, NetStatus::SUCCESS));
    }
}

#[test]
fn o7_methods_that_there_are_not_and_arguments_that_lie_are_faults() {
    let mut world = World::with(site);
    for (name, interface, known) in [
        ("srvsvc", INTERFACE, SHARE_ENUM),
        ("wkssvc", wkssvc::INTERFACE, wkssvc::GET_INFO),
        ("lsarpc", lsarpc::INTERFACE, lsarpc::LOOKUP_NAMES3),
    ] {
        let mut asker = Asker::new(&mut world, "bob", name, interface);
        for (opnum, status) in [
            (999, FaultStatus::OP_RNG_ERROR),
            (10, FaultStatus::OP_RNG_ERROR),
            (known, FaultStatus::BAD_STUB_DATA),
        ] {
            for stub in [&[][..], &[1, 2, 3], &[0xFF; 600]] {
                let answer = asker.try_call(&mut world, opnum, stub);
                assert_eq!(answer, Err(RpcError::Fault(status)), "{name} {opnum}");
            }
        }
    }
}
