//! Who may do what: descriptors of files, and users.

use sansmb::wire::{
    dtyp::{Ace, AceFlags, Acl, SecurityDescriptor, Sid},
    fscc::{FileDispositionInfo, FileInfoClass},
    *,
};

use crate::common::{Client, World, requests::*};

const OWNER: SecurityInformation = SecurityInformation::OWNER;
const DACL: SecurityInformation = SecurityInformation::DACL;
const HERE: AceFlags = AceFlags::empty();
const DOWN: AceFlags = AceFlags::OBJECT_INHERIT.union(AceFlags::CONTAINER_INHERIT);
const FULL: AccessMask = AccessMask::FILE_ALL_ACCESS;
const READ: AccessMask = AccessMask::FILE_GENERIC_READ;
/// What owners can always do, and what nothing in these tests takes away.
const PLAIN: AccessMask = AccessMask::FILE_READ_ATTRIBUTES.union(AccessMask::SYNCHRONIZE);

fn with_administrator() -> World {
    World::with(|mut config| {
        config.administrators = vec!["root".into()];
        config
    })
}

fn query(
    client: &mut Client,
    world: &mut World,
    file_id: FileId,
    parts: SecurityInformation,
) -> Result<Vec<u8>, NtStatus> {
    let request = QueryInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: parts,
        output_buffer_length: 65536,
        file_id,
        ..Default::default()
    };
    let response = client.call(world, Command::QUERY_INFO, &request);
    if response.status().is_error() {
        return Err(response.status());
    }
    Ok(response.body::<QueryInfoResponse<'_>>().buffer.to_vec())
}

/// Who owns a file, and what its list says.
fn look(client: &mut Client, world: &mut World, name: &str) -> (Sid, Vec<(Sid, AccessMask, AceFlags)>) {
    let file = client.open(world, name, open().access(AccessMask::READ_CONTROL));
    let bytes = query(client, world, file, OWNER | DACL).unwrap();
    client.close(world, file);
    let descriptor = SecurityDescriptor::decode(&bytes).unwrap();
    let aces = descriptor.dacl.unwrap().aces;
    let aces = aces.iter().map(|ace| (*ace.sid().unwrap(), ace.mask().unwrap(), ace.flags));
    (descriptor.owner.unwrap(), aces.collect())
}

fn owner(client: &mut Client, world: &mut World, name: &str) -> Sid {
    look(client, world, name).0
}

fn set(
    client: &mut Client,
    world: &mut World,
    file_id: FileId,
    parts: SecurityInformation,
    buffer: &[u8],
) -> NtStatus {
    let request = SetInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: parts,
        buffer,
        file_id,
        ..Default::default()
    };
    client.status(world, Command::SET_INFO, &request)
}

fn set_dacl(client: &mut Client, world: &mut World, name: &str, aces: &[Ace<'_>]) {
    let file = client.open(world, name, open().access(AccessMask::WRITE_DAC));
    let descriptor = SecurityDescriptor { dacl: Some(Acl::new(aces)), ..Default::default() };
    assert_eq!(set(client, world, file, DACL, &descriptor.to_vec()), NtStatus::SUCCESS);
    client.close(world, file);
}

/// Two users of the same share.
fn alice_and_bob(world: &mut World) -> (Client, Client) {
    (world.client(), world.client_of("bob", "share"))
}

/// Alice, who owns the file `secret` with this list, and Bob.
fn secret(world: &mut World, aces: &[Ace<'_>]) -> (Client, Client) {
    let (mut alice, bob) = alice_and_bob(world);
    alice.put(world, "secret", b"secret");
    set_dacl(&mut alice, world, "secret", aces);
    (alice, bob)
}

fn make_directory(client: &mut Client, world: &mut World, name: &str) {
    let file = client.open(world, name, directory());
    client.close(world, file);
}

fn may(client: &mut Client, world: &mut World, name: &str, access: AccessMask) -> bool {
    let response = client.create(world, name, open().access(access));
    if response.status().is_error() {
        assert_eq!(response.status(), NtStatus::ACCESS_DENIED);
        return false;
    }
    let file = response.body::<CreateResponse<'_>>().file_id;
    client.close(world, file);
    true
}

#[test]
fn files_belong_to_who_made_them() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client_of("BOB", "share"));
    alice.put(&mut world, "hers", b"");
    bob.put(&mut world, "his", b"");
    let (hers, his) = (owner(&mut alice, &mut world, "hers"), owner(&mut alice, &mut world, "his"));
    assert_ne!(hers, his);
    // The same user in another spelling, on another server of that name.
    let mut again = World::new();
    let mut bob = again.client_of("bob", "share");
    bob.put(&mut again, "file", b"");
    assert_eq!(owner(&mut bob, &mut again, "file"), his);
}

#[test]
fn without_a_descriptor_everybody_may_everything() {
    let mut world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    alice.put(&mut world, "file", b"");
    assert!(may(&mut bob, &mut world, "file", FULL));
    let (_, aces) = look(&mut bob, &mut world, "file");
    assert_eq!(aces, [(Sid::EVERYONE, FULL, AceFlags::INHERITED)]);
    assert_eq!(owner(&mut bob, &mut world, ""), Sid::BUILTIN_ADMINISTRATORS);
}

#[test]
fn a_read_only_share_shows_what_it_grants() {
    let mut world = World::with(|mut config| {
        config.shares[0].read_only = true;
        config
    });
    let mut alice = world.client();
    let (_, aces) = look(&mut alice, &mut world, "");
    let mask = AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE;
    assert_eq!(aces, [(Sid::EVERYONE, mask, DOWN)]);
}

#[test]
fn lists_decide_who_may_open() {
    let mut world = World::new();
    let (mut alice, mut bob) = secret(&mut world, &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    assert!(may(&mut bob, &mut world, "secret", READ));
    assert!(!may(&mut bob, &mut world, "secret", READ | AccessMask::FILE_WRITE_DATA));
    assert!(!may(&mut bob, &mut world, "secret", AccessMask::WRITE_DAC));
    // The owner can always change the list.
    assert!(may(&mut alice, &mut world, "secret", AccessMask::WRITE_DAC));
    assert!(!may(&mut alice, &mut world, "secret", AccessMask::FILE_WRITE_DATA));
}

#[test]
fn as_much_as_possible_is_what_the_list_grants() {
    let mut world = World::new();
    let (_, mut bob) = secret(&mut world, &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    let file = bob.open(&mut world, "secret", open().access(AccessMask::MAXIMUM_ALLOWED));
    let granted = bob.info(&mut world, file, FileInfoClass::ACCESS);
    // The directory lets everybody delete what is in it.
    let expected = READ | AccessMask::DELETE;
    assert_eq!(granted, expected.bits().to_le_bytes());
    assert_eq!(bob.write(&mut world, file, 0, b"x"), NtStatus::ACCESS_DENIED);
}

#[test]
fn create_tells_the_maximal_access() {
    let mut world = World::new();
    let (_, mut bob) = secret(&mut world, &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    let contexts = [CreateContext::QueryMaximalAccess(None)];
    let how = Create { contexts: &contexts, ..open().access(AccessMask::READ_CONTROL) };
    let response = bob.create(&mut world, "secret", how);
    let replies: Vec<_> = response.body::<CreateResponse<'_>>().contexts.iter().collect();
    let expected =
        CreateContextReply::QueryMaximalAccess { query_status: NtStatus::SUCCESS, maximal_access: READ };
    assert_eq!(replies, [expected]);
}

#[test]
fn deleting_takes_the_file_or_its_directory() {
    let mut world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    make_directory(&mut alice, &mut world, "dir");
    alice.put(&mut world, r"dir\file", b"");
    set_dacl(&mut alice, &mut world, r"dir\file", &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    assert!(may(&mut bob, &mut world, r"dir\file", AccessMask::DELETE), "the directory allows it");
    set_dacl(&mut alice, &mut world, "dir", &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    assert!(!may(&mut bob, &mut world, r"dir\file", AccessMask::DELETE));
    set_dacl(&mut alice, &mut world, r"dir\file", &[Ace::allow(Sid::EVERYONE, AccessMask::DELETE, HERE)]);
    assert!(may(&mut bob, &mut world, r"dir\file", AccessMask::DELETE));
}

#[test]
fn attributes_can_be_read_by_who_can_list_the_directory() {
    let mut world = World::new();
    let (_, mut bob) = secret(&mut world, &[]);
    assert!(may(&mut bob, &mut world, "secret", AccessMask::FILE_READ_ATTRIBUTES));
    assert!(!may(&mut bob, &mut world, "secret", AccessMask::READ_CONTROL));
}

#[test]
fn directories_say_who_may_add_to_them() {
    let mut world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    make_directory(&mut alice, &mut world, "dir");
    let files = PLAIN | AccessMask::FILE_ADD_FILE;
    set_dacl(&mut alice, &mut world, "dir", &[Ace::allow(Sid::EVERYONE, files, HERE)]);
    assert_eq!(bob.create_status(&mut world, r"dir\sub", directory()), NtStatus::ACCESS_DENIED);
    assert_eq!(bob.create_status(&mut world, r"dir\file", ALL), NtStatus::SUCCESS);
    set_dacl(&mut alice, &mut world, "dir", &[Ace::allow(Sid::EVERYONE, PLAIN, HERE)]);
    assert_eq!(bob.create_status(&mut world, r"dir\other", ALL), NtStatus::ACCESS_DENIED);
    let file = bob.open(&mut world, "loose", ALL);
    assert_eq!(bob.rename(&mut world, file, r"dir\loose", false), NtStatus::ACCESS_DENIED);
    // Passing through is not checked.
    assert_eq!(bob.create_status(&mut world, r"dir\file", open()), NtStatus::SUCCESS);
}

#[test]
fn a_rename_replaces_only_what_may_be_deleted() {
    let mut world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    make_directory(&mut alice, &mut world, "dir");
    alice.put(&mut world, r"dir\target", b"");
    let adding = PLAIN | AccessMask::FILE_ADD_FILE;
    set_dacl(&mut alice, &mut world, r"dir\target", &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    set_dacl(&mut alice, &mut world, "dir", &[Ace::allow(Sid::EVERYONE, adding, HERE)]);
    let file = bob.open(&mut world, "loose", ALL);
    assert_eq!(bob.rename(&mut world, file, r"dir\target", true), NtStatus::ACCESS_DENIED);
    let deleting = adding | AccessMask::FILE_DELETE_CHILD;
    set_dacl(&mut alice, &mut world, "dir", &[Ace::allow(Sid::EVERYONE, deleting, HERE)]);
    assert_eq!(bob.rename(&mut world, file, r"dir\target", true), NtStatus::SUCCESS);
}

#[test]
fn new_files_inherit_from_their_directory() {
    let mut world = World::new();
    let mut alice = world.client();
    make_directory(&mut alice, &mut world, "dir");
    let aces = [Ace::allow(Sid::EVERYONE, READ, DOWN), Ace::allow(Sid::CREATOR_OWNER, FULL, DOWN)];
    set_dacl(&mut alice, &mut world, "dir", &aces);
    set_dacl(&mut alice, &mut world, "dir", &[aces[0], aces[1], Ace::allow(Sid::EVERYONE, FULL, HERE)]);
    alice.put(&mut world, r"dir\file", b"");
    let (own, aces) = look(&mut alice, &mut world, r"dir\file");
    assert_eq!(aces, [(Sid::EVERYONE, READ, HERE), (own, FULL, HERE)]);
    let mut bob = world.client_of("bob", "share");
    assert!(!may(&mut bob, &mut world, r"dir\file", AccessMask::FILE_WRITE_DATA));
}

#[test]
fn create_can_say_the_descriptor() {
    let mut world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    let aces = [Ace::allow(Sid::EVERYONE, READ, HERE)];
    let descriptor = SecurityDescriptor { dacl: Some(Acl::new(&aces)), ..Default::default() }.to_vec();
    let contexts = [CreateContext::SdBuffer(&descriptor)];
    // Whoever makes a file gets what is asked for, whatever the list says from then on.
    let file = alice.open(&mut world, "file", Create { contexts: &contexts, ..ALL });
    assert_eq!(alice.write(&mut world, file, 0, b"x"), NtStatus::SUCCESS);
    assert!(!may(&mut bob, &mut world, "file", AccessMask::FILE_WRITE_DATA));
    assert!(may(&mut bob, &mut world, "file", READ));
    // What is there already keeps its own.
    let empty = SecurityDescriptor { dacl: Some(Acl::new(&[])), ..Default::default() }.to_vec();
    let contexts = [CreateContext::SdBuffer(&empty)];
    bob.open(&mut world, "file", Create { contexts: &contexts, ..ALL.access(READ) });
    assert!(may(&mut bob, &mut world, "file", READ));
}

#[test]
fn o15_descriptors_that_lie_are_refused() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "file", ALL);
    let aces = [Ace::allow(Sid::EVERYONE, FULL, HERE)];
    let good =
        SecurityDescriptor { owner: Some(Sid::EVERYONE), dacl: Some(Acl::new(&aces)), ..Default::default() };
    let good = good.to_vec();
    let spoilt = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let dacl = u32::from_le_bytes(good[16..20].try_into().unwrap()) as usize;
    for bad in [
        Vec::new(),
        vec![0; 19],
        spoilt(0, 2),
        // Offsets inside the header, and beyond the end.
        spoilt(4, 4),
        spoilt(16, 0xFF),
        spoilt(19, 0xFF),
        // More sub-authorities, entries and bytes than there are.
        spoilt(21, 16),
        spoilt(dacl + 4, 0xFF),
        spoilt(dacl + 3, 0xFF),
        spoilt(dacl + 10, 0),
    ] {
        let status = set(&mut alice, &mut world, file, OWNER | DACL, &bad);
        assert_eq!(status, NtStatus::INVALID_SECURITY_DESCR, "{bad:02x?}");
        let contexts = [CreateContext::SdBuffer(&bad)];
        let status = alice.create_status(&mut world, "new", Create { contexts: &contexts, ..ALL });
        assert_eq!(status, NtStatus::INVALID_SECURITY_DESCR, "{bad:02x?}");
    }
    let long = vec![0; 70_000];
    assert_eq!(set(&mut alice, &mut world, file, DACL, &long), NtStatus::INVALID_SECURITY_DESCR);
    assert_eq!(alice.create_status(&mut world, "new", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert!(may(&mut alice, &mut world, "file", FULL), "nothing has changed");
}

#[test]
fn parts_need_their_rights() {
    let mut world = World::new();
    let mut alice = world.client();
    alice.put(&mut world, "file", b"");
    let own = owner(&mut alice, &mut world, "file");
    let aces = [Ace::allow(own, FULL, HERE)];
    let descriptor = SecurityDescriptor {
        owner: Some(own),
        group: Some(own),
        dacl: Some(Acl::new(&aces)),
        ..Default::default()
    };
    let descriptor = descriptor.to_vec();
    let sacl = SecurityInformation::SACL;
    for (access, can) in [
        (AccessMask::READ_CONTROL, None),
        (AccessMask::WRITE_DAC, Some(DACL)),
        (AccessMask::WRITE_OWNER, Some(OWNER)),
    ] {
        let file = alice.open(&mut world, "file", open().access(access));
        for part in [OWNER, SecurityInformation::GROUP, DACL, sacl, SecurityInformation::PROTECTED_DACL] {
            let allowed = match can {
                Some(DACL) => part == DACL || part == SecurityInformation::PROTECTED_DACL,
                Some(_) => part == OWNER || part == SecurityInformation::GROUP,
                None => false,
            };
            let expected = if allowed { NtStatus::SUCCESS } else { NtStatus::ACCESS_DENIED };
            assert_eq!(set(&mut alice, &mut world, file, part, &descriptor), expected, "{access:?} {part:?}");
        }
        let readable = query(&mut alice, &mut world, file, DACL).is_ok();
        assert_eq!(readable, access == AccessMask::READ_CONTROL);
        assert_eq!(query(&mut alice, &mut world, file, sacl), Err(NtStatus::ACCESS_DENIED));
    }
}

#[test]
fn files_are_given_to_nobody_else() {
    let mut world = with_administrator();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    bob.put(&mut world, "his", b"");
    let his = owner(&mut bob, &mut world, "his");
    let file = alice.open(&mut world, "hers", ALL);
    let given = SecurityDescriptor { owner: Some(his), ..Default::default() }.to_vec();
    assert_eq!(set(&mut alice, &mut world, file, OWNER, &given), NtStatus::INVALID_OWNER);
    let contexts = [CreateContext::SdBuffer(&given)];
    let status = alice.create_status(&mut world, "new", Create { contexts: &contexts, ..ALL });
    assert_eq!(status, NtStatus::INVALID_OWNER);
    let mut root = world.client_of("root", "share");
    let file = root.open(&mut world, "hers", open().access(AccessMask::WRITE_OWNER));
    assert_eq!(set(&mut root, &mut world, file, OWNER, &given), NtStatus::SUCCESS);
    assert_eq!(owner(&mut bob, &mut world, "hers"), his);
}

#[test]
fn administrators_take_ownership_and_back_up() {
    let mut world = with_administrator();
    let (_, mut bob) = secret(&mut world, &[]);
    let mut root = world.client_of("root", "share");
    assert!(!may(&mut bob, &mut world, "secret", AccessMask::WRITE_OWNER));
    assert!(may(&mut root, &mut world, "secret", AccessMask::WRITE_OWNER));
    assert!(may(&mut root, &mut world, "secret", AccessMask::ACCESS_SYSTEM_SECURITY));
    let audit = bob.create_status(&mut world, "secret", open().access(AccessMask::ACCESS_SYSTEM_SECURITY));
    assert_eq!(audit, NtStatus::ACCESS_DENIED);
    // Reading needs the word that it is for a backup.
    let backup = open().options(CreateOptions::OPEN_FOR_BACKUP_INTENT);
    assert!(!may(&mut root, &mut world, "secret", READ));
    assert_eq!(root.create_status(&mut world, "secret", backup.access(READ)), NtStatus::SUCCESS);
    assert_eq!(bob.create_status(&mut world, "secret", backup.access(READ)), NtStatus::ACCESS_DENIED);
}

#[test]
fn o8_overwriting_needs_the_right_to_write() {
    let mut world = World::new();
    let (mut alice, mut bob) = secret(&mut world, &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    for disposition in
        [CreateDisposition::OVERWRITE, CreateDisposition::OVERWRITE_IF, CreateDisposition::SUPERSEDE]
    {
        let how = open().access(READ).disposition(disposition);
        assert_eq!(bob.create_status(&mut world, "secret", how), NtStatus::ACCESS_DENIED);
        assert_eq!(alice.create_status(&mut world, "secret", how), NtStatus::ACCESS_DENIED);
    }
    let file = bob.open(&mut world, "secret", open().access(READ));
    assert_eq!(bob.read(&mut world, file, 0, 100), Ok(b"secret".to_vec()));
}

#[test]
fn streams_are_as_open_as_their_file() {
    let mut world = World::new();
    let (mut alice, mut bob) = secret(&mut world, &[Ace::allow(Sid::EVERYONE, FULL, HERE)]);
    alice.put(&mut world, "secret:old", b"");
    set_dacl(&mut alice, &mut world, "secret", &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    assert!(may(&mut bob, &mut world, "secret:old", READ));
    assert!(!may(&mut bob, &mut world, "secret:old", AccessMask::FILE_WRITE_DATA));
    // Who may not write the file makes no stream in it, whatever they ask for.
    for disposition in [CreateDisposition::CREATE, CreateDisposition::OPEN_IF] {
        for access in [READ, AccessMask::FILE_WRITE_DATA, AccessMask::MAXIMUM_ALLOWED] {
            let how = open().access(access).disposition(disposition);
            assert_eq!(bob.create_status(&mut world, "secret:new", how), NtStatus::ACCESS_DENIED);
        }
    }
    assert_eq!(
        alice.create_status(&mut world, "secret:new", open().access(READ)),
        NtStatus::OBJECT_NAME_NOT_FOUND
    );
}

#[test]
fn delete_on_close_needs_the_right_to_delete() {
    let mut world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&mut world);
    make_directory(&mut alice, &mut world, "dir");
    alice.put(&mut world, r"dir\file", b"");
    set_dacl(&mut alice, &mut world, r"dir\file", &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    set_dacl(&mut alice, &mut world, "dir", &[Ace::allow(Sid::EVERYONE, READ, HERE)]);
    let how = open().options(CreateOptions::DELETE_ON_CLOSE);
    for access in [AccessMask::DELETE, AccessMask::MAXIMUM_ALLOWED] {
        let status = bob.create_status(&mut world, r"dir\file", how.access(access));
        assert_eq!(status, NtStatus::ACCESS_DENIED);
    }
    let file = bob.open(&mut world, r"dir\file", open().access(READ));
    let delete = FileDispositionInfo { delete_pending: true };
    assert_eq!(bob.set(&mut world, file, &delete), NtStatus::ACCESS_DENIED);
}

#[test]
fn access_based_enumeration_leaves_out_what_cannot_be_read() {
    for hides in [false, true] {
        let mut world = World::with(|mut config| {
            config.shares[0].access_based_enumeration = hides;
            config
        });
        let (mut alice, mut bob) = secret(&mut world, &[]);
        alice.put(&mut world, "public", b"");
        let names = |client: &mut Client, world: &mut World| {
            let root = client.open(world, "", open().access(READ));
            let mut names = client.list(world, root, "*", QueryDirectoryFlags::empty(), 65536).unwrap();
            names.retain(|name| !name.starts_with('.'));
            names.sort();
            names
        };
        let expected: &[&str] = if hides { &["public"] } else { &["public", "secret"] };
        assert_eq!(names(&mut bob, &mut world), expected);
        // The owner may change the list, but not read.
        assert_eq!(names(&mut alice, &mut world), expected);
        let root = bob.open(&mut world, "", open().access(READ));
        let found = bob.list(&mut world, root, "secret", QueryDirectoryFlags::empty(), 65536);
        assert_eq!(found == Err(NtStatus::NO_SUCH_FILE), hides, "a name without wildcards");
    }
}

#[test]
fn n15_reauthentication_changes_whom_lists_mean() {
    let mut world = World::new();
    let (mut alice, mut bob) = secret(&mut world, &[]);
    alice.put(&mut world, "probe", b"");
    let own = owner(&mut alice, &mut world, "probe");
    set_dacl(&mut alice, &mut world, "secret", &[Ace::allow(own, FULL, HERE)]);
    assert!(may(&mut alice, &mut world, "secret", READ));
    let kept = alice.open(&mut world, "secret", open().access(READ));
    let session = alice.session;
    assert_eq!(alice.set_up(&mut world, "bob", SessionId(0)).status(), NtStatus::SUCCESS);
    assert_eq!(alice.session, session);
    assert!(!may(&mut alice, &mut world, "secret", READ));
    // What was opened before stays open.
    assert!(alice.read(&mut world, kept, 0, 10).is_ok());
    assert_eq!(bob.set_up(&mut world, "alice", SessionId(0)).status(), NtStatus::SUCCESS);
    assert!(may(&mut bob, &mut world, "secret", READ));
}

#[test]
fn guests_are_no_users() {
    let mut world = World::with(|mut config| {
        config.shares[0].access = sansmb_fileserver::Access::Guests;
        config
    });
    let (_, mut bob) = secret(&mut world, &[Ace::allow(Sid::AUTHENTICATED_USERS, READ, HERE)]);
    let mut guest = world.client_of("guest", "share");
    let mut nobody = world.client_of("nobody", "share");
    assert!(may(&mut bob, &mut world, "secret", READ));
    assert!(!may(&mut guest, &mut world, "secret", READ));
    assert!(!may(&mut nobody, &mut world, "secret", READ));
}

#[test]
fn nothing_stays_of_opens_that_ask_the_directory() {
    let mut world = World::new();
    let (_, mut bob) = secret(&mut world, &[]);
    world.hold = true;
    let id = bob.send_create(&mut world, "secret", open().access(AccessMask::DELETE));
    world.run_held(0);
    assert_eq!(world.held_names(), ["Open"], "the directory");
    // The session goes away meanwhile.
    world.drop_client(&bob);
    world.run_all();
    assert!(bob.maybe(&mut world, id).is_none());
    world.hold = false;
    world.close_all();
    world.assert_empty();
}
