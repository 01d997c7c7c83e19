use super::{LockTree, Locked, Locks, Range};
use crate::opens::OpenId;

const A: OpenId = OpenId(1);
const B: OpenId = OpenId(2);

fn range(offset: u64, length: u64) -> Range {
    Range::checked(offset, length).unwrap()
}

#[test]
fn ranges_end_with_the_last_byte_of_64_bits() {
    assert!(Range::checked(u64::MAX, 1).is_some());
    assert!(Range::checked(u64::MAX, 2).is_none());
    assert!(Range::checked(u64::MAX, 0).is_some());
    assert!(Range::checked(0, u64::MAX).is_some());
}

#[test]
fn exclusive_excludes_everybody_and_shared_only_writers() {
    let mut locks = Locks::default();
    locks.lock(A, range(10, 10), true);
    assert!(!locks.can_lock(A, range(10, 10), true));
    assert!(locks.can_lock(A, range(10, 10), false));
    assert!(!locks.can_lock(B, range(19, 1), false));
    assert!(locks.can_lock(B, range(20, 1), true));
    assert!(locks.can_access(A, range(0, 100), true));
    assert!(!locks.can_access(B, range(0, 100), false));
    assert!(locks.unlock(A, range(10, 10)));
    assert!(!locks.unlock(A, range(10, 10)));
    locks.lock(A, range(0, 5), false);
    assert!(locks.can_access(B, range(0, 5), false));
    assert!(!locks.can_access(A, range(0, 5), true));
    assert!(locks.can_lock(B, range(4, 9), false));
    assert!(!locks.can_lock(B, range(4, 9), true));
    assert_eq!(locks.release(A), 1);
    assert!(locks.is_empty());
}

#[test]
fn empty_ranges_lie_between_bytes() {
    let mut locks = Locks::default();
    locks.lock(A, range(0, 0), true);
    assert!(locks.can_lock(B, range(0, 10), true));
    locks.lock(A, range(5, 0), true);
    assert!(locks.can_lock(B, range(5, 5), true));
    assert!(locks.can_lock(B, range(0, 5), true));
    assert!(!locks.can_lock(B, range(4, 2), true));
    assert_eq!(locks.release(A), 2);
}

#[test]
fn an_exclusive_lock_goes_before_a_shared_one() {
    let mut locks = Locks::default();
    locks.lock(A, range(0, 1), true);
    locks.lock(A, range(0, 1), false);
    assert!(locks.unlock(A, range(0, 1)));
    assert!(locks.can_lock(B, range(0, 1), false));
    assert!(!locks.can_lock(B, range(0, 1), true));
}

#[test]
fn the_tree_stays_balanced_and_agrees_with_a_list() {
    let mut seed = 1_u64;
    let mut next = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    // Spread over much, on top of each other, and from the end to the start.
    for (places, length) in [(5000, 40), (60, 20), (0, 3)] {
        let mut tree = LockTree::default();
        let mut list: Vec<Locked> = Vec::new();
        for key in 0..6000 {
            if next(5) < 2 && !list.is_empty() {
                let gone = list.swap_remove(next(list.len() as u64) as usize);
                tree.remove(gone.start, gone.key);
            } else {
                let start = if places == 0 { 10 * (6000 - key) } else { 1 + next(places) };
                let last = start + next(length) - 1;
                let lock = Locked { start, last, key, owner: OpenId(next(3)), exclusive: next(2) == 0 };
                tree.insert(lock);
                list.push(lock);
            }
            let start = if places == 0 { next(60_000) } else { next(places) };
            let last = start + next(10);
            for exclusive in [false, true] {
                let expected = list.iter().any(|lock| {
                    lock.start <= last
                        && lock.last >= start
                        && (lock.exclusive || !exclusive)
                        && lock.owner != A
                });
                assert_eq!(tree.overlaps(start, last, exclusive, |lock| lock.owner != A), expected);
            }
            if key % 64 == 0 {
                tree.checked_height();
            }
        }
        assert!(tree.checked_height() <= 10, "{}", tree.checked_height());
        assert!(tree.places() < 300, "what is free is used again: {}", tree.places());
        for lock in list {
            tree.remove(lock.start, lock.key);
        }
        assert_eq!((tree.checked_height(), tree.places()), (0, 0));
    }
}
