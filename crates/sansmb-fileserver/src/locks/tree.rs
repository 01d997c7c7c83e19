//! A balanced tree of locked ranges: insertion, removal and "does anything overlap" in O(log n).

use std::cmp::Ordering;

use crate::opens::OpenId;

/// A range of bytes that is locked. It may be empty: it then ends before it starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locked {
    pub(super) start: u64,
    pub(super) last: u64,
    /// Unique.
    pub(super) key: u64,
    pub(super) owner: OpenId,
    pub(super) exclusive: bool,
}

impl Locked {
    fn order(&self) -> Order {
        (self.start, self.key)
    }
}

/// What locks are sorted by.
type Order = (u64, u64);

/// The locks of a file, sorted, by the handful.
///
/// An AVL tree whose nodes hold up to [`FULL`] locks each, which lie side by side: with a million locks on a file, what
/// a search costs is how often it has to look elsewhere in memory.
#[derive(Debug)]
pub(super) struct LockTree {
    nodes: Vec<Node>,
    /// Places in `nodes` that are not in use.
    free: Vec<Link>,
    root: Link,
}

/// The place of a node, or [`NONE`].
type Link = u32;

const NONE: Link = Link::MAX;
/// Locks in a node at most.
const FULL: usize = 32;

#[derive(Debug)]
struct Node {
    /// Not above its first lock, and above all locks to the left.
    bound: Order,
    locks: Vec<Locked>,
    /// How far its own locks reach,
    own: Reach,
    /// those to the left, so that a search need not look there in vain,
    before: Reach,
    /// and all of them with those to the right.
    all: Reach,
    left: Link,
    right: Link,
    height: u8,
}

/// The last byte of some locks; zero where there are none, which only costs a look.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    any: u64,
    exclusive: u64,
}

impl Reach {
    fn of(lock: &Locked) -> Self {
        Self { any: lock.last, exclusive: if lock.exclusive { lock.last } else { 0 } }
    }

    fn and(self, other: Self) -> Self {
        Self { any: self.any.max(other.any), exclusive: self.exclusive.max(other.exclusive) }
    }

    fn get(self, exclusive: bool) -> u64 {
        if exclusive { self.exclusive } else { self.any }
    }
}

impl Node {
    fn new(locks: Vec<Locked>) -> Self {
        let bound = locks.first().map_or((0, 0), Locked::order);
        let own = reach(&locks);
        Self { bound, locks, own, before: Reach::default(), all: own, left: NONE, right: NONE, height: 1 }
    }
}

fn reach(locks: &[Locked]) -> Reach {
    locks.iter().map(Reach::of).fold(Reach::default(), Reach::and)
}

impl Default for LockTree {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), root: NONE }
    }
}

impl LockTree {
    /// Adds a lock.
    pub(super) fn insert(&mut self, lock: Locked) {
        let Some(at) = self.home(lock.order()) else {
            let mut locks = Vec::with_capacity(FULL + 1);
            locks.push(lock);
            self.root = self.placed(Node::new(locks));
            return;
        };
        let node = &mut self.nodes[at as usize];
        // Only the first node takes what is below its bound.
        node.bound = node.bound.min(lock.order());
        let place = node.locks.partition_point(|other| other.order() < lock.order());
        node.locks.insert(place, lock);
        node.own = node.own.and(Reach::of(&lock));
        let mut second = Vec::new();
        if node.locks.len() > FULL {
            // Whoever locks one range after the other leaves nodes that are nearly full, with room for some between.
            let kept = if place == FULL { FULL - FULL / 8 } else { FULL / 2 };
            second.reserve_exact(FULL + 1);
            second.extend(node.locks.drain(kept..));
            node.own = reach(&node.locks);
        }
        let bound = node.bound;
        self.refresh(self.root, bound);
        if !second.is_empty() {
            let new = self.placed(Node::new(second));
            self.root = self.inserted(self.root, new);
        }
    }

    /// Removes the lock with this start and key.
    pub(super) fn remove(&mut self, start: u64, key: u64) {
        let Some(at) = self.home((start, key)) else { return };
        let node = &mut self.nodes[at as usize];
        let Ok(place) = node.locks.binary_search_by_key(&(start, key), Locked::order) else { return };
        node.locks.remove(place);
        node.own = reach(&node.locks);
        let bound = node.bound;
        if !node.locks.is_empty() {
            self.refresh(self.root, bound);
            return;
        }
        node.locks = Vec::new();
        self.root = self.removed(self.root, bound);
        if self.root == NONE {
            // Whatever it took.
            *self = Self::default();
        }
    }

    /// Whether a lock that shares a byte with `start..=last` `counts`: any lock, or only `exclusive` ones. It stops at
    /// the first one.
    pub(super) fn overlaps(
        &self,
        start: u64,
        last: u64,
        exclusive: bool,
        counts: impl Fn(&Locked) -> bool,
    ) -> bool {
        let counts = |lock: &Locked| {
            lock.start <= last && lock.last >= start && (lock.exclusive || !exclusive) && counts(lock)
        };
        self.overlaps_below(self.root, start, last, exclusive, &counts)
    }

    fn overlaps_below(
        &self,
        mut at: Link,
        start: u64,
        last: u64,
        exclusive: bool,
        counts: &impl Fn(&Locked) -> bool,
    ) -> bool {
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.all.get(exclusive) < start {
                return false;
            }
            let left = node.left != NONE && node.before.get(exclusive) >= start;
            if left && self.overlaps_below(node.left, start, last, exclusive, counts) {
                return true;
            }
            if node.bound.0 > last {
                return false;
            }
            if node.own.get(exclusive) >= start && node.locks.iter().any(counts) {
                return true;
            }
            at = node.right;
        }
        false
    }

    /// The node that a lock belongs to.
    fn home(&self, order: Order) -> Option<Link> {
        let (mut at, mut home, mut first) = (self.root, NONE, NONE);
        while at != NONE {
            let node = &self.nodes[at as usize];
            if order < node.bound {
                first = at;
                at = node.left;
            } else {
                home = at;
                at = node.right;
            }
        }
        let found = if home == NONE { first } else { home };
        Some(found).filter(|found| *found != NONE)
    }

    fn placed(&mut self, node: Node) -> Link {
        if let Some(at) = self.free.pop() {
            self.nodes[at as usize] = node;
            return at;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as Link
    }

    fn height(&self, at: Link) -> u8 {
        self.nodes.get(at as usize).map_or(0, |node| node.height)
    }

    /// Brings what a node knows of those beneath it up to date.
    fn update(&mut self, at: Link) {
        let Node { left, right, own, .. } = self.nodes[at as usize];
        let height = 1 + self.height(left).max(self.height(right));
        let all = |link: Link| self.nodes.get(link as usize).map_or(Reach::default(), |node| node.all);
        let (before, after) = (all(left), all(right));
        let node = &mut self.nodes[at as usize];
        (node.height, node.before) = (height, before);
        node.all = own.and(before).and(after);
    }

    /// The same for all nodes from the one with this bound up to `at`.
    fn refresh(&mut self, at: Link, bound: Order) {
        let Some(node) = self.nodes.get(at as usize) else { return };
        match bound.cmp(&node.bound) {
            Ordering::Less => self.refresh(node.left, bound),
            Ordering::Greater => self.refresh(node.right, bound),
            Ordering::Equal => {}
        }
        self.update(at);
    }

    /// The root of the tree beneath `at` with `new` in it.
    fn inserted(&mut self, at: Link, new: Link) -> Link {
        if at == NONE {
            return new;
        }
        let Node { left, right, bound, .. } = self.nodes[at as usize];
        if self.nodes[new as usize].bound < bound {
            self.nodes[at as usize].left = self.inserted(left, new);
        } else {
            self.nodes[at as usize].right = self.inserted(right, new);
        }
        self.balanced(at)
    }

    /// The root of the tree beneath `at` without the node of this bound.
    fn removed(&mut self, at: Link, gone: Order) -> Link {
        if at == NONE {
            return NONE;
        }
        let Node { left, right, bound, .. } = self.nodes[at as usize];
        match gone.cmp(&bound) {
            Ordering::Less => self.nodes[at as usize].left = self.removed(left, gone),
            Ordering::Greater => self.nodes[at as usize].right = self.removed(right, gone),
            Ordering::Equal => {
                self.free.push(at);
                if right == NONE {
                    return left;
                }
                let (rest, first) = self.without_first(right);
                let node = &mut self.nodes[first as usize];
                (node.left, node.right) = (left, rest);
                return self.balanced(first);
            }
        }
        self.balanced(at)
    }

    /// The tree beneath `at` without its first node, and that node.
    fn without_first(&mut self, at: Link) -> (Link, Link) {
        let Node { left, right, .. } = self.nodes[at as usize];
        if left == NONE {
            return (right, at);
        }
        let (rest, first) = self.without_first(left);
        self.nodes[at as usize].left = rest;
        (self.balanced(at), first)
    }

    fn balanced(&mut self, at: Link) -> Link {
        let Node { left, right, .. } = self.nodes[at as usize];
        if self.height(left) > self.height(right) + 1 {
            let below = &self.nodes[left as usize];
            if self.height(below.right) > self.height(below.left) {
                self.nodes[at as usize].left = self.rotated_left(left);
            }
            return self.rotated_right(at);
        }
        if self.height(right) > self.height(left) + 1 {
            let below = &self.nodes[right as usize];
            if self.height(below.left) > self.height(below.right) {
                self.nodes[at as usize].right = self.rotated_right(right);
            }
            return self.rotated_left(at);
        }
        self.update(at);
        at
    }

    /// The left child goes to the top; there is one.
    fn rotated_right(&mut self, at: Link) -> Link {
        let top = self.nodes[at as usize].left;
        self.nodes[at as usize].left = self.nodes[top as usize].right;
        self.nodes[top as usize].right = at;
        self.update(at);
        self.update(top);
        top
    }

    /// The right child goes to the top; there is one.
    fn rotated_left(&mut self, at: Link) -> Link {
        let top = self.nodes[at as usize].right;
        self.nodes[at as usize].right = self.nodes[top as usize].left;
        self.nodes[top as usize].left = at;
        self.update(at);
        self.update(top);
        top
    }
}

#[cfg(test)]
impl LockTree {
    /// The height of the tree, after checking that all that its nodes know holds.
    pub(super) fn checked_height(&self) -> u8 {
        let mut previous = None;
        self.check(self.root, &mut previous)
    }

    fn check(&self, at: Link, previous: &mut Option<Order>) -> u8 {
        let Some(node) = self.nodes.get(at as usize) else { return 0 };
        let left = self.check(node.left, previous);
        assert!(!node.locks.is_empty() && node.locks.len() <= FULL);
        assert!(previous.is_none_or(|previous| previous < node.bound), "the bound is above what is before");
        assert!(node.bound <= node.locks[0].order());
        assert!(node.locks.is_sorted_by_key(Locked::order));
        *previous = node.locks.last().map(Locked::order);
        let right = self.check(node.right, previous);
        assert!(left.abs_diff(right) <= 1, "not balanced");
        assert_eq!(node.height, 1 + left.max(right));
        let all = |link: Link| self.nodes.get(link as usize).map_or(Reach::default(), |node| node.all);
        let whole = reach(&node.locks).and(all(node.left)).and(all(node.right));
        assert_eq!((node.all.any, node.all.exclusive), (whole.any, whole.exclusive));
        assert_eq!(node.before.any, all(node.left).any);
        node.height
    }

    /// How many places for nodes there are.
    pub(super) fn places(&self) -> usize {
        self.nodes.len()
    }
}
