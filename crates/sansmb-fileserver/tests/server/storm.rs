//! Everything at once, in any order, with storage that fails now and then: whatever happens, nothing
//! is left when the clients are gone.

use std::time::Duration;

use sansmb::wire::{fscc::*, fsctl::*, *};
use sansmb_fileserver::{FileServerConfig, Limits};

use crate::common::{Client, World, requests::*, store::MapStore};

/// A small generator, so that a failing run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

struct Player {
    client: Client,
    creating: Vec<u64>,
    files: Vec<FileId>,
    waiting: Vec<u64>,
}

const NAMES: [&str; 6] = ["a", "b", "dir", r"dir\c", r"dir\sub", r"dir\sub\d"];

impl Player {
    fn new(world: &mut World) -> Self {
        Self { client: world.client(), creating: Vec::new(), files: Vec::new(), waiting: Vec::new() }
    }

    fn create(&mut self, world: &mut World, dice: &mut Dice) {
        let how = Create {
            access: dice.one(&[
                AccessMask::FILE_ALL_ACCESS,
                AccessMask::FILE_GENERIC_READ,
                AccessMask::FILE_APPEND_DATA,
                AccessMask::DELETE,
                AccessMask::MAXIMUM_ALLOWED,
            ]),
            share: dice.one(&[SHARE_ALL, SHARE_ALL, ShareAccess::READ, ShareAccess::empty()]),
            disposition: CreateDisposition(dice.roll(6) as u32),
            options: dice.one(&[
                CreateOptions::empty(),
                CreateOptions::empty(),
                CreateOptions::DIRECTORY_FILE,
                CreateOptions::DELETE_ON_CLOSE,
            ]),
            ..ALL
        };
        let lasts = [CreateContext::DurableHandleRequestV2 {
            timeout: dice.roll(3) as u32 * 1000,
            flags: DurableFlags::PERSISTENT,
            create_guid: Guid([dice.roll(256) as u8; 16]),
        }];
        let contexts = if dice.roll(2) == 0 { &lasts[..] } else { &[] };
        let oplock = dice.one(&[OplockLevel::NONE, OplockLevel::II, OplockLevel::BATCH]);
        let how = if world.lasting { Create { contexts, oplock, ..how } } else { how };
        let id = self.client.send_create(world, dice.one(&NAMES), how);
        self.creating.push(id);
    }

    fn collect(&mut self, world: &mut World) {
        let client = &mut self.client;
        let files = &mut self.files;
        self.creating.retain(|&id| match client.maybe(world, id) {
            Some(response) => {
                if response.status() == NtStatus::SUCCESS {
                    files.push(response.body::<CreateResponse<'_>>().file_id);
                }
                false
            }
            None => true,
        });
    }

    fn act(&mut self, world: &mut World, dice: &mut Dice) {
        let Some(file) = (!self.files.is_empty()).then(|| dice.one(&self.files)) else {
            return self.create(world, dice);
        };
        let other = dice.one(&self.files);
        let range = (dice.roll(20) as u64, dice.roll(10) as u64);
        let client = &mut self.client;
        match dice.roll(20) {
            0..=3 => self.create(world, dice),
            4 => {
                self.files.retain(|id| *id != file);
                client.send_close(world, file);
            }
            5 => {
                client.send_write(world, file, range.0, &[1; 30]);
            }
            6 => {
                client.send_write(world, file, u64::MAX, b"end");
            }
            7 => {
                client.send_read(world, file, range.0, 10);
            }
            8 | 9 => {
                let locks =
                    [if dice.roll(2) == 0 { exclusive(range.0, range.1) } else { shared(range.0, range.1) }];
                let id = client.send_lock(world, file, &locks);
                self.waiting.push(id);
            }
            10 => {
                client.send_lock(world, file, &[unlock(range.0, range.1)]);
            }
            11 => {
                let id =
                    client.send_notify(world, file, CompletionFilter::from_bits_retain(0xFFF), true, 200);
                self.waiting.push(id);
            }
            12 => {
                if let Some(id) = self.waiting.pop() {
                    client.send_cancel(world, id);
                }
            }
            13 => {
                let name = Utf16Buf::new(dice.one(&NAMES));
                let replace_if_exists = dice.roll(2) == 0;
                let info = FileRenameInfo { replace_if_exists, root_directory: 0, name: name.as_utf16() };
                set(client, world, file, FileInfoClass::RENAME, &info.to_vec());
            }
            14 => {
                let info = FileDispositionInfo { delete_pending: dice.roll(3) > 0 };
                set(client, world, file, FileInfoClass::DISPOSITION, &info.to_vec());
            }
            15 => {
                let time = FileTime(dice.one(&[0, 5, u64::MAX, u64::MAX - 1]));
                let info = FileBasicInfo { last_write_time: time, ..Default::default() };
                set(client, world, file, FileInfoClass::BASIC, &info.to_vec());
            }
            16 => {
                let pattern = Utf16Buf::new(dice.one(&["*", "c", "s*"]));
                let request = QueryDirectoryRequest {
                    information_class: FileInfoClass::NAMES,
                    file_id: file,
                    pattern: pattern.as_utf16(),
                    output_buffer_length: 100,
                    ..Default::default()
                };
                client.send(world, Command::QUERY_DIRECTORY, &request);
            }
            17 => {
                let mut source_key = [0; 24];
                source_key[..8].copy_from_slice(&other.volatile.to_le_bytes());
                let chunk = SrvCopychunk { source_offset: 0, target_offset: 40, length: 3 };
                let chunks = [chunk, chunk];
                let input = SrvCopychunkCopy { source_key, chunks: chunks.as_slice().into() }.to_vec();
                let request = IoctlRequest {
                    ctl_code: CtlCode::SRV_COPYCHUNK,
                    file_id: file,
                    max_output_response: 12,
                    flags: IoctlFlags::IS_FSCTL,
                    input: &input,
                    ..Default::default()
                };
                client.send(world, Command::IOCTL, &request);
            }
            18 => {
                let request = QueryInfoRequest {
                    info_type: dice.one(&[InfoType::FILE, InfoType::FILESYSTEM]),
                    info_class: dice.roll(40) as u8,
                    output_buffer_length: 200,
                    file_id: file,
                    ..Default::default()
                };
                client.send(world, Command::QUERY_INFO, &request);
            }
            _ => {
                client.send(world, Command::FLUSH, &FlushRequest { file_id: file });
            }
        }
    }
}

fn set(client: &mut Client, world: &mut World, file_id: FileId, class: FileInfoClass, buffer: &[u8]) {
    let request = SetInfoRequest {
        info_type: InfoType::FILE,
        info_class: class.0,
        file_id,
        buffer,
        ..Default::default()
    };
    client.send(world, Command::SET_INFO, &request);
}

fn limits() -> Limits {
    Limits { waiting_per_connection: 5, notify_buffer: 300, ..Limits::default() }
}

#[test]
fn nothing_is_left_after_a_storm() {
    for seed in 1_u64..=150 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut world = World::with_limits(limits());
        storm(&mut world, &mut dice, |_, _| {});
        world.assert_empty();
    }
}

/// The same where opens are to outlive the server, which is killed now and then, and whose store fails.
#[test]
fn nothing_is_left_after_a_storm_that_ends_servers() {
    let mut written = 0;
    for seed in 1_u64..=150 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let store = MapStore::new();
        let mut world = World::with(|mut config| {
            config.shares[0].continuously_available = true;
            FileServerConfig { store: Some(store.clone()), limits: limits(), ..config }
        });
        world.client_capabilities |= Capabilities::PERSISTENT_HANDLES;
        world.lasting = true;
        for _ in 0..3 {
            storm(&mut world, &mut dice, |world, dice| {
                store.fails(dice.roll(20) == 0);
                if dice.roll(3) == 0 {
                    world.run_held_store();
                }
            });
            if dice.roll(2) == 0 {
                // What was to be written may or may not be.
                world.write_held_records();
            }
            world.restart();
        }
        store.fails(false);
        world.run_all();
        world.run_all_store();
        world.advance(Duration::from_secs(300));
        world.assert_empty();
        assert_eq!(store.len(), 0, "{seed}");
        written += store.puts();
    }
    assert!(written > 1000, "{written}");
}

fn storm(world: &mut World, dice: &mut Dice, mut between: impl FnMut(&mut World, &mut Dice)) {
    let mut players: Vec<Player> = (0..3).map(|_| Player::new(world)).collect();
    (world.hold, world.hold_store) = (true, true);
    for _ in 0..200 {
        between(world, dice);
        let who = dice.roll(players.len());
        match dice.roll(100) {
            0 => {
                // Somebody's line drops, and somebody else comes.
                let gone = players.swap_remove(who);
                world.server.eof(gone.client.conn);
                world.settle();
                players.push(Player::new(world));
            }
            1 => {
                let client = &mut players[who].client;
                client.send(world, Command::TREE_DISCONNECT, &EmptyBody::default());
                players[who].files.clear();
                let client = &mut players[who].client;
                client.tree = client.tree_connect(world, r"\\server\share").header.tree_id;
            }
            2 => {
                players[who].client.send(world, Command::LOGOFF, &EmptyBody::default());
                players[who] = Player::new(world);
            }
            3..=5 if !world.held.is_empty() => {
                let at = dice.roll(world.held.len());
                // A handle that cannot be given back is lost to the storage, not to us.
                world.fail_held(at, dice.one(&[NtStatus::DISK_FULL, NtStatus::ACCESS_DENIED]));
            }
            6..=50 if !world.held.is_empty() => {
                let at = dice.roll(world.held.len());
                world.run_held(at);
            }
            _ => players[who].act(world, dice),
        }
        players[who].collect(world);
    }
    if world.lasting {
        // The server ends as it stands.
        return;
    }
    world.close_all();
    while !world.held.is_empty() {
        let at = dice.roll(world.held.len());
        world.run_held(at);
    }
}
