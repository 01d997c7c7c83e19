//! The state machine of one file.

use std::time::Duration;

use sansmb::{time::Instant, wire::LeaseState};

use super::{
    LeaseId,
    holders::{Break, DATA, HANDLE, Holder, Holders, READ, Refusal, WRITE},
};
use crate::opens::OpenId;

const RH: LeaseState = READ.union(HANDLE);
const RW: LeaseState = READ.union(WRITE);
const RWH: LeaseState = RW.union(HANDLE);
const NONE: LeaseState = LeaseState::empty();
const DUE: Instant = Instant::ORIGIN;

fn open(n: u64) -> Holder {
    Holder::Open(OpenId(n))
}

fn lease(n: u64) -> Holder {
    Holder::Lease(LeaseId::test(n))
}

fn of(grants: &[(Holder, LeaseState)]) -> Holders {
    let mut holders = Holders::default();
    for (holder, state) in grants {
        holders.grant(*holder, *state);
    }
    holders
}

fn told(breaks: &[Break]) -> Vec<(LeaseState, LeaseState, bool)> {
    breaks.iter().map(|b| (b.from, b.to, b.due.is_some())).collect()
}

#[test]
fn who_is_alone_gets_what_it_asks_for() {
    let holders = Holders::default();
    for wanted in [READ, RH, RW, RWH] {
        assert_eq!(holders.grantable(lease(1), wanted, true, false), wanted);
    }
    for wanted in [READ, RW, RWH] {
        assert_eq!(holders.grantable(open(1), wanted, true, false), wanted);
    }
    for nonsense in [NONE, HANDLE, WRITE, WRITE | HANDLE] {
        assert_eq!(holders.grantable(lease(1), nonsense, true, false), NONE);
    }
}

#[test]
fn who_is_not_alone_gets_what_can_be_shared() {
    let holders = Holders::default();
    assert_eq!(holders.grantable(lease(1), RWH, false, false), RH);
    assert_eq!(holders.grantable(lease(1), RW, false, false), READ);
    assert_eq!(holders.grantable(open(1), RWH, false, false), READ);
    assert_eq!(holders.grantable(open(1), RWH, false, true), NONE, "byte ranges are locked");
}

#[test]
fn level_two_and_kept_handles_do_not_mix() {
    let level_two = of(&[(open(1), READ)]);
    assert_eq!(level_two.grantable(lease(2), RH, false, false), READ);
    let handles = of(&[(lease(1), RH)]);
    assert_eq!(handles.grantable(open(2), READ, false, false), NONE);
    assert_eq!(handles.grantable(lease(2), RWH, false, false), RH);
}

#[test]
fn a_lease_is_promoted_to_what_is_asked_for_or_not_at_all() {
    let alone = of(&[(lease(1), READ)]);
    assert_eq!(alone.grantable(lease(1), RWH, true, false), RWH);
    let shared = of(&[(lease(1), READ), (lease(2), READ)]);
    assert_eq!(shared.grantable(lease(1), RWH, false, false), READ);
    assert_eq!(shared.grantable(lease(1), RH, false, false), RH);
    let more = of(&[(lease(1), RWH)]);
    assert_eq!(more.grantable(lease(1), READ, true, false), RWH, "asking for less takes nothing away");
}

#[test]
fn an_open_takes_writing_away_and_has_to_wait() {
    for (holder, state, to) in
        [(open(1), RW, READ), (open(1), RWH, READ), (lease(1), RW, READ), (lease(1), RWH, RH)]
    {
        let mut holders = of(&[(holder, state)]);
        assert_eq!(told(&holders.take_away(WRITE, open(2), DUE)), [(state, to, true)]);
        assert!(holders.blocks(WRITE, open(2)));
        assert!(!holders.blocks(WRITE, holder), "nobody is in its own way");
        assert_eq!(holders.acknowledge(holder, to, DUE), Ok(None));
        assert!(!holders.blocks(WRITE, open(2)));
        assert_eq!(holders.state(holder), to);
    }
}

#[test]
fn new_data_take_everything_away_and_only_writers_are_waited_for() {
    for (holder, state, acknowledged, waits) in [
        (open(1), READ, false, false),
        (lease(1), READ, false, false),
        (lease(1), RH, true, false),
        (lease(1), RWH, true, true),
        (open(1), RWH, true, true),
    ] {
        let mut holders = of(&[(holder, state)]);
        assert_eq!(told(&holders.take_away(DATA, open(2), DUE)), [(state, NONE, acknowledged)]);
        assert_eq!(holders.blocks(WRITE, open(2)), waits, "{state:?}");
        assert_eq!(holders.get(holder).is_some(), acknowledged);
    }
}

#[test]
fn level_two_is_lost_by_its_own_writing_and_a_lease_is_not() {
    let mut holders = of(&[(open(1), READ), (lease(2), READ)]);
    assert_eq!(told(&holders.take_away(DATA, open(1), DUE)), [(READ, NONE, false); 2]);
    let mut holders = of(&[(lease(2), RH)]);
    assert!(holders.take_away(DATA, lease(2), DUE).is_empty());
}

#[test]
fn nobody_is_told_twice_before_it_answers_and_then_goes_on_in_steps() {
    let mut holders = of(&[(lease(1), RWH)]);
    assert_eq!(holders.take_away(WRITE, open(2), DUE).len(), 1);
    assert!(holders.take_away(WRITE, open(3), DUE).is_empty());
    assert!(holders.take_away(DATA, open(3), DUE).is_empty());
    let more = holders.acknowledge(lease(1), RH, DUE).unwrap();
    assert_eq!(told(more.as_slice()), [(RH, READ, true)]);
    assert!(holders.blocks(WRITE, open(2)), "nobody goes on in between");
    let more = holders.acknowledge(lease(1), READ, DUE).unwrap();
    assert_eq!(told(more.as_slice()), [(READ, NONE, false)]);
    assert!(!holders.blocks(WRITE, open(2)));
    assert!(holders.is_empty());
}

#[test]
fn acknowledgements_are_checked() {
    let mut holders = of(&[(lease(1), RWH)]);
    assert_eq!(holders.acknowledge(lease(1), READ, DUE), Err(Refusal::NotBreaking));
    assert_eq!(holders.acknowledge(lease(7), READ, DUE), Err(Refusal::NotBreaking));
    holders.take_away(WRITE, open(2), DUE);
    assert_eq!(holders.acknowledge(lease(1), RWH, DUE), Err(Refusal::TooMuch));
    assert_eq!(holders.acknowledge(lease(1), READ, DUE), Ok(None), "less is fine");
    assert_eq!(holders.state(lease(1)), READ);
}

#[test]
fn kept_handles_go_by_themselves() {
    let mut holders = of(&[(lease(1), RH), (lease(2), RWH & RH)]);
    let breaks = holders.take_away(HANDLE, lease(2), DUE);
    assert_eq!(told(&breaks), [(RH, READ, true)]);
    assert!(holders.blocks(HANDLE, lease(2)));
    assert!(!holders.blocks(WRITE, lease(2)));
    let mut batch = of(&[(open(1), RWH)]);
    assert_eq!(told(&batch.take_away(HANDLE, open(2), DUE)), [(RWH, NONE, true)]);
}

#[test]
fn a_holder_that_goes_is_in_nobodys_way() {
    let mut holders = of(&[(open(1), RWH)]);
    let due = DUE.after(Duration::from_secs(35));
    holders.take_away(WRITE, open(2), due);
    assert_eq!(holders.remove(open(1)), Some(due));
    assert!(!holders.blocks(WRITE | HANDLE, open(2)));
    assert!(holders.is_empty());
}

#[test]
fn taking_nothing_away_from_many_costs_nothing() {
    let mut holders = Holders::default();
    (0..10_000).for_each(|n| holders.grant(lease(n), RH));
    assert!(holders.take_away(WRITE, open(1), DUE).is_empty());
    assert_eq!(holders.take_away(DATA, lease(7), DUE).len(), 9_999);
    assert!(holders.take_away(DATA, lease(7), DUE).is_empty(), "they are told once");
}
