//! How fast the core alone is, without sockets and files: requests are decoded, admitted, answered and the answers
//! encoded. Prints operations a second on one core, and allocations each once things are warm, of the
//! server and of the client:
//!
//! ```text
//! cargo bench -p sansmb-tests-core
//! ```
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use sansmb::wire::{Cipher, SigningAlgorithm};
use sansmb_tests_core::{Ask, Counting, HotPath, Protection, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

const ROUNDS: usize = 20_000;
const WARM: usize = 1000;

fn main() {
    println!("{:<28}{:>12}{:>8}{:>14}{:>8}", "", "server op/s", "alloc.", "client op/s", "alloc.");
    let gmac = Protection::Signed(SigningAlgorithm::AES_GMAC);
    let cmac = Protection::Signed(SigningAlgorithm::AES_CMAC);
    let gcm = Protection::Encrypted(Cipher::AES_128_GCM);
    row("ECHO", Ask::Echo, Protection::Plain);
    row("READ 4 KiB", Ask::Read, Protection::Plain);
    row("READ 4 KiB, buffer", Ask::ReadBuffer, Protection::Plain);
    row("WRITE 4 KiB", Ask::Write, Protection::Plain);
    row("CREATE", Ask::Create, Protection::Plain);
    for (name, protection) in [("AES-GMAC", gmac), ("AES-CMAC", cmac), ("AES-128-GCM", gcm)] {
        row(&format!("ECHO, {name}"), Ask::Echo, protection);
        row(&format!("READ 4 KiB, {name}"), Ask::Read, protection);
        row(&format!("WRITE 4 KiB, {name}"), Ask::Write, protection);
    }
}

/// Time and allocations of a step.
#[derive(Default)]
struct Cost {
    took: Duration,
    allocations: u64,
}

impl Cost {
    fn of(&mut self, path: &mut HotPath, step: fn(&mut HotPath)) {
        let (before, start) = (allocations(), Instant::now());
        step(path);
        self.took += start.elapsed();
        self.allocations += allocations() - before;
    }
}

fn row(what: &str, ask: Ask, protection: Protection) {
    let mut path = HotPath::new(ask, protection);
    (0..WARM).for_each(|_| path.round());
    let (mut server, mut client) = (Cost::default(), Cost::default());
    for _ in 0..ROUNDS {
        client.of(&mut path, HotPath::client_asks);
        server.of(&mut path, HotPath::server_answers);
        client.of(&mut path, HotPath::client_takes);
    }
    let operations = (ROUNDS * HotPath::BATCH) as f64;
    let [server, client] = [server, client]
        .map(|cost| (operations / cost.took.as_secs_f64(), cost.allocations as f64 / operations));
    println!("{what:<28}{:>12.0}{:>8.2}{:>14.0}{:>8.2}", server.0, server.1, client.0, client.1);
}
