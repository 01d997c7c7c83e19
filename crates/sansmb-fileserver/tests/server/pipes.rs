//! The pipes of `IPC$`.

use sansmb::{
    rpc::{RpcClient, RpcReply, srvsvc::*},
    wire::{fscc::*, *},
};
use sansmb_fileserver::ShareConfig;

use crate::common::{Client, World, memory, requests::*};

fn pipe(world: &mut World) -> (Client, FileId) {
    let mut client = world.client_of("alice", "IPC$");
    let pipe =
        client.open(world, "srvsvc", open().access(AccessMask::GENERIC_READ | AccessMask::GENERIC_WRITE));
    (client, pipe)
}

fn exchange(
    client: &mut Client,
    world: &mut World,
    pipe: FileId,
    rpc: &mut RpcClient,
    pdu: &[u8],
) -> Vec<RpcReply> {
    assert_eq!(client.write(world, pipe, 0, pdu), NtStatus::SUCCESS);
    loop {
        // A small buffer: messages come in pieces.
        let id = client.send_read(world, pipe, 0, 64);
        let response = client.answer(world, id);
        assert!(matches!(response.status(), NtStatus::SUCCESS | NtStatus::BUFFER_OVERFLOW));
        let replies = rpc.received(response.body::<ReadResponse<&[u8]>>().data).unwrap();
        if let Some(reply) = replies {
            return vec![reply];
        }
    }
}

#[test]
fn shares_are_listed() {
    let mut world = World::with(|config| {
        let comment = "for all".to_owned();
        config.with_share(ShareConfig { comment, ..ShareConfig::new("public", memory()) })
    });
    let (mut client, pipe) = pipe(&mut world);
    let mut rpc = RpcClient::new(INTERFACE, 1 << 20);
    let bind = rpc.bind();
    assert_eq!(exchange(&mut client, &mut world, pipe, &mut rpc, &bind), [RpcReply::Bound]);
    let request =
        SrvsvcRequest::ShareEnum { server: None, level: 1, preferred_length: u32::MAX, resume_handle: None };
    let pdus = rpc.call(request.opnum(), &request.encode()).unwrap();
    let replies = exchange(&mut client, &mut world, pipe, &mut rpc, &pdus.concat());
    let [RpcReply::Results(stub)] = replies.as_slice() else { panic!("{replies:?}") };
    let response = ShareEnumResponse::decode(stub).unwrap();
    let shares: Vec<_> = response
        .shares
        .iter()
        .map(|s| (s.name.to_text().unwrap(), s.kind, s.remark.to_text().unwrap()))
        .collect();
    assert_eq!(shares[0], ("share".into(), ShareKind::DISK_TREE, String::new()));
    assert_eq!(shares[1], ("public".into(), ShareKind::DISK_TREE, "for all".into()));
    assert_eq!((shares[2].0.as_str(), shares[2].1), ("IPC$", ShareKind::SPECIAL_IPC));
    // The same by transceive.
    let request = SrvsvcRequest::ServerGetInfo { server: None, level: 101 };
    let pdus = rpc.call(request.opnum(), &request.encode()).unwrap();
    let response = client.ioctl(&mut world, pipe, CtlCode::PIPE_TRANSCEIVE, &pdus.concat(), 4096);
    assert_eq!(response.status(), NtStatus::SUCCESS);
    let output = response.body::<IoctlResponse<'_>>().output.to_vec();
    let Some(RpcReply::Results(stub)) = rpc.received(&output).unwrap() else { panic!() };
    let info = ServerGetInfoResponse::decode(&stub).unwrap().info.unwrap();
    assert_eq!(info.name.to_text().unwrap(), "SERVER");
    client.close(&mut world, pipe);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn o7_other_pipes_do_not_exist() {
    let mut world = World::new();
    let mut client = world.client_of("alice", "IPC$");
    let long = "x".repeat(5000);
    for name in [
        "netlogon",
        "samr",
        "no such pipe",
        "",
        r"..\..\etc\passwd",
        "../../etc/passwd",
        r"..\srvsvc",
        "../srvsvc",
        r".\srvsvc",
        r"srvsvc\x",
        r"srvsvc\..\srvsvc",
        "srvsvc:x",
        "srvsvc\0",
        "/srvsvc",
        &long,
    ] {
        // Nor can they be made.
        for disposition in (0..=5).map(CreateDisposition) {
            let status = client.create_status(&mut world, name, open().disposition(disposition));
            assert_eq!(status, NtStatus::OBJECT_NAME_NOT_FOUND, "{name} {disposition:?}");
        }
    }
    assert_eq!(client.create_status(&mut world, "SRVSVC", open()), NtStatus::SUCCESS);
}

#[test]
fn o9_writes_to_pipes_that_lie_about_their_data_are_refused() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    let bind = RpcClient::new(INTERFACE, 1 << 20).bind();
    // DataOffset inside the header, behind the end; Length that lies.
    for (at, value) in [(66, 16_u32), (66, 0xFFFF), (68, 1 << 20), (68, u32::MAX)] {
        let mut message = client.raw(Command::WRITE, &write_request(pipe, 0, &bind));
        let width = if at == 66 { 2 } else { 4 };
        message[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        client.send_frame(&mut world, &message);
        let id = client.last;
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER, "{at} {value:#x}");
    }
    let read = client.send_read(&mut world, pipe, 0, 1000);
    assert!(client.was_pended(&mut world, read), "nothing of it arrived");
    assert_eq!(client.write(&mut world, pipe, u64::MAX, &bind), NtStatus::SUCCESS, "a pipe has no offsets");
    assert_eq!(client.answer(&mut world, read).status(), NtStatus::SUCCESS);
}

#[test]
fn a_read_waits_for_a_message() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    let read = client.send_read(&mut world, pipe, 0, 1000);
    assert!(client.was_pended(&mut world, read));
    let bind = RpcClient::new(INTERFACE, 1 << 20).bind();
    client.write(&mut world, pipe, 0, &bind);
    assert_eq!(client.answer(&mut world, read).status(), NtStatus::SUCCESS);
    let read = client.send_read(&mut world, pipe, 0, 1000);
    client.send_cancel(&mut world, read);
    assert_eq!(client.answer(&mut world, read).status(), NtStatus::CANCELLED);
    let read = client.send_read(&mut world, pipe, 0, 1000);
    client.close(&mut world, pipe);
    assert_eq!(client.answer(&mut world, read).status(), NtStatus::PIPE_BROKEN);
    assert_eq!(world.files.counters().waiting, 0);
}

#[test]
fn o17_pipes_are_no_files() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    assert_eq!(client.flush(&mut world, pipe), NtStatus::SUCCESS);
    assert_eq!(client.lock(&mut world, pipe, &[exclusive(0, 1)]), NtStatus::INVALID_DEVICE_REQUEST);
    assert_eq!(
        client.list(&mut world, pipe, "*", QueryDirectoryFlags::empty(), 1000),
        Err(NtStatus::INVALID_PARAMETER)
    );
    let notify = client.send_notify(&mut world, pipe, CompletionFilter::FILE_NAME, false, 100);
    assert_eq!(client.answer(&mut world, notify).status(), NtStatus::INVALID_PARAMETER);
    for (code, status) in [
        (CtlCode::SRV_COPYCHUNK, NtStatus::INVALID_DEVICE_REQUEST),
        (CtlCode::SET_SPARSE, NtStatus::INVALID_DEVICE_REQUEST),
        (CtlCode::PIPE_PEEK, NtStatus::SUCCESS),
    ] {
        assert_eq!(client.ioctl(&mut world, pipe, code, &[0; 100], 1000).status(), status, "{code:?}");
    }
    assert_eq!(client.standard(&mut world, pipe).number_of_links, 1);
    let fs = client.query(&mut world, pipe, InfoType::FILESYSTEM, FsInfoClass::SIZE.0, 1000);
    assert_eq!(fs.status(), NtStatus::NOT_SUPPORTED);
    assert_eq!(client.set(&mut world, pipe, &FileEndOfFileInfo { end_of_file: 0 }), NtStatus::NOT_SUPPORTED);
    let mode = FilePipeInfo { read_mode: 1, completion_mode: 0 };
    assert_eq!(client.set(&mut world, pipe, &mode), NtStatus::SUCCESS);
    assert_eq!(client.rename(&mut world, pipe, "x", true), NtStatus::NOT_SUPPORTED);
    let request = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: pipe };
    let response = client.call(&mut world, Command::CLOSE, &request);
    assert_eq!(response.body::<CloseResponse>(), CloseResponse::default());
}

#[test]
fn nonsense_breaks_the_pipe_and_nothing_else() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    assert_eq!(client.write(&mut world, pipe, 0, &[0xFF; 64]), NtStatus::PIPE_BROKEN);
    assert_eq!(client.read(&mut world, pipe, 0, 10), Err(NtStatus::PIPE_BROKEN));
    assert_eq!(client.close(&mut world, pipe), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "srvsvc", open()), NtStatus::SUCCESS);
}

fn ask(client: &mut Client, world: &mut World, pipe: FileId, input: &[u8], output: u32) -> u64 {
    client.send_ioctl(world, pipe, CtlCode::PIPE_TRANSCEIVE, input, output)
}

#[test]
fn a_transceive_waits_for_the_answer() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    let bind = RpcClient::new(INTERFACE, 1 << 20).bind();
    let (first, rest) = bind.split_at(30);
    let waiting = ask(&mut client, &mut world, pipe, first, 1000);
    assert!(client.was_pended(&mut world, waiting));
    // Whoever comes later has to wait for it.
    let later = ask(&mut client, &mut world, pipe, rest, 1000);
    assert_eq!(client.answer(&mut world, later).status(), NtStatus::PIPE_BUSY);
    client.write(&mut world, pipe, 0, rest);
    let response = client.answer(&mut world, waiting);
    assert_eq!(response.status(), NtStatus::SUCCESS);
    assert!(!response.body::<IoctlResponse<'_>>().output.is_empty());
    // It can be given up, and ends with the pipe.
    let waiting = ask(&mut client, &mut world, pipe, &[], 1000);
    client.send_cancel(&mut world, waiting);
    assert_eq!(client.answer(&mut world, waiting).status(), NtStatus::CANCELLED);
    let waiting = ask(&mut client, &mut world, pipe, &[], 1000);
    client.close(&mut world, pipe);
    assert_eq!(client.answer(&mut world, waiting).status(), NtStatus::PIPE_BROKEN);
    assert_eq!(world.files.counters().waiting, 0);
}

#[test]
fn a_transceive_reads_as_much_as_it_asks_for() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    let mut rpc = RpcClient::new(INTERFACE, 1 << 20);
    let response = client.ioctl(&mut world, pipe, CtlCode::PIPE_TRANSCEIVE, &rpc.bind(), 20);
    assert_eq!(response.status(), NtStatus::BUFFER_OVERFLOW);
    let mut data = response.body::<IoctlResponse<'_>>().output.to_vec();
    assert_eq!(data.len(), 20);
    let response = client.ioctl(&mut world, pipe, CtlCode::PIPE_TRANSCEIVE, &[], 1000);
    assert_eq!(response.status(), NtStatus::PIPE_BUSY);
    data.extend(client.read(&mut world, pipe, 0, 1000).unwrap());
    assert_eq!(rpc.received(&data), Ok(Some(RpcReply::Bound)));
    // Both ways have to be open.
    let pipe = client.open(&mut world, "srvsvc", open().access(AccessMask::GENERIC_WRITE));
    for code in [CtlCode::PIPE_TRANSCEIVE, CtlCode::PIPE_PEEK] {
        assert_eq!(client.ioctl(&mut world, pipe, code, &[], 1000).status(), NtStatus::ACCESS_DENIED);
    }
}

#[test]
fn a_peek_leaves_the_message_where_it_is() {
    let mut world = World::new();
    let (mut client, pipe) = pipe(&mut world);
    let mut rpc = RpcClient::new(INTERFACE, 1 << 20);
    client.write(&mut world, pipe, 0, &rpc.bind());
    let mut peek = |world: &mut World, length| {
        let response = client.ioctl(world, pipe, CtlCode::PIPE_PEEK, &[], length);
        let output = response.body::<IoctlResponse<'_>>().output.to_vec();
        let peek = fsctl::PipePeek::decode(&output).ok();
        let numbers = peek.map(|p| (p.read_data_available, p.number_of_messages, p.message_length));
        (response.status(), numbers, peek.map(|p| p.data.to_vec()))
    };
    let (status, numbers, Some(data)) = peek(&mut world, 1000) else { panic!("nothing") };
    let len = data.len() as u32;
    assert_eq!((status, numbers), (NtStatus::SUCCESS, Some((len, 1, len))));
    let cut = peek(&mut world, 20);
    assert_eq!(cut, (NtStatus::BUFFER_OVERFLOW, Some((len, 1, len)), Some(data[..4].to_vec())));
    assert_eq!(peek(&mut world, 0), (NtStatus::SUCCESS, None, None));
    assert_eq!(client.read(&mut world, pipe, 0, 1000), Ok(data.clone()));
    assert_eq!(rpc.received(&data), Ok(Some(RpcReply::Bound)));
    let response = client.ioctl(&mut world, pipe, CtlCode::PIPE_PEEK, &[], 15);
    assert_eq!(response.status(), NtStatus::BUFFER_TOO_SMALL);
    client.write(&mut world, pipe, 0, &[0xFF; 64]);
    let response = client.ioctl(&mut world, pipe, CtlCode::PIPE_PEEK, &[], 1000);
    assert_eq!(response.status(), NtStatus::PIPE_BROKEN);
}

#[test]
fn one_more_instance_of_a_pipe_is_always_there() {
    let mut world = World::new();
    let mut client = world.client_of("alice", "IPC$");
    let wait = |name: &str| {
        let name = Utf16Buf::new(name);
        fsctl::PipeWait { timeout: Some(1), name: name.as_utf16() }.to_vec()
    };
    let short = wait("srvsvc")[..20].to_vec();
    for (input, status) in [
        (wait("srvsvc"), NtStatus::SUCCESS),
        (wait("LSARPC"), NtStatus::SUCCESS),
        (wait("wkssvc"), NtStatus::SUCCESS),
        (wait("spoolss"), NtStatus::OBJECT_NAME_NOT_FOUND),
        (wait(""), NtStatus::OBJECT_NAME_NOT_FOUND),
        (short, NtStatus::INVALID_PARAMETER),
    ] {
        let response = client.ioctl(&mut world, FileId::ANY, CtlCode::PIPE_WAIT, &input, 0);
        assert_eq!(response.status(), status);
        if status == NtStatus::SUCCESS {
            let body = response.body::<IoctlResponse<'_>>();
            assert_eq!((body.file_id, body.output), (FileId::ANY, &[][..]));
        }
    }
    let mut client = world.client_of("alice", "share");
    let response = client.ioctl(&mut world, FileId::ANY, CtlCode::PIPE_WAIT, &wait("srvsvc"), 0);
    assert_eq!(response.status(), NtStatus::INVALID_DEVICE_REQUEST);
}
