//! Clients do whatever comes to their mind, and the file server has to answer each of them as a second
//! one does that was written from the specification alone: [`reference`], made of maps and loops.
//!
//! Every answer is compared, every break and whom it is told, what the server holds after every step,
//! and what is in the storage at the end. A sequence that does not agree is made as short as it gets
//! and printed.
//!
//! `SANSMB_MODEL_SEQUENCES` says how many sequences are tried, `SANSMB_MODEL_FIRST` with which the run
//! begins: a failure names its own.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

mod driver;
mod operation;
mod reference;

#[path = "../server/common/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of the file server, which need more of it")]
mod common;

use driver::Driver;
use operation::{CLIENTS, Dice, Operation};
use reference::{Heard, Reference};

/// Sequences that are tried when nobody says how many.
const SEQUENCES: u64 = 1500;

/// Runs a sequence; panics where the two differ.
fn run(sequence: &[Operation]) {
    let mut driver = Driver::new();
    let mut reference = Reference::new();
    // In the end everybody goes, and all time-outs run out.
    let end = (0..CLIENTS).map(Operation::Drop).chain([Operation::Pass(301), Operation::Pass(301)]);
    for (at, operation) in sequence.iter().cloned().chain(end).enumerate() {
        let heard = by_client(driver.carry_out(&operation, &reference));
        let expected = by_client(reference.carry_out(&operation));
        assert_eq!(heard, expected, "the server's answers (left) to number {at}, {operation:?}");
        assert_eq!(
            driver.counters(),
            reference.counters(),
            "what the server holds (left) after number {at}, {operation:?}"
        );
        if at + 1 == sequence.len() {
            assert_eq!(driver.tree(), reference.tree(), "the files");
        }
    }
    assert_eq!(driver.counters(), Default::default(), "something is left");
    assert_eq!(driver.tree(), reference.tree(), "the files in the end");
}

/// In which order a client hears things of different requests does not matter.
fn by_client(heard: Vec<(usize, Heard)>) -> BTreeMap<usize, Vec<Heard>> {
    let mut by_client: BTreeMap<usize, Vec<Heard>> = BTreeMap::new();
    for (client, what) in heard {
        by_client.entry(client).or_default().push(what);
    }
    by_client.values_mut().for_each(|heard| heard.sort());
    by_client
}

fn fails(sequence: &[Operation]) -> Option<String> {
    let text = |cause: Box<dyn Any + Send>| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
    };
    catch_unwind(AssertUnwindSafe(|| run(sequence))).err().map(text)
}

/// Leaves out what can be left out of a sequence that fails.
fn shorten(mut sequence: Vec<Operation>) -> Vec<Operation> {
    let mut size = sequence.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < sequence.len() {
            let mut without = sequence.clone();
            without.drain(at..(at + size).min(sequence.len()));
            if fails(&without).is_some() {
                (sequence, shorter) = (without, true);
            } else {
                at += size;
            }
        }
        if !shorter {
            size /= 2;
        }
    }
    sequence
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn the_server_agrees_with_the_reference() {
    let first = from_environment("SANSMB_MODEL_FIRST", 0);
    let count = from_environment("SANSMB_MODEL_SEQUENCES", SEQUENCES);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut operations = 0;
    for seed in first..first + count {
        let sequence = Dice::new(seed).sequence();
        operations += sequence.len();
        if fails(&sequence).is_some() {
            let sequence = shorten(sequence);
            let why = fails(&sequence).unwrap_or_default();
            std::panic::set_hook(hook);
            let steps: Vec<String> =
                sequence.iter().enumerate().map(|(at, step)| format!("{at:3} {step:?}")).collect();
            panic!("sequence {seed}: {why}\n{}", steps.join("\n"));
        }
    }
    std::panic::set_hook(hook);
    println!("{count} sequences of {operations} operations agree");
}
