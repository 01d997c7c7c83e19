//! In steady state the core asks for no memory, whatever it is asked.

use sansmb::wire::{Cipher, SigningAlgorithm};
use sansmb_tests_core::{Ask, Counting, HotPath, Protection, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Until every table and buffer has the size that it keeps, and the first scan buffer is read full.
const WARM: usize = 70;
const ROUNDS: usize = 70;

/// Allocations of `work` in all rounds of `path`, once things are warm.
fn count(path: &mut HotPath, side: &str) -> u64 {
    (0..WARM).for_each(|_| path.round());
    let mut counted = [0; 3];
    for _ in 0..ROUNDS {
        let steps: [fn(&mut HotPath); 3] =
            [HotPath::client_asks, HotPath::server_answers, HotPath::client_takes];
        for (count, step) in counted.iter_mut().zip(steps) {
            let before = allocations();
            step(path);
            *count += allocations() - before;
        }
    }
    let [asks, answers, takes] = counted;
    if side == "server" { answers } else { asks + takes }
}

fn none(side: &str) {
    let protections = [
        Protection::Plain,
        Protection::Signed(SigningAlgorithm::AES_GMAC),
        Protection::Signed(SigningAlgorithm::AES_CMAC),
        Protection::Signed(SigningAlgorithm::HMAC_SHA256),
        Protection::Encrypted(Cipher::AES_128_GCM),
        Protection::Encrypted(Cipher::AES_256_CCM),
    ];
    for protection in protections {
        for ask in [Ask::Echo, Ask::Read, Ask::ReadBuffer, Ask::Write, Ask::Create] {
            let count = count(&mut HotPath::new(ask, protection), side);
            let requests = ROUNDS * HotPath::BATCH;
            assert_eq!(count, 0, "{count} allocations for {requests} requests: {ask:?}, {protection:?}");
        }
    }
}

#[test]
fn allocations_are_counted() {
    let before = allocations();
    let mut vector = vec![1_u8; 10];
    vector.reserve_exact(1000);
    drop((vector, Box::new(before)));
    assert_eq!(allocations() - before, 3);
}

#[test]
fn a_server_in_steady_state_asks_for_no_memory() {
    none("server");
}

#[test]
fn a_client_in_steady_state_asks_for_no_memory() {
    none("client");
}
