//! Opens, breaks and closes files while ten thousand, a hundred thousand and a million others are
//! open with leases: what one costs must not depend on how many there are.
//!
//!     cargo run --release -p sansmb-fileserver --example many_open [COUNT...]

mod driver;

use std::sync::Arc;

use driver::{Client, World, clock, each, file_id, open_if};
use sansmb::wire::*;
use sansmb_storage::{Memory, MemoryOptions};

/// How many are measured.
const ROUNDS: usize = 2_000;

impl Client {
    fn create(&mut self, world: &mut World, name: &str, key: u64) -> (Header, Vec<u8>) {
        let name = Utf16Buf::new(name);
        let mut lease_key = [0; 16];
        lease_key[..8].copy_from_slice(&key.to_le_bytes());
        let state = LeaseState::READ_CACHING | LeaseState::WRITE_CACHING | LeaseState::HANDLE_CACHING;
        let lease = LeaseV2 { key: LeaseKey(lease_key), state, ..Default::default() };
        let contexts = [CreateContext::RequestLeaseV2(lease)];
        let request = CreateRequest {
            requested_oplock_level: OplockLevel::LEASE,
            contexts: contexts.as_slice().into(),
            ..open_if(&name)
        };
        self.call(world, Command::CREATE, &request)
    }
}

fn close(client: &mut Client, world: &mut World, file_id: FileId) {
    let (header, _) =
        client.call(world, Command::CLOSE, &CloseRequest { flags: CloseFlags::empty(), file_id });
    assert_eq!(header.status, NtStatus::SUCCESS);
}

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![10_000, 100_000, 1_000_000] } else { counts };
    println!("{:>10} {:>18} {:>22}", "open files", "open+close, us", "open+break+close, us");
    let mut options = MemoryOptions::default();
    options.capacity = 1 << 40;
    let mut world = World::new(Arc::new(Memory::new(options)));
    let (mut alice, mut bob) = (world.client(1), world.client(2));
    let mut open = 0;
    for count in counts {
        while open < count {
            let answer = alice.create(&mut world, &format!("file{open}"), open as u64 + 1);
            file_id(&answer);
            open += 1;
        }
        assert_eq!(world.files.counters().leases, open);
        let start = clock();
        for _ in 0..ROUNDS {
            let answer = bob.create(&mut world, "own", u64::MAX);
            close(&mut bob, &mut world, file_id(&answer));
        }
        let plain = start.elapsed();
        let start = clock();
        for round in 0..ROUNDS {
            // Of the newest, whose leases are still whole.
            let at = open - 1 - round;
            bob.create(&mut world, &format!("file{at}"), u64::MAX - 1);
            let mut lease_key = [0; 16];
            lease_key[..8].copy_from_slice(&(at as u64 + 1).to_le_bytes());
            let body = LeaseBreak {
                lease_key: LeaseKey(lease_key),
                lease_state: LeaseState::READ_CACHING | LeaseState::HANDLE_CACHING,
                ..Default::default()
            };
            alice.receive(&mut world);
            alice.call(&mut world, Command::OPLOCK_BREAK, &body);
            let answer = bob.receive(&mut world).expect("the open goes on");
            close(&mut bob, &mut world, file_id(&answer));
        }
        let broken = start.elapsed();
        println!("{count:>10} {:>18.1} {:>22.1}", each(plain, ROUNDS), each(broken, ROUNDS));
    }
}
