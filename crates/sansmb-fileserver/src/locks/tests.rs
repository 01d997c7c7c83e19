use super::{IntervalTree, Locks, Range};
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
    let mut tree = IntervalTree::default();
    let mut list: Vec<(u64, u64, u64)> = Vec::new();
    let mut seed = 1_u64;
    let mut next = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for key in 0..4000 {
        if next(3) == 0 && !list.is_empty() {
            let (start, _, key) = list.swap_remove(next(list.len() as u64) as usize);
            tree.remove(start, key);
        } else {
            let start = next(5000);
            let last = start + next(40);
            tree.insert(start, last, key, ());
            list.push((start, last, key));
        }
        let start = next(5000);
        let last = start + next(10);
        let expected = list.iter().any(|(s, l, _)| *s <= last && *l >= start);
        assert_eq!(tree.overlaps(start, last, |()| true), expected);
    }
    assert!(tree.checked_height() <= 16);
    assert!(tree.places() < 2700, "what is free is used again");
    for (start, _, key) in list {
        tree.remove(start, key);
    }
    assert_eq!((tree.checked_height(), tree.places()), (0, 0));
}

#[test]
fn a_node_is_a_cache_line() {
    assert_eq!(IntervalTree::<OpenId>::NODE, 64);
}
