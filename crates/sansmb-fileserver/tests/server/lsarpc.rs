//! What the local security authority answers: names and identifiers.

use sansmb::{
    rpc::{FaultStatus, RpcError, lsarpc::*},
    wire::{Guid, NtStatus, SessionId, Utf16, Utf16Buf, dtyp::Sid},
};
use sansmb_fileserver::{Access, ShareConfig};

use crate::{
    common::{World, memory},
    services::{Asker, site, user_sid},
};

fn lsarpc(world: &mut World, user: &str) -> Asker {
    Asker::new(world, user, "lsarpc", INTERFACE)
}

fn open_policy(world: &mut World, asker: &mut Asker, access: PolicyAccess) -> OpenPolicyResponse {
    let attributes = ObjectAttributes::default();
    let request =
        LsaRequest::OpenPolicy { opnum: OPEN_POLICY2, system: None, attributes, access, version: 0 };
    let stub = asker.call(world, request.opnum(), &request.encode());
    OpenPolicyResponse::decode(OPEN_POLICY2, &stub).unwrap()
}

fn policy(world: &mut World, asker: &mut Asker) -> PolicyHandle {
    let response = open_policy(world, asker, PolicyAccess::MAXIMUM_ALLOWED);
    assert_eq!(response.status, NtStatus::SUCCESS);
    response.handle
}

#[test]
fn a_policy_opens_for_what_one_may() {
    let mut world = World::with(site);
    let denied = NtStatus::ACCESS_DENIED;
    for (user, access, status) in [
        ("bob", PolicyAccess::MAXIMUM_ALLOWED, NtStatus::SUCCESS),
        ("bob", PolicyAccess::LOOKUP_NAMES | PolicyAccess::VIEW_LOCAL_INFORMATION, NtStatus::SUCCESS),
        ("bob", PolicyAccess::GENERIC_EXECUTE, NtStatus::SUCCESS),
        ("bob", PolicyAccess::empty(), NtStatus::INVALID_PARAMETER),
        ("bob", PolicyAccess::GENERIC_READ, denied),
        ("bob", PolicyAccess::MAXIMUM_ALLOWED | PolicyAccess::GET_PRIVATE_INFORMATION, denied),
        ("bob", PolicyAccess::ALL, denied),
        ("guest", PolicyAccess::MAXIMUM_ALLOWED, NtStatus::SUCCESS),
        ("root", PolicyAccess::ALL, NtStatus::SUCCESS),
        ("root", PolicyAccess::GENERIC_ALL, NtStatus::SUCCESS),
        ("root", PolicyAccess::from_bits_retain(0x0400_0000), denied),
    ] {
        let mut asker = lsarpc(&mut world, user);
        let response = open_policy(&mut world, &mut asker, access);
        assert_eq!(response.status, status, "{user} {access:?}");
        assert_eq!(response.handle == PolicyHandle::default(), status != NtStatus::SUCCESS);
    }
    // Its successor says what both can do.
    let mut asker = lsarpc(&mut world, "bob");
    for (version, root_directory, status) in [
        (1, false, NtStatus::SUCCESS),
        (2, false, NtStatus::NOT_SUPPORTED),
        (1, true, NtStatus::INVALID_PARAMETER),
    ] {
        let (attributes, access) = (ObjectAttributes { root_directory }, PolicyAccess::LOOKUP_NAMES);
        let request =
            LsaRequest::OpenPolicy { opnum: OPEN_POLICY3, system: None, attributes, access, version };
        let stub = asker.call(&mut world, OPEN_POLICY3, &request.encode());
        assert_eq!(OpenPolicyResponse::decode(OPEN_POLICY3, &stub).unwrap().status, status);
    }
}

#[test]
fn a_null_session_learns_no_names() {
    let mut world = World::with(|config| {
        config.with_share(ShareConfig { access: Access::Guests, ..ShareConfig::new("public", memory()) })
    });
    let mut asker = lsarpc(&mut world, "nobody");
    let response = open_policy(&mut world, &mut asker, PolicyAccess::MAXIMUM_ALLOWED);
    assert_eq!(response.status, NtStatus::ACCESS_DENIED);
    let request = LsaRequest::GetUserName { system: None, domain: true };
    let stub = asker.call(&mut world, request.opnum(), &request.encode());
    let response = GetUserNameResponse::decode(&stub).unwrap();
    let [user, domain] = [response.user, response.domain.flatten()].map(|name| name.and_then(Utf16::to_text));
    assert_eq!((user.as_deref(), domain.as_deref()), (Some("ANONYMOUS LOGON"), Some("NT AUTHORITY")));
}

#[test]
fn the_policy_says_where_accounts_are() {
    let mut world = World::with(site);
    let mut asker = lsarpc(&mut world, "bob");
    let handle = policy(&mut world, &mut asker);
    let [server, workgroup] = ["SERVER", "WORKGROUP"].map(Utf16Buf::new);
    let machine = user_sid("bob");
    let mut ask = |opnum, class| {
        let request = LsaRequest::QueryPolicy { opnum, handle, class };
        asker.call(&mut world, opnum, &request.encode())
    };
    for class in [PolicyClass::ACCOUNT_DOMAIN, PolicyClass::LOCAL_ACCOUNT_DOMAIN] {
        let stub = ask(QUERY_POLICY2, class);
        let response = QueryPolicyResponse::decode(class, &stub).unwrap();
        let Some(PolicyInformation::Domain { name, sid: Some(sid) }) = response.information else { panic!() };
        assert_eq!((name, sid.with_rid(machine.rid().unwrap())), (server.as_utf16(), Some(machine)));
    }
    let stub = ask(QUERY_POLICY, PolicyClass::PRIMARY_DOMAIN);
    let response = QueryPolicyResponse::decode(PolicyClass::PRIMARY_DOMAIN, &stub).unwrap();
    let primary = PolicyInformation::Domain { name: workgroup.as_utf16(), sid: None };
    assert_eq!(response.information, Some(primary));
    let stub = ask(QUERY_POLICY2, PolicyClass::DNS_DOMAIN);
    let response = QueryPolicyResponse::decode(PolicyClass::DNS_DOMAIN, &stub).unwrap();
    assert!(matches!(response.information, Some(PolicyInformation::DnsDomain { sid: None, .. })));
    let stub = ask(QUERY_POLICY, PolicyClass::SERVER_ROLE);
    let response = QueryPolicyResponse::decode(PolicyClass::SERVER_ROLE, &stub).unwrap();
    assert_eq!(response.information, Some(PolicyInformation::Role { role: 3 }));
    for (class, status) in [
        (PolicyClass::AUDIT_EVENTS, NtStatus::ACCESS_DENIED),
        (PolicyClass::PD_ACCOUNT, NtStatus::ACCESS_DENIED),
        (PolicyClass::MODIFICATION, NtStatus::INVALID_PARAMETER),
        (PolicyClass(0), NtStatus::INVALID_PARAMETER),
        (PolicyClass(16), NtStatus::INVALID_PARAMETER),
        (PolicyClass::REPLICA_SOURCE, NtStatus::NOT_IMPLEMENTED),
    ] {
        let stub = ask(QUERY_POLICY2, class);
        let response = QueryPolicyResponse::decode(class, &stub).unwrap();
        assert_eq!((response.information, response.status), (None, status), "{class:?}");
    }
    for opnum in [ENUMERATE_TRUSTED_DOMAINS, ENUMERATE_TRUSTED_DOMAINS_EX] {
        let request = LsaRequest::EnumerateTrustedDomains { opnum, handle, context: 0, preferred_length: 9 };
        let stub = asker.call(&mut world, opnum, &request.encode());
        let response = EnumerateTrustedDomainsResponse::decode(&stub).unwrap();
        assert_eq!(response.status, NtStatus::NO_MORE_ENTRIES);
    }
}

fn lookup_sids(handle: PolicyHandle, opnum: u16, sids: &[Sid], level: LookupLevel) -> Vec<u8> {
    let sids = sids.iter().copied().map(Some).collect();
    let (options, revision) = if opnum == LOOKUP_SIDS { (0, 1) } else { (0, 2) };
    LsaRequest::LookupSids { opnum, handle, sids, level, options, revision }.encode()
}

#[test]
fn identifiers_have_names() {
    let mut world = World::with(site);
    let mut asker = lsarpc(&mut world, "carol");
    let handle = policy(&mut world, &mut asker);
    let [alice, carol, dave] = ["alice", "carol", "dave"].map(user_sid);
    let other: Sid = "S-1-5-21-1-2-3-4".parse().unwrap();
    let asked = [Sid::EVERYONE, alice, Sid::BUILTIN_ADMINISTRATORS, Sid::BUILTIN_USERS, carol, dave, other];
    for opnum in [LOOKUP_SIDS, LOOKUP_SIDS2] {
        let stub = lookup_sids(handle, opnum, &asked, LookupLevel::WORKSTATION);
        let stub = asker.call(&mut world, opnum, &stub);
        let response = LookupSidsResponse::decode(opnum, &stub).unwrap();
        assert_eq!((response.status, response.mapped), (NtStatus::SOME_NOT_MAPPED, 5));
        let domains = response.domains.unwrap();
        let domains: Vec<String> = domains.iter().map(|domain| domain.name.to_text().unwrap()).collect();
        assert_eq!(domains, ["", "SERVER", "BUILTIN"]);
        let names: Vec<(AccountKind, String, i32)> = response
            .names
            .iter()
            .map(|name| (name.kind, name.name.to_text().unwrap(), name.domain))
            .collect();
        let rid = format!("{:08X}", dave.rid().unwrap());
        let expected = [
            (AccountKind::WELL_KNOWN_GROUP, "Everyone", 0),
            (AccountKind::USER, "alice", 1),
            (AccountKind::ALIAS, "Administrators", 2),
            (AccountKind::ALIAS, "Users", 2),
            // Nobody wrote that there is a carol, but it is she who asks.
            (AccountKind::USER, "carol", 1),
            (AccountKind::UNKNOWN, rid.as_str(), 1),
            (AccountKind::UNKNOWN, "S-1-5-21-1-2-3-4", -1),
        ];
        assert_eq!(names, expected.map(|(kind, name, domain)| (kind, name.to_owned(), domain)));
    }
    let mut status = |opnum, sids: &[Sid], level| {
        let stub = asker.call(&mut world, opnum, &lookup_sids(handle, opnum, sids, level));
        LookupSidsResponse::decode(opnum, &stub).unwrap().status
    };
    assert_eq!(status(LOOKUP_SIDS, &[alice], LookupLevel::WORKSTATION), NtStatus::SUCCESS);
    assert_eq!(status(LOOKUP_SIDS, &[dave, other], LookupLevel::WORKSTATION), NtStatus::NONE_MAPPED);
    assert_eq!(status(LOOKUP_SIDS2, &[], LookupLevel::WORKSTATION), NtStatus::SUCCESS);
    assert_eq!(status(LOOKUP_SIDS2, &[alice], LookupLevel::GC), NtStatus::INVALID_PARAMETER);
    // This one is for domain controllers.
    assert_eq!(status(LOOKUP_SIDS3, &[alice], LookupLevel::WORKSTATION), NtStatus::INVALID_SERVER_STATE);
}

fn lookup_names(handle: PolicyHandle, opnum: u16, names: &[Utf16Buf], level: LookupLevel) -> Vec<u8> {
    let names = names.iter().map(Utf16Buf::as_utf16).collect();
    let (options, revision) = if opnum == LOOKUP_NAMES { (0, 1) } else { (0, 2) };
    LsaRequest::LookupNames { opnum, handle, names, level, options, revision }.encode()
}

#[test]
fn names_have_identifiers() {
    let mut world = World::with(site);
    let mut asker = lsarpc(&mut world, "carol");
    let handle = policy(&mut world, &mut asker);
    let [alice, carol] = ["alice", "carol"].map(user_sid);
    let names = ["ALICE", r"server\Carol", "everyone", r"BUILTIN\Users", "BUILTIN", "dave", r"SERVER\dave"];
    let names = names.map(Utf16Buf::new);
    let rid = |sid: Sid| sid.rid().unwrap();
    for opnum in [LOOKUP_NAMES, LOOKUP_NAMES2, LOOKUP_NAMES3] {
        let stub = lookup_names(handle, opnum, &names, LookupLevel::WORKSTATION);
        let stub = asker.call(&mut world, opnum, &stub);
        let response = LookupNamesResponse::decode(opnum, &stub).unwrap();
        assert_eq!((response.status, response.mapped), (NtStatus::SOME_NOT_MAPPED, 5));
        let domains = response.domains.unwrap();
        let domains: Vec<Sid> = domains.iter().filter_map(|domain| domain.sid).collect();
        let expected = [
            (AccountKind::USER, rid(alice), 0, Some(alice)),
            (AccountKind::USER, rid(carol), 0, Some(carol)),
            (AccountKind::WELL_KNOWN_GROUP, 0, 1, Some(Sid::EVERYONE)),
            (AccountKind::ALIAS, 545, 2, Some(Sid::BUILTIN_USERS)),
            (AccountKind::DOMAIN, u32::MAX, 2, Some(domains[2])),
            (AccountKind::UNKNOWN, 0, -1, None),
            (AccountKind::UNKNOWN, 0, 0, None),
        ];
        assert_eq!(domains[0].with_rid(rid(alice)), Some(alice));
        for (found, (kind, rid, domain, sid)) in response.sids.iter().zip(expected) {
            assert_eq!((found.kind, found.domain), (kind, domain));
            match opnum {
                LOOKUP_NAMES3 => assert_eq!(found.sid, sid),
                _ => assert_eq!(found.rid, rid),
            }
        }
    }
    let mut status = |opnum, names: &[Utf16Buf], level| {
        let stub = asker.call(&mut world, opnum, &lookup_names(handle, opnum, names, level));
        LookupNamesResponse::decode(opnum, &stub).unwrap().status
    };
    assert_eq!(status(LOOKUP_NAMES3, &names[5..], LookupLevel::WORKSTATION), NtStatus::NONE_MAPPED);
    assert_eq!(status(LOOKUP_NAMES3, &names[..5], LookupLevel::WORKSTATION), NtStatus::SUCCESS);
    assert_eq!(status(LOOKUP_NAMES2, &names, LookupLevel::PDC), NtStatus::INVALID_PARAMETER);
    assert_eq!(status(LOOKUP_NAMES4, &names, LookupLevel::WORKSTATION), NtStatus::INVALID_SERVER_STATE);
}

#[test]
fn a_policy_is_opened_before_it_is_asked() {
    let mut world = World::with(site);
    let mut asker = lsarpc(&mut world, "bob");
    let response = open_policy(&mut world, &mut asker, PolicyAccess::VIEW_LOCAL_INFORMATION);
    let stub = lookup_sids(response.handle, LOOKUP_SIDS, &[Sid::EVERYONE], LookupLevel::WORKSTATION);
    let stub = asker.call(&mut world, LOOKUP_SIDS, &stub);
    let response = LookupSidsResponse::decode(LOOKUP_SIDS, &stub).unwrap();
    assert_eq!((response.status, response.domains), (NtStatus::ACCESS_DENIED, None));
}

#[test]
fn o7_handles_of_nobody_or_of_another_pipe_are_refused() {
    let mut world = World::with(site);
    let (mut asker, mut other) = (lsarpc(&mut world, "bob"), lsarpc(&mut world, "bob"));
    let (first, second) = (policy(&mut world, &mut asker), policy(&mut world, &mut asker));
    assert_ne!(first, second);
    let close = |handle| LsaRequest::Close { handle }.encode();
    let mismatch = Err(RpcError::Fault(FaultStatus::CONTEXT_MISMATCH));
    assert_eq!(other.try_call(&mut world, CLOSE, &close(first)), mismatch);
    for handle in [
        PolicyHandle::default(),
        PolicyHandle { uuid: Guid([0xFF; 16]), ..first },
        PolicyHandle { attributes: 1, ..first },
    ] {
        assert_eq!(asker.try_call(&mut world, CLOSE, &close(handle)), mismatch);
        let lookup = lookup_sids(handle, LOOKUP_SIDS2, &[Sid::EVERYONE], LookupLevel::WORKSTATION);
        assert_eq!(asker.try_call(&mut world, LOOKUP_SIDS2, &lookup), mismatch);
    }
    let stub = asker.call(&mut world, CLOSE, &close(first));
    let closed = CloseResponse { handle: PolicyHandle::default(), status: NtStatus::SUCCESS };
    assert_eq!(CloseResponse::decode(&stub), Ok(closed));
    assert_eq!(asker.try_call(&mut world, CLOSE, &close(first)), mismatch);
}

#[test]
fn o7_policies_are_bounded() {
    let mut world = World::with(site);
    let mut asker = lsarpc(&mut world, "bob");
    for _ in 0..64 {
        policy(&mut world, &mut asker);
    }
    let response = open_policy(&mut world, &mut asker, PolicyAccess::MAXIMUM_ALLOWED);
    assert_eq!(response.status, NtStatus::INSUFFICIENT_RESOURCES);
}

#[test]
fn names_of_whoever_the_session_is_now() {
    let mut world = World::with(site);
    let mut asker = lsarpc(&mut world, "bob");
    let ask = |world: &mut World, asker: &mut Asker| {
        let request = LsaRequest::GetUserName { system: None, domain: false };
        let stub = asker.call(world, request.opnum(), &request.encode());
        GetUserNameResponse::decode(&stub).unwrap().user.and_then(Utf16::to_text)
    };
    assert_eq!(ask(&mut world, &mut asker).as_deref(), Some("bob"));
    assert_eq!(asker.client.set_up(&mut world, "alice", SessionId(0)).status(), NtStatus::SUCCESS);
    assert_eq!(ask(&mut world, &mut asker).as_deref(), Some("alice"));
}
