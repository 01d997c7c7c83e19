//! Quotas: who takes how much of a volume, who may take how much, and who may ask.

use sansmb::wire::{
    dtyp::{SecurityDescriptor, SecurityDescriptorControl, Sid},
    fscc::*,
    *,
};

use crate::common::{Client, World, requests::*};

const NONE: i64 = -1;
const FORGET: i64 = -2;
const FILE: &str = r"$Extend\$Quota:$Q:$INDEX_ALLOCATION";

/// Who, and the bytes that they take, from where on that is much, and that they may take.
type Told = (Sid, u64, i64, i64);

/// A server, its administrator and two users.
fn world() -> (World, Client, Client, Client) {
    let mut world = World::with(|mut config| {
        config.administrators = vec!["root".into()];
        config
    });
    let root = world.client_of("root", "share");
    let alice = world.client_of("alice", "share");
    let bob = world.client_of("bob", "share");
    (world, root, alice, bob)
}

fn ask(
    client: &mut Client,
    world: &mut World,
    file_id: FileId,
    input: &[u8],
    room: u32,
) -> Result<Vec<Told>, NtStatus> {
    let request = QueryInfoRequest {
        info_type: InfoType::QUOTA,
        output_buffer_length: room,
        file_id,
        input,
        ..Default::default()
    };
    let response = client.call(world, Command::QUERY_INFO, &request);
    if response.status() != NtStatus::SUCCESS {
        return Err(response.status());
    }
    let body = response.body::<QueryInfoResponse<'_>>();
    let told = QuotaEntries::new(body.buffer).map(|entry| {
        let entry = entry.unwrap();
        (Sid::decode(entry.sid).unwrap(), entry.used, entry.threshold as i64, entry.limit as i64)
    });
    Ok(told.collect())
}

fn list_of(sids: &[Sid]) -> Vec<u8> {
    let mut writer = EntryWriter::new(65536);
    for sid in sids {
        assert!(writer.push(&GetQuotaEntry { sid: &sid.to_vec() }));
    }
    writer.finish()
}

/// What is kept of some users.
fn of(client: &mut Client, world: &mut World, file: FileId, sids: &[Sid]) -> Result<Vec<Told>, NtStatus> {
    let list = list_of(sids);
    ask(client, world, file, &QueryQuotaInfo { sid_list: &list, ..Default::default() }.to_vec(), 65536)
}

fn used(client: &mut Client, world: &mut World, file: FileId, sid: Sid) -> u64 {
    of(client, world, file, &[sid]).unwrap()[0].1
}

fn set(client: &mut Client, world: &mut World, file: FileId, limits: &[(Sid, i64, i64)]) -> NtStatus {
    let mut writer = EntryWriter::new(65536);
    for (sid, threshold, limit) in limits {
        let (threshold, limit) = (*threshold as u64, *limit as u64);
        assert!(writer.push(&QuotaEntry { threshold, limit, sid: &sid.to_vec(), ..Default::default() }));
    }
    set_raw(client, world, file, InfoType::QUOTA, 0, &writer.finish())
}

fn set_raw(
    client: &mut Client,
    world: &mut World,
    file_id: FileId,
    info_type: InfoType,
    info_class: u8,
    buffer: &[u8],
) -> NtStatus {
    let request = SetInfoRequest { info_type, info_class, file_id, buffer, ..Default::default() };
    client.status(world, Command::SET_INFO, &request)
}

fn control(
    client: &mut Client,
    world: &mut World,
    file: FileId,
    limit: i64,
    flags: FsControlFlags,
) -> NtStatus {
    let info = FsControlInfo {
        default_quota_threshold: 7,
        default_quota_limit: limit as u64,
        flags,
        ..Default::default()
    };
    set_raw(client, world, file, InfoType::FILESYSTEM, FsInfoClass::CONTROL.0, &info.to_vec())
}

fn owner(client: &mut Client, world: &mut World, file_id: FileId) -> Sid {
    let request = QueryInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: SecurityInformation::OWNER,
        output_buffer_length: 65536,
        file_id,
        ..Default::default()
    };
    let response = client.call(world, Command::QUERY_INFO, &request);
    SecurityDescriptor::decode(response.body::<QueryInfoResponse<'_>>().buffer).unwrap().owner.unwrap()
}

#[test]
fn what_files_take_counts_for_their_owner() {
    let (mut world, mut root, mut alice, mut bob) = world();
    let one = alice.open(&mut world, "one", ALL);
    let two = bob.open(&mut world, "two", ALL);
    let (her, him) = (owner(&mut alice, &mut world, one), owner(&mut bob, &mut world, two));
    assert_eq!(of(&mut alice, &mut world, one, &[her]), Ok(vec![(her, 0, NONE, NONE)]));
    alice.write(&mut world, one, 0, &[1; 5000]);
    bob.write(&mut world, two, 0, &[1; 100]);
    let stream = alice.open(&mut world, "one:stream", ALL);
    alice.write(&mut world, stream, 0, b"more");
    // Whoever writes to what somebody else owns takes room of theirs.
    let hers = bob.open(&mut world, "one", open());
    bob.write(&mut world, hers, 8192, b"x");
    let both = of(&mut root, &mut world, one, &[her, him]);
    assert_eq!(both, Err(NtStatus::FILE_CLOSED), "it is not theirs");
    let any = root.open(&mut world, "", open());
    let both = of(&mut root, &mut world, any, &[her, him]);
    assert_eq!(both, Ok(vec![(her, 4 * 4096, NONE, NONE), (him, 4096, NONE, NONE)]));
    let file = alice.standard(&mut world, one).allocation_size;
    let stream_size = alice.standard(&mut world, stream).allocation_size;
    assert_eq!(file + stream_size, 4 * 4096);
    // Another owner takes it over.
    let given = root.open(
        &mut world,
        "one",
        open()
            .access(AccessMask::WRITE_OWNER | AccessMask::WRITE_DAC)
            .options(CreateOptions::OPEN_FOR_BACKUP_INTENT),
    );
    let new = SecurityDescriptor {
        owner: Some(him),
        control: SecurityDescriptorControl::empty(),
        ..Default::default()
    };
    let request = SetInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: SecurityInformation::OWNER,
        file_id: given,
        buffer: &new.to_vec(),
        ..Default::default()
    };
    assert_eq!(root.status(&mut world, Command::SET_INFO, &request), NtStatus::SUCCESS);
    assert_eq!((used(&mut root, &mut world, any, her), used(&mut root, &mut world, any, him)), (0, 5 * 4096));
    // What is cut off, and what goes, is given back.
    alice.set(&mut world, one, &FileEndOfFileInfo { end_of_file: 0 });
    assert_eq!(used(&mut root, &mut world, any, him), 2 * 4096);
    bob.delete_pending(&mut world, two, true);
    bob.close(&mut world, two);
    assert_eq!(used(&mut root, &mut world, any, him), 4096);
    world.close_all();
    world.assert_empty();
}

#[test]
fn o15_users_see_their_own_quota_and_set_none() {
    let (mut world, mut root, mut alice, mut bob) = world();
    let file = alice.open(&mut world, "file", ALL);
    let other = bob.open(&mut world, "other", ALL);
    let (her, him) = (owner(&mut alice, &mut world, file), owner(&mut bob, &mut world, other));
    assert_eq!(of(&mut alice, &mut world, file, &[her, him]), Err(NtStatus::ACCESS_DENIED));
    let all = QueryQuotaInfo { restart_scan: true, ..Default::default() }.to_vec();
    let list = |client: &mut Client, world: &mut World, file| {
        let told = ask(client, world, file, &all, 65536)?;
        Ok::<_, NtStatus>(told.into_iter().map(|told| told.0).collect::<Vec<_>>())
    };
    assert_eq!(list(&mut alice, &mut world, file), Ok(vec![her]));
    let more = ask(&mut alice, &mut world, file, &QueryQuotaInfo::default().to_vec(), 65536);
    assert_eq!(more, Err(NtStatus::NO_MORE_ENTRIES));
    assert_eq!(set(&mut alice, &mut world, file, &[(her, NONE, 1 << 40)]), NtStatus::ACCESS_DENIED);
    assert_eq!(
        control(&mut alice, &mut world, file, NONE, FsControlFlags::QUOTA_ENFORCE),
        NtStatus::ACCESS_DENIED
    );
    let root_file = root.open(&mut world, "", open());
    let everybody = list(&mut root, &mut world, root_file).unwrap();
    assert!(everybody.contains(&her) && everybody.contains(&him), "{everybody:?}");
    assert!(everybody.contains(&Sid::BUILTIN_ADMINISTRATORS) && everybody.is_sorted());
    // Who reads only cannot change how quotas are used, whoever they are.
    let reader = root.open(&mut world, "file", open().access(AccessMask::FILE_GENERIC_READ));
    assert_eq!(
        control(&mut root, &mut world, reader, NONE, FsControlFlags::QUOTA_ENFORCE),
        NtStatus::ACCESS_DENIED
    );
}

#[test]
fn limits_hold_where_they_are_enforced() {
    let (mut world, mut root, mut alice, _) = world();
    let volume = root.open(
        &mut world,
        FILE,
        open().access(AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE),
    );
    let file = alice.open(&mut world, "file", ALL);
    let her = owner(&mut alice, &mut world, file);
    let (track, enforce) = (FsControlFlags::QUOTA_TRACK, FsControlFlags::QUOTA_ENFORCE);
    assert_eq!(set(&mut root, &mut world, volume, &[(her, 4096, 8192)]), NtStatus::SUCCESS);
    assert_eq!(of(&mut alice, &mut world, file, &[her]), Ok(vec![(her, 0, 4096, 8192)]));
    assert_eq!(
        alice.write(&mut world, file, 0, &[1; 12288]),
        NtStatus::SUCCESS,
        "nobody said that it counts"
    );
    for flags in [track, track | enforce] {
        assert_eq!(control(&mut root, &mut world, volume, NONE, flags), NtStatus::SUCCESS);
        assert_eq!(alice.write(&mut world, file, 12288, &[1; 4096]), NtStatus::SUCCESS, "{flags:?}");
        alice.set(&mut world, file, &FileEndOfFileInfo { end_of_file: 4096 });
    }
    assert_eq!(
        control(&mut root, &mut world, volume, NONE, enforce | FsControlFlags::QUOTAS_INCOMPLETE),
        NtStatus::SUCCESS
    );
    let told = alice.query(&mut world, file, InfoType::FILESYSTEM, FsInfoClass::CONTROL.0, 48);
    let told = FsControlInfo::decode(told.body::<QueryInfoResponse<'_>>().buffer).unwrap();
    let usual = (told.default_quota_threshold, told.default_quota_limit);
    assert_eq!(
        (usual, told.flags),
        ((7, u64::MAX), enforce),
        "whether it is complete is not for clients to say"
    );
    assert_eq!(alice.write(&mut world, file, 4096, &[1; 4096]), NtStatus::SUCCESS);
    assert_eq!(alice.write(&mut world, file, 8192, &[1; 1]), NtStatus::DISK_FULL);
    assert_eq!(alice.read(&mut world, file, 8191, 10), Ok(vec![1]));
    let other = alice.open(&mut world, "other", ALL);
    assert_eq!(alice.write(&mut world, other, 0, b"x"), NtStatus::DISK_FULL);
    assert_eq!(alice.set(&mut world, other, &FileAllocationInfo { allocation_size: 1 }), NtStatus::DISK_FULL);
    // Nothing is left for her of what is left, [MS-FSA] 2.1.5.13.7.
    let size = alice.query(&mut world, file, InfoType::FILESYSTEM, FsInfoClass::FULL_SIZE.0, 32);
    let size = FsFullSizeInfo::decode(size.body::<QueryInfoResponse<'_>>().buffer).unwrap();
    assert_eq!((size.total_allocation_units, size.caller_available_allocation_units), (2, 0));
    assert!(size.actual_available_allocation_units > 1000);
    let size = root.query(&mut world, volume, InfoType::FILESYSTEM, FsInfoClass::SIZE.0, 24);
    let size = FsSizeInfo::decode(size.body::<QueryInfoResponse<'_>>().buffer).unwrap();
    assert!(size.available_allocation_units > 1000);
    // More is allowed, and then none is.
    assert_eq!(set(&mut root, &mut world, volume, &[(her, NONE, 1 << 20)]), NtStatus::SUCCESS);
    assert_eq!(alice.write(&mut world, other, 0, b"x"), NtStatus::SUCCESS);
    // Whoever has no limits of their own has the usual ones.
    assert_eq!(control(&mut root, &mut world, volume, 12288, enforce), NtStatus::SUCCESS);
    assert_eq!(set(&mut root, &mut world, volume, &[(her, 0, FORGET)]), NtStatus::SUCCESS);
    assert_eq!(of(&mut alice, &mut world, file, &[her]), Ok(vec![(her, 12288, 7, 12288)]));
    assert_eq!(alice.write(&mut world, other, 4096, b"x"), NtStatus::DISK_FULL);
    world.close_all();
    world.assert_empty();
}

#[test]
fn quotas_are_listed_piece_by_piece() {
    let (mut world, mut root, ..) = world();
    let volume = root.open(&mut world, FILE, open().access(AccessMask::FILE_GENERIC_READ));
    let admins = Sid::BUILTIN_ADMINISTRATORS;
    let users: Vec<Sid> = (1..=5).map(Sid::unix_user).collect();
    for user in &users {
        assert_eq!(set(&mut root, &mut world, volume, &[(*user, 1, 2)]), NtStatus::SUCCESS);
    }
    let mut get = |world: &mut World, single, restart_scan, start_sid: &[u8], room| {
        let info = QueryQuotaInfo { return_single: single, restart_scan, sid_list: &[], start_sid };
        let told = ask(&mut root, world, volume, &info.to_vec(), room)?;
        Ok::<_, NtStatus>(told.into_iter().map(|told| told.0).collect::<Vec<_>>())
    };
    assert_eq!(get(&mut world, true, false, &[], 65536), Ok(vec![admins]));
    assert_eq!(get(&mut world, true, false, &[], 65536), Ok(vec![users[0]]));
    // Two of them fit, each with room for its identifier and on a place of its own.
    assert_eq!(get(&mut world, false, false, &[], 2 * 56), Ok(users[1..3].to_vec()));
    assert_eq!(get(&mut world, false, false, &[], 55), Err(NtStatus::BUFFER_TOO_SMALL));
    assert_eq!(get(&mut world, false, false, &[], 0), Err(NtStatus::BUFFER_TOO_SMALL));
    assert_eq!(get(&mut world, false, false, &[], 65536), Ok(users[3..].to_vec()));
    assert_eq!(get(&mut world, false, false, &[], 65536), Err(NtStatus::NO_MORE_ENTRIES));
    assert_eq!(get(&mut world, true, true, &[], 65536), Ok(vec![admins]));
    let start = users[3].to_vec();
    assert_eq!(get(&mut world, false, true, &start, 65536), Ok(users[3..].to_vec()));
    let unknown = Sid::unix_user(9).to_vec();
    assert_eq!(get(&mut world, false, false, &unknown, 65536), Err(NtStatus::INVALID_PARAMETER));
    // Of whom nothing is known, that is told.
    let nobody = Sid::unix_user(9);
    let told = of(&mut root, &mut world, volume, &[users[0], nobody]);
    assert_eq!(told, Ok(vec![(users[0], 0, 1, 2), (nobody, 0, 0, 0)]));
    let list = list_of(&users);
    let single = QueryQuotaInfo { return_single: true, sid_list: &list, ..Default::default() };
    let told = ask(&mut root, &mut world, volume, &single.to_vec(), 65536).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(set(&mut root, &mut world, volume, &[(nobody, 0, FORGET)]), NtStatus::NO_MATCH);
    assert_eq!(
        set(&mut root, &mut world, volume, &[(users[0], 0, FORGET), (users[1], 5, 6)]),
        NtStatus::SUCCESS
    );
    let told = of(&mut root, &mut world, volume, &users[..2]);
    assert_eq!(told, Ok(vec![(users[0], 0, 0, 0), (users[1], 0, 5, 6)]));
    assert_eq!(set(&mut root, &mut world, volume, &[(admins, 5, 6)]), NtStatus::ACCESS_DENIED);
    assert_eq!(set(&mut root, &mut world, volume, &[(admins, 5, NONE)]), NtStatus::SUCCESS);
}

#[test]
fn o16_quotas_that_make_no_sense_are_refused() {
    let (mut world, mut root, mut alice, _) = world();
    let volume = root.open(&mut world, "", open());
    let user = Sid::unix_user(1);
    let sid = user.to_vec();
    let list = list_of(&[user]);
    let good = QueryQuotaInfo { sid_list: &list, ..Default::default() }.to_vec();
    let mut long = good.clone();
    long[4] += 4;
    let mut odd = good.clone();
    odd[4] -= 1;
    let mut far = QueryQuotaInfo { start_sid: &sid, ..Default::default() }.to_vec();
    far[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut revision = good.clone();
    revision[24] = 2;
    let mut chain = good.clone();
    chain[16..20].copy_from_slice(&4_u32.to_le_bytes());
    for input in [&[][..], &good[..15], &good[..30], &long, &odd, &far, &revision, &chain] {
        let told = ask(&mut root, &mut world, volume, input, 1000);
        assert_eq!(told, Err(NtStatus::INVALID_PARAMETER), "{input:?}");
    }
    for (threshold, limit) in [(-2, 5), (-3, 5), (5, -3), (i64::MIN, 5)] {
        let status = set(&mut root, &mut world, volume, &[(user, threshold, limit)]);
        assert_eq!(status, NtStatus::INVALID_PARAMETER, "{threshold} {limit}");
    }
    let entry = QuotaEntry { sid: &sid, ..Default::default() }.to_vec();
    for buffer in [&entry[..39], &entry[..entry.len() - 1]] {
        let status = set_raw(&mut root, &mut world, volume, InfoType::QUOTA, 0, buffer);
        assert_eq!(status, NtStatus::INVALID_PARAMETER, "{buffer:?}");
    }
    for (class, length, status) in [
        (FsInfoClass::CONTROL, 47, NtStatus::INFO_LENGTH_MISMATCH),
        (FsInfoClass::SIZE, 48, NtStatus::INVALID_INFO_CLASS),
        (FsInfoClass::LABEL, 48, NtStatus::NOT_SUPPORTED),
        (FsInfoClass(99), 48, NtStatus::INVALID_INFO_CLASS),
    ] {
        let told = set_raw(&mut root, &mut world, volume, InfoType::FILESYSTEM, class.0, &vec![0; length]);
        assert_eq!(told, status, "{class:?}");
    }
    assert_eq!(of(&mut root, &mut world, volume, &[user]), Ok(vec![(user, 0, 0, 0)]));
    let _ = alice.open(&mut world, "file", ALL);
    world.close_all();
    world.assert_empty();
}

#[test]
fn the_quota_file_is_opened_and_holds_nothing() {
    let (mut world, mut root, mut alice, _) = world();
    let file = alice.open(&mut world, &FILE.to_lowercase(), open().access(AccessMask::FILE_GENERIC_READ));
    let basic = alice.basic(&mut world, file).attributes;
    assert_eq!(basic.bits(), 0x36, "as Windows has it");
    let entries = alice.list(&mut world, file, "*", QueryDirectoryFlags::empty(), 65536);
    assert_eq!(entries, Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(alice.standard(&mut world, file).end_of_file, 0);
    assert_eq!(alice.read(&mut world, file, 0, 10), Err(NtStatus::INVALID_DEVICE_REQUEST));
    let other = alice.open(&mut world, "other", ALL);
    let her = owner(&mut alice, &mut world, other);
    assert_eq!(of(&mut alice, &mut world, file, &[her]), Ok(vec![(her, 0, NONE, NONE)]));
    let mut refused = |how: Create<'static>| {
        let name = Utf16Buf::new(FILE);
        alice.status(&mut world, Command::CREATE, &create_request(&name, how))
    };
    let reading = open().access(AccessMask::FILE_GENERIC_READ);
    for (how, status) in [
        (open().access(AccessMask::FILE_GENERIC_WRITE), NtStatus::ACCESS_DENIED),
        (reading.disposition(CreateDisposition::CREATE), NtStatus::OBJECT_NAME_COLLISION),
        (reading.disposition(CreateDisposition::OVERWRITE_IF), NtStatus::ACCESS_DENIED),
        (reading.options(CreateOptions::DIRECTORY_FILE), NtStatus::NOT_A_DIRECTORY),
        (open().access(AccessMask::DELETE).options(CreateOptions::DELETE_ON_CLOSE), NtStatus::CANNOT_DELETE),
    ] {
        assert_eq!(refused(how), status, "{how:?}");
    }
    let writer = root.open(&mut world, FILE, open().access(AccessMask::FILE_GENERIC_WRITE));
    assert_eq!(root.write(&mut world, writer, 0, b"x"), NtStatus::INVALID_DEVICE_REQUEST);
    assert_eq!(root.rename(&mut world, writer, "elsewhere", false), NtStatus::ACCESS_DENIED);
    // No directory lists it, and nobody makes one in its place.
    let top = alice.open(&mut world, "", open());
    let names = alice.list(&mut world, top, "*", QueryDirectoryFlags::empty(), 65536).unwrap();
    assert_eq!(names, [".", "..", "other"]);
    world.close_all();
    world.assert_empty();
}
