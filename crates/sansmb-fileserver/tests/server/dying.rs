//! A client that dies: after every message of a session that uses everything, and in the middle of the
//! next, with its jobs done or still running. Whenever it goes, nothing of it is left.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use sansmb::{
    rpc::{RpcClient, srvsvc::INTERFACE},
    wire::{fscc::*, fsctl::*, *},
};
use sansmb_fileserver::{
    FileServerConfig, ShareConfig,
    storage::{Completion, Done, Handle, Job, Outcome, Storage, StorageTraits},
};

use crate::common::{Client, Recorded, World, caching::*, memory, requests::*};

/// A storage that knows which handles were not given back.
#[derive(Debug)]
struct Counting {
    storage: Arc<dyn Storage>,
    open: Arc<Mutex<BTreeSet<Handle>>>,
}

impl Storage for Counting {
    fn submit(&self, job: Job, done: Completion) {
        let open = Arc::clone(&self.open);
        let closes = if let Job::Close { handle } = &job { Some(*handle) } else { None };
        let note = move |outcome: Outcome| {
            let mut open = open.lock().unwrap();
            match &outcome {
                Ok(Done::Opened { handle, .. } | Done::OpenedStream { handle, .. }) => {
                    assert!(open.insert(*handle), "a handle is given out twice");
                }
                Ok(_) => assert!(closes.is_none_or(|handle| open.remove(&handle)), "closed twice"),
                Err(_) => {}
            }
            drop(open);
            done(outcome);
        };
        self.storage.submit(job, Box::new(note));
    }

    fn traits(&self) -> StorageTraits {
        self.storage.traits()
    }
}

fn world() -> (World, Arc<Mutex<BTreeSet<Handle>>>) {
    let open = Arc::<Mutex<BTreeSet<Handle>>>::default();
    let counting = Counting { storage: memory(), open: Arc::clone(&open) };
    let share = ShareConfig::new("share", Arc::new(counting));
    (World::with(|config| FileServerConfig { shares: vec![share], ..config }), open)
}

const DYING: Guid = Guid([0xA; 16]);

/// Bob is in alice's way: he has a file that she is going to wait for, locks, and a kept handle.
fn bob(world: &mut World) {
    let mut bob = world.client_from(0xB, "bob");
    bob.lease(world, "bobs", ALL, lease(1, RWH));
    let locked = bob.open(world, "locked", ALL);
    assert_eq!(bob.lock(world, locked, &[exclusive(0, 10)]), NtStatus::SUCCESS);
    bob.put(world, "kept", b"kept");
    bob.lease(world, "kept", open(), lease(2, RH));
}

fn durable(timeout: u32, create_guid: u8) -> CreateContext<'static> {
    let create_guid = Guid([create_guid; 16]);
    CreateContext::DurableHandleRequestV2 { timeout, flags: DurableFlags::empty(), create_guid }
}

/// What alice opens to keep when her line drops.
fn keep(client: &mut Client, world: &mut World) -> FileId {
    let leased = CreateContext::RequestLeaseV2(lease(3, RWH));
    let how = Create { oplock: OplockLevel::LEASE, contexts: &[durable(0, 1), leased], ..ALL };
    let kept = client.open(world, "durable", how);
    assert_eq!(client.write(world, kept, 0, &[7; 100]), NtStatus::SUCCESS);
    assert_eq!(client.lock(world, kept, &[now(exclusive(0, 5)), now(shared(20, 5))]), NtStatus::SUCCESS);
    let v1 = [CreateContext::DurableHandleRequest { reserved: [0; 16] }];
    let going = ALL.options(CreateOptions::DELETE_ON_CLOSE).share(ShareAccess::empty());
    client.open(world, "going", Create { oplock: OplockLevel::BATCH, contexts: &v1, ..going });
    let resilient = client.open(world, "resilient", ALL);
    let ask = ResiliencyRequest { timeout: 10_000 }.to_vec();
    let code = CtlCode::LMR_REQUEST_RESILIENCY;
    assert_eq!(client.ioctl(world, resilient, code, &ask, 0).status(), NtStatus::SUCCESS);
    kept
}

/// What waits for bob, for a change or for a message.
fn wait(client: &mut Client, world: &mut World, kept: FileId) {
    let folder = client.open(world, "folder", directory());
    for tree in [false, true] {
        client.send_notify(world, folder, CompletionFilter::from_bits_retain(0xFFF), tree, 1000);
    }
    let locked = client.open(world, "locked", open());
    client.send_lock(world, locked, &[exclusive(5, 10)]);
    client.send_lock(world, locked, &[shared(0, 1)]);
    let cancelled = client.last;
    client.send_create(world, "bobs", Create { contexts: &[durable(5000, 2)], ..open() });
    let mine = client.open(world, "kept", open());
    client.send_rename(world, mine, "renamed", true);
    client.send_set(world, mine, &FileDispositionInfo { delete_pending: true });
    client.send_cancel(world, cancelled);
    client.write(world, kept, 50, b"more");
}

/// A bit of everything that does not wait.
fn work(client: &mut Client, world: &mut World, kept: FileId) {
    let file = client.open(world, r"folder\file", Create { oplock: OplockLevel::II, ..ALL });
    client.write(world, file, 0, &[1; 2000]);
    let stream = client.open(world, r"folder\file:stream", ALL);
    client.write(world, stream, 0, b"stream");
    let append = client.open(world, r"folder\file", open().access(AccessMask::FILE_APPEND_DATA));
    client.write(world, append, u64::MAX, b"end");
    client.flush(world, file);
    client.read(world, file, 0, 100).unwrap();
    let end = FileEndOfFileInfo { end_of_file: 20 };
    client.set(world, file, &end);
    client.info(world, file, FileInfoClass::ALL);
    client.query(world, file, InfoType::FILESYSTEM, FsInfoClass::SIZE.0, 100);
    let mut source_key = [0; 24];
    let found = client.ioctl(world, file, CtlCode::SRV_REQUEST_RESUME_KEY, &[], 100);
    source_key.copy_from_slice(&found.body::<IoctlResponse<'_>>().output[..24]);
    let chunks = [SrvCopychunk { source_offset: 0, target_offset: 40, length: 3 }];
    let copy = SrvCopychunkCopy { source_key, chunks: chunks.as_slice().into() }.to_vec();
    client.ioctl(world, kept, CtlCode::SRV_COPYCHUNK_WRITE, &copy, 12);
    let list = client.open(world, "folder", directory());
    client.list(world, list, "*", QueryDirectoryFlags::RETURN_SINGLE_ENTRY, 1000).unwrap();
    let second = Utf16Buf::new(r"folder\second");
    client.add(Command::CREATE, false, &create_request(&second, ALL));
    client.add(Command::WRITE, true, &write_request(FileId::ANY, 0, b"in a compound"));
    client.add(
        Command::QUERY_INFO,
        true,
        &QueryInfoRequest {
            info_type: InfoType::FILE,
            info_class: FileInfoClass::STANDARD.0,
            output_buffer_length: 100,
            file_id: FileId::ANY,
            ..Default::default()
        },
    );
    client.add(
        Command::CLOSE,
        true,
        &CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: FileId::ANY },
    );
    while client.poll(world).is_some() {}
    assert!(client.compound(world).iter().all(|answer| answer.status() == NtStatus::SUCCESS));
    assert_eq!(client.rename(world, stream, ":other", false), NtStatus::SUCCESS);
    assert_eq!(client.delete_pending(world, stream, true), NtStatus::SUCCESS);
    client.close(world, stream);
    client.close(world, append);
    client.rename(world, file, r"folder\other", false);
    let over = open().disposition(CreateDisposition::OVERWRITE_IF);
    client.open(world, r"folder\other", over);
}

/// Everything, until alice is logged off.
fn session(world: &mut World) {
    bob(world);
    let mut alice = world.connect_as(DYING, Dialect::SMB3_0_2);
    let hello = alice.set_up(world, "hello", SessionId(0));
    assert_eq!(hello.status(), NtStatus::MORE_PROCESSING_REQUIRED);
    alice.session = hello.header.session_id;
    assert_eq!(alice.set_up(world, "alice", SessionId(0)).status(), NtStatus::SUCCESS);
    let pipes = alice.tree_connect(world, r"\\server\IPC$").header.tree_id;
    alice.tree = alice.tree_connect(world, r"\\server\share").header.tree_id;
    let kept = keep(&mut alice, world);
    wait(&mut alice, world, kept);
    work(&mut alice, world, kept);
    let files = std::mem::replace(&mut alice.tree, pipes);
    let access = AccessMask::GENERIC_READ | AccessMask::GENERIC_WRITE;
    let pipe = alice.open(world, "srvsvc", open().access(access));
    alice.write(world, pipe, 0, &RpcClient::new(INTERFACE, 1 << 20).bind());
    alice.read(world, pipe, 0, 1000).unwrap();
    alice.send_read(world, pipe, 0, 1000);
    alice.tree = files;
    // The line drops and she comes back, to what waits for her and to what she was about to open.
    world.drop_client(&alice);
    let mut alice = world.client_with(DYING);
    let claim = CreateContext::DurableHandleReconnectV2 {
        file_id: kept,
        create_guid: Guid([1; 16]),
        flags: DurableFlags::empty(),
    };
    let contexts = [claim, CreateContext::RequestLeaseV2(lease(3, RWH))];
    let again =
        alice.open(world, "durable", Create { oplock: OplockLevel::LEASE, contexts: &contexts, ..open() });
    assert_eq!(alice.lock(world, again, &[unlock(0, 5)]), NtStatus::SUCCESS);
    world.advance(Duration::from_secs(5));
    // Another session of hers takes the place of this one.
    let previous = alice.session;
    alice.send_create(world, "kept", open().share(ShareAccess::empty()));
    let mut alice = world.connect_as(DYING, Dialect::SMB3_0_2);
    let response = alice.set_up(world, "alice", previous);
    assert_eq!(response.status(), NtStatus::SUCCESS);
    alice.session = response.header.session_id;
    alice.tree = alice.tree_connect(world, r"\\server\share").header.tree_id;
    let folder = alice.open(world, "folder", directory());
    alice.send_notify(world, folder, CompletionFilter::FILE_NAME, true, 1000);
    alice.put(world, r"folder\last", b"last");
    assert_eq!(alice.tree_disconnect(world), NtStatus::SUCCESS);
    assert_eq!(alice.logoff(world), NtStatus::SUCCESS);
}

/// How alice dies.
#[derive(Debug, Clone, Copy)]
struct Death {
    /// The last thing that is recorded before it.
    after: usize,
    /// Half of her next message comes through.
    in_the_middle: bool,
    /// Jobs of the last message are still running, and end in the order in which they began, or the
    /// other way round.
    held: Option<bool>,
}

fn die(tape: &[Recorded], death: Death) {
    let (mut world, handles) = world();
    for (at, recorded) in tape.iter().enumerate().take(death.after + 1) {
        world.hold = death.held.is_some() && at == death.after;
        world.play(recorded);
    }
    if death.in_the_middle
        && let Some(Recorded::Frame(conn, frame)) = tape.get(death.after + 1)
    {
        world.play(&Recorded::Frame(*conn, frame[..frame.len() / 2].to_vec()));
    }
    // All lines but the first, which is bob's.
    for conn in world.conns().into_iter().skip(1) {
        world.cut(conn);
    }
    while let Some(first_in) = death.held.filter(|_| !world.held.is_empty()) {
        world.run_held(if first_in { 0 } else { world.held.len() - 1 });
    }
    world.hold = false;
    world.advance(Duration::from_secs(36));
    world.advance(Duration::from_secs(600));
    // Somebody else finds nothing in the way but what bob has.
    let mut carol = world.client_from(0xC, "carol");
    for name in ["durable", "going", "resilient", "folder", r"folder\file", r"folder\other", "renamed"] {
        let status = carol.create_status(&mut world, name, open().share(ShareAccess::empty()));
        let missing = [NtStatus::OBJECT_NAME_NOT_FOUND, NtStatus::OBJECT_PATH_NOT_FOUND].contains(&status);
        assert!(missing || status == NtStatus::SUCCESS, "{name}: {status:?} after {death:?}");
    }
    for conn in world.conns() {
        world.cut(conn);
    }
    world.advance(Duration::from_secs(600));
    assert_eq!(world.files.counters(), Default::default(), "after {death:?}");
    assert!(world.server.sessions().is_empty(), "after {death:?}");
    assert_eq!(world.owed, 0, "requests without an answer after {death:?}");
    let left = handles.lock().unwrap().len();
    assert_eq!(left, 0, "handles of the storage after {death:?}");
}

#[test]
fn nothing_is_left_of_a_client_that_dies_at_any_message() {
    let (mut world, _) = world();
    session(&mut world);
    let tape = std::mem::take(&mut world.tape);
    assert!(tape.len() > 70, "{} messages", tape.len());
    for after in 0..tape.len() {
        for in_the_middle in [false, true] {
            for held in [None, Some(true), Some(false)] {
                die(&tape, Death { after, in_the_middle, held });
            }
        }
    }
}
