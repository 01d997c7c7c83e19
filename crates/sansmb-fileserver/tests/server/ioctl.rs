//! IOCTL.

use sansmb::{
    conn::MessageBuffer,
    wire::{fsctl::*, *},
};
use sansmb_fileserver::storage::Done;

use crate::common::{
    Client, World,
    caching::{self, R},
    requests::*,
};

fn resume_key(client: &mut Client, world: &mut World, file: FileId) -> [u8; 24] {
    let response = client.ioctl(world, file, CtlCode::SRV_REQUEST_RESUME_KEY, &[], 32);
    let body = response.body::<IoctlResponse<'_>>();
    SrvRequestResumeKey::decode(body.output).unwrap().resume_key
}

fn copy(source_key: [u8; 24], chunks: &[(u64, u64, u32)]) -> Vec<u8> {
    let chunks: Vec<SrvCopychunk> = chunks
        .iter()
        .map(|&(source_offset, target_offset, length)| SrvCopychunk { source_offset, target_offset, length })
        .collect();
    SrvCopychunkCopy { source_key, chunks: chunks.as_slice().into() }.to_vec()
}

fn result(response: &crate::common::Response) -> (NtStatus, SrvCopychunkResponse) {
    let body = IoctlResponse::decode(&response.bytes).unwrap();
    (response.status(), SrvCopychunkResponse::decode(body.output).unwrap())
}

#[test]
fn chunks_are_copied_on_the_server() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "source", b"0123456789");
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", ALL);
    let key = resume_key(&mut client, &mut world, source);
    let input = copy(key, &[(0, 5, 5), (5, 0, 5)]);
    let response = client.ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12);
    let (status, done) = result(&response);
    assert_eq!(status, NtStatus::SUCCESS);
    assert_eq!((done.chunks_written, done.chunk_bytes_written, done.total_bytes_written), (2, 0, 10));
    assert_eq!(client.read(&mut world, target, 0, 100), Ok(b"5678901234".to_vec()));
    // Behind the end of the source: the first chunk is done, the second is not.
    let input = copy(key, &[(0, 20, 10), (5, 40, 10)]);
    let (status, done) = result(&client.ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12));
    assert_eq!((status, done.chunks_written, done.total_bytes_written), (NtStatus::INVALID_VIEW_SIZE, 1, 10));
    assert_eq!(world.files.counters().jobs, 0);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn chunks_are_copied_between_storages() {
    let mut world = World::with(|config| {
        config.with_share(sansmb_fileserver::ShareConfig::new("other", crate::common::memory()))
    });
    let mut client = world.client();
    client.put(&mut world, "source", b"0123456789");
    let source = client.open(&mut world, "source", open());
    let key = resume_key(&mut client, &mut world, source);
    client.tree = client.tree_connect(&mut world, r"\\server\other").header.tree_id;
    let target = client.open(&mut world, "target", ALL);
    let input = copy(key, &[(2, 0, 3), (0, 3, 2)]);
    let (status, done) = result(&client.ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12));
    assert_eq!((status, done.chunks_written), (NtStatus::SUCCESS, 2));
    assert_eq!(client.read(&mut world, target, 0, 100), Ok(b"23401".to_vec()));
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn o16_copies_above_the_limits_are_told_the_limits() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "source", b"0123456789");
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", ALL);
    let key = resume_key(&mut client, &mut world, source);
    for chunks in [
        vec![(0, 0, 1); 257],
        vec![(0, 0, (1 << 20) + 1)],
        vec![(0, 0, 1 << 20); 17],
        vec![(0, 0, 0)],
        vec![(0, 0, u32::MAX); 200],
    ] {
        let input = copy(key, &chunks);
        let (status, limits) = result(&client.ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12));
        assert_eq!(status, NtStatus::INVALID_PARAMETER);
        assert_eq!(
            (limits.chunks_written, limits.chunk_bytes_written, limits.total_bytes_written),
            (256, 1 << 20, 16 << 20)
        );
    }
    for (input, output, status) in [
        (copy(key, &[(0, 0, 1)]), 11, NtStatus::INVALID_PARAMETER),
        (copy(key, &[(0, 0, 1)])[..40].to_vec(), 12, NtStatus::INVALID_PARAMETER),
        (vec![], 12, NtStatus::INVALID_PARAMETER),
        (copy(key, &[(1 << 63, 0, 1)]), 12, NtStatus::INVALID_PARAMETER),
        (copy(key, &[(0, u64::MAX, 1)]), 12, NtStatus::INVALID_PARAMETER),
        (copy([9; 24], &[(0, 0, 1)]), 12, NtStatus::OBJECT_NAME_NOT_FOUND),
    ] {
        let response = client.ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, output);
        assert_eq!(response.status(), status, "{input:?}");
    }
    let short = client.ioctl(&mut world, source, CtlCode::SRV_REQUEST_RESUME_KEY, &[], 31);
    assert_eq!(short.status(), NtStatus::INVALID_PARAMETER);
}

#[test]
fn o16_buffers_outside_the_message_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let request = IoctlRequest {
        ctl_code: CtlCode::SET_SPARSE,
        file_id: file,
        flags: IoctlFlags::IS_FSCTL,
        input: &[1],
        ..Default::default()
    };
    // InputOffset and InputCount, OutputOffset and OutputCount.
    for (at, value) in [(88, 8_u32), (88, 0xFFFF_FFF0), (92, 100), (92, u32::MAX), (104, u32::MAX)] {
        let mut message = client.raw(Command::IOCTL, &request);
        message[at..at + 4].copy_from_slice(&value.to_le_bytes());
        client.send_frame(&mut world, &message);
        let id = client.last;
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER, "{at} {value:#x}");
    }
}

#[test]
fn o16_a_copy_needs_rights_on_both_sides_and_one_session() {
    let mut world = World::new();
    let mut client = world.client();
    let mut eve = world.client_of("eve", "share");
    client.put(&mut world, "source", b"0123456789");
    let source = client.open(&mut world, "source", open());
    let key = resume_key(&mut client, &mut world, source);
    let input = copy(key, &[(0, 0, 5)]);
    let theirs = eve.open(&mut world, "theirs", ALL);
    let stolen = eve.ioctl(&mut world, theirs, CtlCode::SRV_COPYCHUNK, &input, 12);
    assert_eq!(stolen.status(), NtStatus::OBJECT_NAME_NOT_FOUND);
    let write_only = client.open(&mut world, "target", ALL.access(AccessMask::FILE_WRITE_DATA));
    let plain = client.ioctl(&mut world, write_only, CtlCode::SRV_COPYCHUNK, &input, 12);
    assert_eq!(plain.status(), NtStatus::ACCESS_DENIED);
    let write = client.ioctl(&mut world, write_only, CtlCode::SRV_COPYCHUNK_WRITE, &input, 12);
    assert_eq!(write.status(), NtStatus::SUCCESS);
    let read_only = client.open(&mut world, "target", open().access(AccessMask::FILE_READ_DATA));
    let denied = client.ioctl(&mut world, read_only, CtlCode::SRV_COPYCHUNK_WRITE, &input, 12);
    assert_eq!(denied.status(), NtStatus::ACCESS_DENIED);
    let blind = client.open(&mut world, "source", open().access(AccessMask::FILE_READ_ATTRIBUTES));
    let key = resume_key(&mut client, &mut world, blind);
    let denied =
        client.ioctl(&mut world, write_only, CtlCode::SRV_COPYCHUNK_WRITE, &copy(key, &[(0, 0, 1)]), 12);
    assert_eq!(denied.status(), NtStatus::ACCESS_DENIED);
    let dir = client.open(&mut world, "dir", directory());
    let onto_dir = client.ioctl(&mut world, dir, CtlCode::SRV_COPYCHUNK, &input, 12);
    assert_eq!(onto_dir.status(), NtStatus::INVALID_DEVICE_REQUEST);
    // Locks count for copies too.
    let locker = eve.open(&mut world, "source", open());
    eve.lock(&mut world, locker, &[exclusive(0, 1)]);
    let (status, done) =
        result(&client.ioctl(&mut world, write_only, CtlCode::SRV_COPYCHUNK_WRITE, &input, 12));
    assert_eq!((status, done.chunks_written), (NtStatus::FILE_LOCK_CONFLICT, 0));
}

#[test]
fn a_source_that_is_closed_meanwhile_ends_the_copy() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "source", b"0123456789");
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", ALL);
    let key = resume_key(&mut client, &mut world, source);
    world.hold = true;
    let input = copy(key, &[(0, 0, 5), (5, 5, 5)]);
    let id = client.send_ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12);
    let close = client.send_close(&mut world, source);
    assert_eq!(world.held_names(), ["Copy"], "the handle is still needed");
    world.run_all();
    let (status, done) = result(&client.answer(&mut world, id));
    assert_eq!((status, done.chunks_written), (NtStatus::FILE_CLOSED, 1));
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);
}

/// A storage may read a chunk in parts.
#[test]
fn a_copy_that_is_read_in_parts_is_whole() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "source", b"0123456789");
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", ALL);
    let key = resume_key(&mut client, &mut world, source);
    world.hold = true;
    let input = copy(key, &[(1, 0, 8)]);
    let id = client.send_ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12);
    world.fail_held(0, NtStatus::NOT_SUPPORTED);
    assert_eq!(world.held_names(), ["Read"]);
    let part = || {
        let mut part = MessageBuffer::with_capacity(8);
        part.extend_from_slice(b"123");
        Ok(Done::ReadPart(part))
    };
    world.end_held(0, part());
    assert_eq!(world.held_names(), ["Read"]);
    world.run_all();
    let (status, done) = result(&client.answer(&mut world, id));
    assert_eq!((status, done.chunks_written, done.total_bytes_written), (NtStatus::SUCCESS, 1, 8));
    world.hold = false;
    assert_eq!(client.read(&mut world, target, 0, 100), Ok(b"12345678".to_vec()));
    // Where no part comes to anything more, it would go on for ever.
    world.hold = true;
    let id = client.send_ioctl(&mut world, target, CtlCode::SRV_COPYCHUNK, &input, 12);
    world.fail_held(0, NtStatus::NOT_SUPPORTED);
    for _ in 0..2 {
        assert_eq!(world.held_names(), ["Read"]);
        world.end_held(0, part());
    }
    let (status, done) = result(&client.answer(&mut world, id));
    assert_eq!((status, done.chunks_written), (NtStatus::INTERNAL_ERROR, 0));
}

#[test]
fn o17_control_codes_that_do_not_fit_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let dir = client.open(&mut world, "dir", directory());
    let zero = ZeroData { file_offset: 0, beyond_final_zero: 10 }.to_vec();
    let backwards = ZeroData { file_offset: 10, beyond_final_zero: 0 }.to_vec();
    for (id, code, input, status) in [
        (file, CtlCode(0x1234_5678), &[][..], NtStatus::NOT_SUPPORTED),
        (file, CtlCode::SRV_READ_HASH, &[], NtStatus::NOT_SUPPORTED),
        (file, CtlCode::GET_RETRIEVAL_POINTERS, &[], NtStatus::INVALID_DEVICE_REQUEST),
        (file, CtlCode::SET_OBJECT_ID, &[], NtStatus::INVALID_PARAMETER),
        (file, CtlCode::IS_PATHNAME_VALID, &[], NtStatus::SUCCESS),
        (file, CtlCode::PIPE_TRANSCEIVE, &[], NtStatus::INVALID_DEVICE_REQUEST),
        (file, CtlCode::PIPE_PEEK, &[], NtStatus::INVALID_DEVICE_REQUEST),
        (file, CtlCode::PIPE_WAIT, &[], NtStatus::INVALID_PARAMETER),
        (FileId::ANY, CtlCode::PIPE_WAIT, &[], NtStatus::INVALID_DEVICE_REQUEST),
        (file, CtlCode::DFS_GET_REFERRALS, &[], NtStatus::INVALID_PARAMETER),
        (file, CtlCode::GET_REPARSE_POINT, &[], NtStatus::NOT_A_REPARSE_POINT),
        (FileId::ANY, CtlCode::DFS_GET_REFERRALS, &[], NtStatus::FS_DRIVER_REQUIRED),
        (FileId::ANY, CtlCode::QUERY_NETWORK_INTERFACE_INFO, &[], NtStatus::NOT_SUPPORTED),
        (FileId::ANY, CtlCode::SET_SPARSE, &[], NtStatus::FILE_CLOSED),
        (file, CtlCode::GET_COMPRESSION, &[], NtStatus::SUCCESS),
        (file, CtlCode::SET_COMPRESSION, &[9, 0], NtStatus::INVALID_PARAMETER),
        (file, CtlCode::SET_SPARSE, &[1], NtStatus::SUCCESS),
        (dir, CtlCode::SET_SPARSE, &[1], NtStatus::INVALID_PARAMETER),
        (file, CtlCode::SET_ZERO_DATA, &zero, NtStatus::SUCCESS),
        (file, CtlCode::SET_ZERO_DATA, &backwards, NtStatus::INVALID_PARAMETER),
        (file, CtlCode::SET_ZERO_DATA, &zero[..15], NtStatus::INVALID_PARAMETER),
        (dir, CtlCode::SET_ZERO_DATA, &zero, NtStatus::INVALID_PARAMETER),
        (dir, CtlCode::QUERY_ALLOCATED_RANGES, &zero, NtStatus::INVALID_PARAMETER),
    ] {
        assert_eq!(client.ioctl(&mut world, id, code, input, 1000).status(), status, "{code:?}");
    }
    let request = IoctlRequest { ctl_code: CtlCode::SET_SPARSE, file_id: file, ..Default::default() };
    assert_eq!(client.status(&mut world, Command::IOCTL, &request), NtStatus::NOT_SUPPORTED, "no FSCTL");
    client.close(&mut world, file);
    assert_eq!(client.ioctl(&mut world, file, CtlCode::SET_SPARSE, &[], 0).status(), NtStatus::FILE_CLOSED);
}

#[test]
fn zeros_and_holes() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", &[1; 300_000]);
    let file = client.open(&mut world, "file", open());
    let zero = ZeroData { file_offset: 65_536, beyond_final_zero: 196_608 }.to_vec();
    assert_eq!(client.ioctl(&mut world, file, CtlCode::SET_ZERO_DATA, &zero, 0).status(), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, file, 65_535, 3), Ok(vec![1, 0, 0]));
    let range = FileRange { offset: 0, length: 400_000 }.to_vec();
    let response = client.ioctl(&mut world, file, CtlCode::QUERY_ALLOCATED_RANGES, &range, 1000);
    let body = response.body::<IoctlResponse<'_>>();
    let ranges: Vec<FileRange> = FileRanges::decode(body.output).unwrap().0.iter().collect();
    assert_eq!(ranges, [FileRange { offset: 0, length: 300_000 }], "it is not sparse");
    assert_eq!(client.ioctl(&mut world, file, CtlCode::SET_SPARSE, &[], 0).status(), NtStatus::SUCCESS);
    assert!(client.basic(&mut world, file).attributes.contains(FileAttributes::SPARSE_FILE));
    let hidden = fscc::FileBasicInfo { attributes: FileAttributes::HIDDEN, ..Default::default() };
    client.set(&mut world, file, &hidden);
    let both = FileAttributes::HIDDEN | FileAttributes::SPARSE_FILE;
    assert_eq!(client.basic(&mut world, file).attributes, both, "it stays sparse");
    let response = client.ioctl(&mut world, file, CtlCode::QUERY_ALLOCATED_RANGES, &range, 1000);
    let body = response.body::<IoctlResponse<'_>>();
    let ranges: Vec<FileRange> = FileRanges::decode(body.output).unwrap().0.iter().collect();
    assert_eq!(ranges.first().map(|r| (r.offset, r.length)), Some((0, 65_536)));
    assert_eq!(ranges.len(), 2);
    let cut = client.ioctl(&mut world, file, CtlCode::QUERY_ALLOCATED_RANGES, &range, 16);
    assert_eq!(cut.status(), NtStatus::BUFFER_OVERFLOW);
    let none = client.ioctl(&mut world, file, CtlCode::QUERY_ALLOCATED_RANGES, &range, 15);
    assert_eq!(none.status(), NtStatus::BUFFER_TOO_SMALL);
    let trim =
        FileLevelTrim { key: 0, ranges: [FileRange { offset: 0, length: 1 }].as_slice().into() }.to_vec();
    assert_eq!(
        client.ioctl(&mut world, file, CtlCode::FILE_LEVEL_TRIM, &trim, 4).status(),
        NtStatus::SUCCESS
    );
    let id = client.ioctl(&mut world, file, CtlCode::CREATE_OR_GET_OBJECT_ID, &[], 64);
    assert_eq!(id.body::<IoctlResponse<'_>>().output.len(), 64);
    let short = client.ioctl(&mut world, file, CtlCode::CREATE_OR_GET_OBJECT_ID, &[], 63);
    assert_eq!(short.status(), NtStatus::INVALID_PARAMETER);
    // What stops being sparse keeps its zeros.
    assert_eq!(client.ioctl(&mut world, file, CtlCode::SET_SPARSE, &[0], 0).status(), NtStatus::SUCCESS);
    assert!(!client.basic(&mut world, file).attributes.contains(FileAttributes::SPARSE_FILE));
    assert_eq!(client.read(&mut world, file, 65_535, 3), Ok(vec![1, 0, 0]));
}

/// [MS-FSA] 2.1.4.12: nobody goes on with what they read before.
#[test]
fn control_codes_that_change_data_are_told_to_those_who_cache_them() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.put(&mut world, "source", &[7; 131_072]);
    let source = alice.open(&mut world, "source", open());
    let chunk = copy(resume_key(&mut alice, &mut world, source), &[(0, 0, 5)]);
    let zero = ZeroData { file_offset: 0, beyond_final_zero: 5 }.to_vec();
    let extents =
        DuplicateExtents { source_file_id: source, byte_count: 65_536, ..Default::default() }.to_vec();
    let ranges = [FileRange { offset: 0, length: 65_536 }];
    let trim = FileLevelTrim { key: 0, ranges: ranges.as_slice().into() }.to_vec();
    for (n, code, input, room) in [
        (1, CtlCode::SET_ZERO_DATA, zero, 0),
        (2, CtlCode::SRV_COPYCHUNK, chunk, 12),
        (3, CtlCode::DUPLICATE_EXTENTS_TO_FILE, extents, 0),
        (4, CtlCode::FILE_LEVEL_TRIM, trim, 0),
    ] {
        let name = format!("file {n}");
        alice.put(&mut world, &name, &[1; 131_072]);
        let file = alice.open(&mut world, &name, ALL);
        bob.lease(&mut world, &name, ALL, caching::lease(n, R));
        assert_eq!(bob.broken(&mut world), None);
        let done = alice.ioctl(&mut world, file, code, &input, room).status();
        assert_eq!(done, NtStatus::SUCCESS, "{code:?}");
        let told = (caching::key(n), R, LeaseState::empty(), false);
        assert_eq!(bob.broken_lease(&mut world), told, "{code:?}");
    }
    world.close_all();
    world.assert_empty();
}
