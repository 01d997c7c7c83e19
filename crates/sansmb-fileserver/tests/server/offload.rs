//! Offloaded data transfer: OFFLOAD_READ and OFFLOAD_WRITE.

use std::time::Duration;

use sansmb::wire::{fsctl::*, *};
use sansmb_fileserver::{Limits, ShareConfig};

use crate::common::{Client, Response, World, memory, requests::*};

const KIB: u64 = 1024;

fn read(from: u64, bytes: u64, milliseconds: u32) -> Vec<u8> {
    OffloadRead {
        size: 32,
        time_to_live: milliseconds,
        file_offset: from,
        copy_length: bytes,
        ..Default::default()
    }
    .to_vec()
}

fn write(token: OffloadToken, from: u64, to: u64, bytes: u64) -> Vec<u8> {
    OffloadWrite { size: 544, flags: 0, file_offset: to, copy_length: bytes, transfer_offset: from, token }
        .to_vec()
}

fn named(response: &Response) -> OffloadReadOutput {
    OffloadReadOutput::decode(response.body::<IoctlResponse<'_>>().output).unwrap()
}

fn ask(client: &mut Client, world: &mut World, file: FileId, from: u64, bytes: u64) -> OffloadReadOutput {
    named(&client.ioctl(world, file, CtlCode::OFFLOAD_READ, &read(from, bytes, 0), 528))
}

/// Bytes that were written, or why none were.
fn put(client: &mut Client, world: &mut World, file: FileId, input: &[u8]) -> Result<u64, NtStatus> {
    let response = client.ioctl(world, file, CtlCode::OFFLOAD_WRITE, input, 16);
    match response.status() {
        NtStatus::SUCCESS => {
            let body = response.body::<IoctlResponse<'_>>();
            Ok(OffloadWriteOutput::decode(body.output).unwrap().length_written)
        }
        status => Err(status),
    }
}

/// A file that is too long for one request, and a handle on it.
fn long(client: &mut Client, world: &mut World, name: &str, data: &[u8]) -> FileId {
    let file = client.open(world, name, ALL);
    for (n, piece) in data.chunks(65_536).enumerate() {
        assert_eq!(client.write(world, file, n as u64 * 65_536, piece), NtStatus::SUCCESS);
    }
    file
}

/// What is in such a file.
fn all(client: &mut Client, world: &mut World, file: FileId) -> Vec<u8> {
    let mut data = Vec::new();
    while let Ok(piece) = client.read(world, file, data.len() as u64, 65_536) {
        data.extend(piece);
    }
    data
}

/// Some bytes that repeat nowhere near.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n / 7 + n % 251) as u8).collect()
}

#[test]
fn a_token_copies_what_it_names() {
    let mut world = World::with(|config| config.with_share(ShareConfig::new("other", memory())));
    let mut client = world.client();
    let data = pattern(3 << 20);
    let source = long(&mut client, &mut world, "source", &data);
    let target = long(&mut client, &mut world, "target", &vec![0; 4 << 20]);
    let token = ask(&mut client, &mut world, source, KIB, 3 << 20);
    assert_eq!((token.size, token.transfer_length), (528, (3 << 20) - KIB));
    assert_eq!(token.flags, OffloadReadFlags::ALL_ZERO_BEYOND_CURRENT_RANGE);
    let whole = write(token.token, 0, 512, 3 << 20);
    assert_eq!(put(&mut client, &mut world, target, &whole), Ok((3 << 20) - KIB));
    let copied = all(&mut client, &mut world, target);
    assert!(copied[512..512 + data.len() - 1024] == data[1024..]);
    // Between storages the data go through memory.
    client.tree = client.tree_connect(&mut world, r"\\server\other").header.tree_id;
    let target = long(&mut client, &mut world, "target", &vec![0; 1 << 20]);
    assert_eq!(put(&mut client, &mut world, target, &write(token.token, 512, 0, 1 << 20)), Ok(1 << 20));
    assert!(all(&mut client, &mut world, target) == data[1536..1536 + (1 << 20)]);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_token_within_one_file_is_good_for_one_write() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", &pattern(8192));
    let file = client.open(&mut world, "file", open());
    let token = ask(&mut client, &mut world, file, 0, 1024).token;
    assert_eq!(put(&mut client, &mut world, file, &write(token, 0, 4096, 1024)), Ok(1024));
    assert_eq!(client.get(&mut world, "file")[4096..5120], pattern(8192)[..1024]);
    assert_eq!(put(&mut client, &mut world, file, &write(token, 0, 0, 512)), Err(NtStatus::INVALID_TOKEN));
}

#[test]
fn the_end_of_the_target_does_not_move() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "source", &[7; 1000]);
    client.put(&mut world, "target", &[1; 1300]);
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", open());
    let token = ask(&mut client, &mut world, source, 0, 4096);
    assert_eq!(token.transfer_length, 1024, "whole sectors");
    // The last bytes of the last sector are not those of the file: zeros.
    assert_eq!(put(&mut client, &mut world, target, &write(token.token, 0, 0, 4096)), Ok(1024));
    let data = client.get(&mut world, "target");
    assert_eq!((data.len(), data[999], data[1000], data[1023], data[1024]), (1300, 7, 0, 0, 1));
    assert_eq!(put(&mut client, &mut world, target, &write(token.token, 0, 1024, 1024)), Ok(512));
    let data = client.get(&mut world, "target");
    assert_eq!((data.len(), data[1299]), (1300, 7));
    let zeros = write(OffloadToken::ZERO, 0, 512, 1 << 30);
    assert_eq!(put(&mut client, &mut world, target, &zeros), Ok(1024));
    let data = client.get(&mut world, "target");
    assert_eq!((data.len(), data[511], &data[512..]), (1300, 7, &[0; 788][..]));
}

#[test]
fn a_token_goes_when_the_data_may_have_changed() {
    let mut world = World::new();
    let (mut client, mut other) = (world.client(), world.client());
    client.put(&mut world, "source", &[7; 4096]);
    client.put(&mut world, "target", &[0; 4096]);
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", open());
    let theirs = other.open(&mut world, "source", open());
    let stands = |client: &mut Client, world: &mut World, token| {
        put(client, world, target, &write(token, 0, 0, 512)) == Ok(512)
    };
    type Change<'a> = &'a dyn Fn(&mut Client, &mut World);
    let changes: [(&str, Change<'_>); 6] = [
        ("nothing", &|_, _| ()),
        ("lock", &|other, world| {
            other.lock(world, theirs, &[exclusive(1 << 20, 1)]);
        }),
        ("write", &|other, world| {
            other.write(world, theirs, 0, b"x");
        }),
        ("set length", &|other, world| {
            other.set(world, theirs, &fscc::FileEndOfFileInfo { end_of_file: 2048 });
        }),
        ("zero", &|other, world| {
            let zero = ZeroData { file_offset: 0, beyond_final_zero: 5 }.to_vec();
            other.ioctl(world, theirs, CtlCode::SET_ZERO_DATA, &zero, 0);
        }),
        ("overwrite", &|other, world| {
            let file = other.open(world, "source", ALL.disposition(CreateDisposition::OVERWRITE));
            other.write(world, file, 0, &[1; 4096]);
            other.close(world, file);
        }),
    ];
    for (what, change) in changes {
        let token = ask(&mut client, &mut world, source, 0, 1024).token;
        assert!(stands(&mut client, &mut world, token));
        change(&mut other, &mut world);
        let keeps = ["nothing", "lock"].contains(&what);
        assert_eq!(stands(&mut client, &mut world, token), keeps, "{what}");
    }
    // A write that has begun when the token is made is in nobody's data yet.
    world.hold = true;
    other.send_write(&mut world, theirs, 0, b"y");
    let id = client.send(
        &mut world,
        Command::IOCTL,
        &IoctlRequest {
            ctl_code: CtlCode::OFFLOAD_READ,
            file_id: source,
            max_output_response: 528,
            flags: IoctlFlags::IS_FSCTL,
            input: &read(0, 512, 0),
            ..Default::default()
        },
    );
    assert_eq!(world.held_names(), ["Write", "Stat"]);
    world.run_held(1);
    let token = named(&client.answer(&mut world, id)).token;
    world.hold = false;
    world.run_all();
    assert!(!stands(&mut client, &mut world, token));
    world.close_all();
    world.assert_empty();
}

#[test]
fn data_that_change_during_the_copy_end_it() {
    let mut world = World::new();
    let mut client = world.client();
    let source = long(&mut client, &mut world, "source", &vec![7; 2 << 20]);
    let target = long(&mut client, &mut world, "target", &vec![0; 2 << 20]);
    let input = write(ask(&mut client, &mut world, source, 0, 2 << 20).token, 0, 0, 2 << 20);
    world.hold = true;
    let id = client.send_ioctl(&mut world, target, CtlCode::OFFLOAD_WRITE, &input, 16);
    world.run_held(0);
    world.run_held(0);
    assert_eq!(world.held_names(), ["Copy"]);
    client.send_write(&mut world, source, 0, b"x");
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_TOKEN);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_token_goes_with_its_open_its_time_and_its_session() {
    let mut world = World::new();
    let (mut client, mut eve) = (world.client(), world.client_of("eve", "share"));
    client.put(&mut world, "source", &[7; 4096]);
    client.put(&mut world, "target", &[0; 4096]);
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", open());
    let invalid = Err(NtStatus::INVALID_TOKEN);
    let token = ask(&mut client, &mut world, source, 0, 512).token;
    let theirs = eve.open(&mut world, "target", open());
    assert_eq!(put(&mut eve, &mut world, theirs, &write(token, 0, 0, 512)), invalid, "of another session");
    for at in [0, 15, 16, 24, 40, 503] {
        let mut other = token;
        other.id[at] ^= 1;
        let counts = at < 32;
        assert_eq!(put(&mut client, &mut world, target, &write(other, 0, 0, 512)).is_err(), counts, "{at}");
    }
    let unknown = OffloadToken::new(OffloadTokenType(0xFFFF_0002), token.id);
    assert_eq!(put(&mut client, &mut world, target, &write(unknown, 0, 0, 512)), invalid);
    client.close(&mut world, source);
    assert_eq!(put(&mut client, &mut world, target, &write(token, 0, 0, 512)), invalid, "closed");
    assert_eq!(world.files.counters().offloads, 0);
    let source = client.open(&mut world, "source", open());
    for (asked, life) in [(0, 120), (5000, 5), (u32::MAX, 120)] {
        let input = read(0, 512, asked);
        let token = named(&client.ioctl(&mut world, source, CtlCode::OFFLOAD_READ, &input, 528)).token;
        world.advance(Duration::from_millis(life * 1000 - 1));
        assert_eq!(put(&mut client, &mut world, target, &write(token, 0, 0, 512)), Ok(512));
        world.advance(Duration::from_millis(1));
        assert_eq!(put(&mut client, &mut world, target, &write(token, 0, 0, 512)), invalid);
        assert_eq!(world.files.counters().offloads, 0);
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn tokens_are_bounded() {
    let mut world = World::with_limits(Limits { offload_tokens: 100, ..Limits::default() });
    let mut client = world.client();
    client.put(&mut world, "source", &[7; 4096]);
    client.put(&mut world, "target", &[0; 4096]);
    let target = client.open(&mut world, "target", open());
    let first = client.open(&mut world, "source", open());
    let second = client.open(&mut world, "source", open());
    let tokens: Vec<_> = (0..70).map(|_| ask(&mut client, &mut world, first, 0, 512).token).collect();
    assert_eq!(world.files.counters().offloads, 64);
    let good = |client: &mut Client, world: &mut World, at: usize| {
        put(client, world, target, &write(tokens[at], 0, 0, 512)).is_ok()
    };
    assert!(!good(&mut client, &mut world, 5) && good(&mut client, &mut world, 6));
    for _ in 0..64 {
        ask(&mut client, &mut world, second, 0, 512);
    }
    assert_eq!(world.files.counters().offloads, 100);
    assert!(!good(&mut client, &mut world, 33) && good(&mut client, &mut world, 34));
    world.close_all();
    world.assert_empty();
}

#[test]
fn offloads_that_do_not_fit_are_refused() {
    let mut world = World::new();
    let (mut client, mut bob) = (world.client(), world.client());
    client.put(&mut world, "source", &[7; 4096]);
    client.put(&mut world, "target", &[0; 4096]);
    client.put(&mut world, "small", &[7; 511]);
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", open());
    let small = client.open(&mut world, "small", open());
    let dir = client.open(&mut world, "dir", directory());
    let sparse = client.open(&mut world, "sparse", ALL);
    client.write(&mut world, sparse, 0, &[1; 4096]);
    client.ioctl(&mut world, sparse, CtlCode::SET_SPARSE, &[], 0);
    let blind = client.open(&mut world, "source", open().access(AccessMask::FILE_WRITE_DATA));
    let reader = client.open(&mut world, "target", open().access(AccessMask::FILE_READ_DATA));
    let doomed = client.open(&mut world, "doomed", ALL);
    client.write(&mut world, doomed, 0, &[1; 4096]);
    client.delete_pending(&mut world, doomed, true);
    let token = ask(&mut client, &mut world, source, 0, 1024).token;
    let locker = bob.open(&mut world, "target", open());
    bob.lock(&mut world, locker, &[exclusive(2048, 512)]);
    let mut odd = read(0, 512, 0);
    odd[0] = 31;
    let unfit = NtStatus::OFFLOAD_READ_FILE_NOT_SUPPORTED;
    for (file, input, room, status) in [
        (source, read(0, 512, 0)[..31].to_vec(), 528, NtStatus::BUFFER_TOO_SMALL),
        (source, read(0, 512, 0), 527, NtStatus::BUFFER_TOO_SMALL),
        (source, odd, 528, NtStatus::INVALID_PARAMETER),
        (source, read(1, 512, 0), 528, NtStatus::INVALID_PARAMETER),
        (source, read(0, 513, 0), 528, NtStatus::INVALID_PARAMETER),
        (source, read(u64::MAX - 511, 512, 0), 528, NtStatus::INVALID_PARAMETER),
        (source, read(1 << 63, 512, 0), 528, NtStatus::INVALID_PARAMETER),
        (source, read(4096, 512, 0), 528, NtStatus::END_OF_FILE),
        (source, read(4096, 0, 0), 528, NtStatus::SUCCESS),
        (small, read(0, 512, 0), 528, NtStatus::INVALID_PARAMETER),
        (dir, read(0, 512, 0), 528, unfit),
        (sparse, read(0, 512, 0), 528, unfit),
        (blind, read(0, 512, 0), 528, NtStatus::ACCESS_DENIED),
        (target, read(2048, 512, 0), 528, NtStatus::FILE_LOCK_CONFLICT),
        (doomed, read(0, 512, 0), 528, NtStatus::FILE_DELETED),
    ] {
        let response = client.ioctl(&mut world, file, CtlCode::OFFLOAD_READ, &input, room);
        assert_eq!(response.status(), status, "{input:x?}");
    }
    let mut odd = write(token, 0, 0, 512);
    odd[0] = 1;
    let unfit = NtStatus::OFFLOAD_WRITE_FILE_NOT_SUPPORTED;
    for (file, input, room, status) in [
        (target, write(token, 0, 0, 512)[..543].to_vec(), 16, NtStatus::BUFFER_TOO_SMALL),
        (target, write(token, 0, 0, 512), 15, NtStatus::BUFFER_TOO_SMALL),
        (target, odd, 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 1, 0, 512), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 0, 1, 512), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 0, 0, 1), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 1024, 0, 512), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 0, u64::MAX - 511, 512), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 0, 1 << 63, 512), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, u64::MAX - 511, 0, 512), 16, NtStatus::INVALID_PARAMETER),
        (target, write(token, 0, 4096, 512), 16, NtStatus::END_OF_FILE),
        (target, write(token, 0, 4096, 0), 16, NtStatus::SUCCESS),
        (small, write(token, 0, 0, 512), 16, NtStatus::INVALID_PARAMETER),
        (dir, write(token, 0, 0, 512), 16, unfit),
        (sparse, write(token, 0, 0, 512), 16, unfit),
        (reader, write(token, 0, 0, 512), 16, NtStatus::ACCESS_DENIED),
        (target, write(token, 0, 1536, 1024), 16, NtStatus::FILE_LOCK_CONFLICT),
        (doomed, write(token, 0, 0, 512), 16, NtStatus::FILE_DELETED),
    ] {
        let response = client.ioctl(&mut world, file, CtlCode::OFFLOAD_WRITE, &input, room);
        assert_eq!(response.status(), status, "{input:x?}");
    }
    world.close_all();
    world.assert_empty();
}
