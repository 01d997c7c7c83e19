//! Locks, meets and frees byte ranges of a file that has ten thousand, and then a million, locks: what
//! one costs must not depend on how many there are.
//!
//!     cargo run --release -p sansmb-fileserver --example many_locks [COUNT...]

mod driver;

use std::sync::Arc;

use driver::{Client, World, clock, each, file_id, open_if};
use sansmb::wire::*;
use sansmb_storage::{Memory, MemoryOptions};

/// How many are measured.
const ROUNDS: usize = 20_000;
/// Bytes from one lock to the next.
const STRIDE: u64 = 10;
/// Locks in one request while they are piled up.
const PILE: usize = 64;

fn lock(client: &mut Client, world: &mut World, file_id: FileId, locks: &[LockElement]) -> NtStatus {
    let body = LockRequest { lock_sequence: 0, file_id, locks: locks.into() };
    client.call(world, Command::LOCK, &body).0.status
}

fn element(at: usize, flags: LockFlags) -> LockElement {
    let now = if flags == LockFlags::UNLOCK { flags } else { flags | LockFlags::FAIL_IMMEDIATELY };
    LockElement { offset: at as u64 * STRIDE, length: STRIDE - 1, flags: now }
}

/// Every other one is shared.
fn piled(at: usize) -> LockElement {
    element(at, if at.is_multiple_of(2) { LockFlags::EXCLUSIVE } else { LockFlags::SHARED })
}

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![10_000, 100_000, 1_000_000] } else { counts };
    println!(
        "{:>10} {:>16} {:>14} {:>10} {:>10}",
        "locks", "lock+unlock, us", "conflict, us", "read, us", "write, us"
    );
    let mut world = World::new(Arc::new(Memory::new(MemoryOptions::default())));
    let (mut alice, mut bob) = (world.client(1), world.client(2));
    let name = Utf16Buf::new("file");
    let hers = file_id(&alice.call(&mut world, Command::CREATE, &open_if(&name)));
    let his = file_id(&bob.call(&mut world, Command::CREATE, &open_if(&name)));
    let mut piled_up = 0;
    for count in counts {
        while piled_up < count {
            let more: Vec<LockElement> = (piled_up..count).take(PILE).map(piled).collect();
            assert_eq!(lock(&mut alice, &mut world, hers, &more), NtStatus::SUCCESS);
            piled_up += more.len();
        }
        assert_eq!(world.files.counters().locks, piled_up);
        // Somewhere else each time.
        let at = |round: usize| round.wrapping_mul(7919) % piled_up;
        let start = clock();
        for round in 0..ROUNDS {
            let flags = if at(round).is_multiple_of(2) { LockFlags::SHARED } else { LockFlags::EXCLUSIVE };
            // The gap behind a lock.
            let gap = LockElement { offset: at(round) as u64 * STRIDE + STRIDE - 1, length: 1, flags };
            let now = LockElement { flags: flags | LockFlags::FAIL_IMMEDIATELY, ..gap };
            assert_eq!(lock(&mut bob, &mut world, his, &[now]), NtStatus::SUCCESS);
            let free = LockElement { flags: LockFlags::UNLOCK, ..gap };
            assert_eq!(lock(&mut bob, &mut world, his, &[free]), NtStatus::SUCCESS);
        }
        let locked = start.elapsed();
        let start = clock();
        for round in 0..ROUNDS {
            let status = lock(&mut bob, &mut world, his, &[element(at(round), LockFlags::EXCLUSIVE)]);
            assert_eq!(status, NtStatus::LOCK_NOT_GRANTED);
        }
        let met = start.elapsed();
        let start = clock();
        for round in 0..ROUNDS {
            let offset = at(round) as u64 * STRIDE;
            let body = ReadRequest { file_id: his, offset, length: 1, ..Default::default() };
            let status = bob.call(&mut world, Command::READ, &body).0.status;
            let shared = !at(round).is_multiple_of(2);
            assert_eq!(status, if shared { NtStatus::END_OF_FILE } else { NtStatus::FILE_LOCK_CONFLICT });
        }
        let read = start.elapsed();
        let start = clock();
        for round in 0..ROUNDS {
            let body = WriteRequest::new(his, at(round) as u64 * STRIDE, &b"x"[..]);
            let status = bob.call(&mut world, Command::WRITE, &body).0.status;
            assert_eq!(status, NtStatus::FILE_LOCK_CONFLICT);
        }
        let written = start.elapsed();
        println!(
            "{count:>10} {:>16.2} {:>14.2} {:>10.2} {:>10.2}",
            each(locked, ROUNDS),
            each(met, ROUNDS),
            each(read, ROUNDS),
            each(written, ROUNDS)
        );
    }
}
