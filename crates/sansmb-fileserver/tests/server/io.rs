//! READ, WRITE, FLUSH and CLOSE.

use sansmb::{conn::MessageBuffer, wire::*};
use sansmb_fileserver::storage::Done;

use crate::common::{World, requests::*};

#[test]
fn o10_reads_end_where_the_file_ends() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"0123456789");
    let file = client.open(&mut world, "file", open());
    assert_eq!(client.read(&mut world, file, 8, 100), Ok(b"89".to_vec()));
    assert_eq!(client.read(&mut world, file, 10, 1), Err(NtStatus::END_OF_FILE));
    assert_eq!(client.read(&mut world, file, 1 << 40, 1), Err(NtStatus::END_OF_FILE));
    assert_eq!(client.read(&mut world, file, 0, 0), Ok(Vec::new()));
    assert_eq!(client.read(&mut world, file, 100, 0), Ok(Vec::new()));
    for offset in [1 << 63, u64::MAX, i64::MAX as u64] {
        assert_eq!(
            client.read(&mut world, file, offset, 10),
            Err(NtStatus::INVALID_PARAMETER),
            "{offset:#x}"
        );
    }
    let mut request =
        ReadRequest { file_id: file, offset: 5, length: 10, minimum_count: 5, ..Default::default() };
    assert_eq!(client.status(&mut world, Command::READ, &request), NtStatus::SUCCESS);
    request.minimum_count = 6;
    assert_eq!(client.status(&mut world, Command::READ, &request), NtStatus::END_OF_FILE);
    request = ReadRequest { file_id: file, length: 9 << 20, ..Default::default() };
    assert_eq!(client.status(&mut world, Command::READ, &request), NtStatus::INVALID_PARAMETER);
    request = ReadRequest { file_id: file, length: 1, channel: 1, ..Default::default() };
    assert_eq!(client.status(&mut world, Command::READ, &request), NtStatus::INVALID_PARAMETER);
}

/// A storage may read much in parts, and the file may end in any of them.
#[test]
fn a_read_in_parts_gives_one_answer() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"0123456789");
    let file = client.open(&mut world, "file", open());
    world.hold = true;
    let part = |bytes: &[u8]| {
        let mut into = MessageBuffer::with_capacity(10);
        into.extend_from_slice(bytes);
        into
    };
    let id = client.send_read(&mut world, file, 1, 8);
    world.end_held(0, Ok(Done::ReadPart(part(b"123"))));
    // A close waits for the parts.
    let close = client.send_close(&mut world, file);
    assert_eq!(world.held_names(), ["Read"]);
    world.run_all();
    assert_eq!(read_result(&client.answer(&mut world, id)), Ok(b"12345678".to_vec()));
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);

    world.hold = false;
    let file = client.open(&mut world, "file", open());
    world.hold = true;
    let id = client.send_read(&mut world, file, 0, 8);
    world.end_held(0, Ok(Done::ReadPart(part(b"0"))));
    world.fail_held(0, NtStatus::IO_DEVICE_ERROR);
    assert_eq!(read_result(&client.answer(&mut world, id)), Err(NtStatus::IO_DEVICE_ERROR));
    let id = client.send_read(&mut world, file, 0, 8);
    world.end_held(0, Ok(Done::ReadPart(part(b"0"))));
    world.end_held(0, Ok(Done::ReadPart(part(b"0"))));
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::INTERNAL_ERROR, "it would go on for ever");
}

#[test]
fn o10_holes_read_as_zeros() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(client.write(&mut world, file, 100_000, b"end"), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, file, 1000, 5000), Ok(vec![0; 5000]));
    assert_eq!(client.read(&mut world, file, 99_999, 100), Ok(b"\0end".to_vec()));
}

#[test]
fn o9_writes_beyond_the_last_offset_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    for offset in [1 << 63, u64::MAX - 1, i64::MAX as u64] {
        assert_eq!(client.write(&mut world, file, offset, b"xy"), NtStatus::INVALID_PARAMETER, "{offset:#x}");
    }
    assert_eq!(client.write(&mut world, file, 5, b""), NtStatus::SUCCESS);
    assert_eq!(client.standard(&mut world, file).end_of_file, 0);
    // DataOffset inside the header, behind the end; Length that lies.
    for (at, value) in [(66, 16_u32), (66, 0xFFFF), (68, 1 << 20), (68, u32::MAX)] {
        let mut message = client.raw(Command::WRITE, &write_request(file, 0, b"data"));
        let width = if at == 66 { 2 } else { 4 };
        message[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        client.send_frame(&mut world, &message);
        let id = client.last;
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER, "{at} {value:#x}");
    }
    assert_eq!(client.standard(&mut world, file).end_of_file, 0);
}

#[test]
fn o10_reads_of_streams_end_where_the_stream_ends() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", &[7; 5000]);
    let stream = client.open(&mut world, "file:stream", ALL);
    assert_eq!(client.read(&mut world, stream, 0, 5000), Err(NtStatus::END_OF_FILE));
    assert_eq!(client.write(&mut world, stream, 3000, b"end"), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, stream, 2999, 5000), Ok(b"\0end".to_vec()));
    for offset in [1 << 63, u64::MAX, i64::MAX as u64] {
        assert_eq!(client.read(&mut world, stream, offset, 10), Err(NtStatus::INVALID_PARAMETER));
    }
}

#[test]
fn f16_data_does_not_come_by_rdma() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"data");
    let file_id = client.open(&mut world, "file", open());
    // RDMA_V1, RDMA_V1_INVALIDATE, RDMA_TRANSFORM and what nobody knows, with a buffer descriptor.
    let descriptor = [0xFF; 16];
    for channel in [1, 2, 3, u32::MAX] {
        let read =
            ReadRequest { file_id, length: 4, channel, channel_info: &descriptor, ..Default::default() };
        assert_eq!(client.status(&mut world, Command::READ, &read), NtStatus::INVALID_PARAMETER);
        let write = WriteRequest { channel, channel_info: &descriptor, ..write_request(file_id, 0, b"x") };
        assert_eq!(client.status(&mut world, Command::WRITE, &write), NtStatus::INVALID_PARAMETER);
    }
    assert_eq!(client.get(&mut world, "file"), b"data");
}

#[test]
fn writes_at_the_end_follow_each_other() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    let one = client.open(&mut world, "log", ALL.access(AccessMask::FILE_APPEND_DATA));
    let two = other.open(&mut world, "log", ALL.access(AccessMask::FILE_APPEND_DATA));
    world.hold = true;
    let a = client.send_write(&mut world, one, u64::MAX, b"one ");
    let b = other.send_write(&mut world, two, u64::MAX, b"two ");
    let c = client.send_write(&mut world, one, u64::MAX, b"three ");
    assert_eq!(world.held_names(), ["Stat"], "one at a time");
    // A close waits for what is in the queue.
    let close = client.send_close(&mut world, one);
    world.run_all();
    for (client, id) in [(&mut client, a), (&mut other, b)] {
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::SUCCESS);
    }
    assert_eq!(client.answer(&mut world, c).status(), NtStatus::SUCCESS);
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);
    world.hold = false;
    assert_eq!(client.get(&mut world, "log"), b"one two three ");
    // Whoever may write anywhere has to say where.
    let full = client.open(&mut world, "log", ALL);
    assert_eq!(client.write(&mut world, full, u64::MAX, b"x"), NtStatus::INVALID_PARAMETER);
    // Whoever may only append does not overwrite.
    assert_eq!(other.write(&mut world, two, 0, b"zero"), NtStatus::ACCESS_DENIED);
    assert_eq!(other.write(&mut world, two, 14, b"four"), NtStatus::SUCCESS);
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

#[test]
fn o17_directories_are_neither_read_nor_written() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    assert_eq!(client.read(&mut world, dir, 0, 1), Err(NtStatus::INVALID_DEVICE_REQUEST));
    assert_eq!(client.write(&mut world, dir, 0, b"x"), NtStatus::INVALID_DEVICE_REQUEST);
    assert_eq!(client.lock(&mut world, dir, &[exclusive(0, 1)]), NtStatus::INVALID_PARAMETER);
    assert_eq!(client.flush(&mut world, dir), NtStatus::SUCCESS);
}

#[test]
fn close_gives_attributes_to_those_who_ask() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"12345");
    let file = client.open(&mut world, "file", open());
    let request = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: file };
    let response = client.call(&mut world, Command::CLOSE, &request);
    let body = response.body::<CloseResponse>();
    assert_eq!(body.flags, CloseFlags::POSTQUERY_ATTRIB);
    assert_eq!((body.end_of_file, body.file_attributes), (5, FileAttributes::ARCHIVE));
    let file = client.open(&mut world, "file", open());
    let request = CloseRequest { flags: CloseFlags::empty(), file_id: file };
    let response = client.call(&mut world, Command::CLOSE, &request);
    assert_eq!(response.body::<CloseResponse>(), CloseResponse::default());
}

#[test]
fn a_close_waits_for_the_jobs_of_its_file() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL.share(ShareAccess::empty()));
    world.hold = true;
    let write = client.send_write(&mut world, file, 0, b"data");
    let close = client.send_close(&mut world, file);
    assert_eq!(world.held_names(), ["Write"]);
    // The FileId is gone at once, the share mode only when the data is safe.
    assert_eq!(client.write(&mut world, file, 0, b"more"), NtStatus::FILE_CLOSED);
    let refused = client.send_create(&mut world, "file", open());
    world.run_held(1);
    assert_eq!(client.answer(&mut world, refused).status(), NtStatus::SHARING_VIOLATION);
    world.run_all();
    assert_eq!(client.answer(&mut world, write).status(), NtStatus::SUCCESS);
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);
    world.hold = false;
    assert_eq!(client.get(&mut world, "file"), b"data");
}

#[test]
fn storage_that_fails_fails_the_request() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    world.hold = true;
    let write = client.send_write(&mut world, file, 0, b"data");
    world.fail_held(0, NtStatus::DISK_FULL);
    assert_eq!(client.answer(&mut world, write).status(), NtStatus::DISK_FULL);
    let read = client.send_read(&mut world, file, 0, 1);
    world.fail_held(0, NtStatus::UNEXPECTED_IO_ERROR);
    assert_eq!(client.answer(&mut world, read).status(), NtStatus::UNEXPECTED_IO_ERROR);
}

#[test]
fn a_client_hears_of_a_request_that_takes_long() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    world.hold = true;
    let write = client.send_write(&mut world, file, 0, b"data");
    let due = world.files.poll_timeout().expect("a time");
    world.advance(std::time::Duration::from_millis(400));
    assert!(!client.was_pended(&mut world, write));
    let flush = client.send(&mut world, Command::FLUSH, &FlushRequest { file_id: file });
    world.advance(std::time::Duration::from_millis(100));
    assert!(client.was_pended(&mut world, write) && !client.was_pended(&mut world, flush));
    assert!(world.files.poll_timeout().expect("the flush") > due);
    world.run_all();
    assert_eq!(client.answer(&mut world, write).status(), NtStatus::SUCCESS);
    assert_eq!(client.answer(&mut world, flush).status(), NtStatus::SUCCESS);
    assert_eq!(world.files.poll_timeout(), None);
    world.advance(std::time::Duration::from_secs(10));
    assert!(!client.was_pended(&mut world, flush));
}
