//! A balanced tree of intervals: insertion, removal and "does anything overlap" in O(log n).

use std::cmp::Ordering;

/// Intervals of bytes with a value each. An interval may be empty: it then ends before it starts.
///
/// The nodes of this AVL tree lie in one piece of memory and are a cache line each: with a million locks on a file,
/// what a search costs is the lines that it touches.
#[derive(Debug)]
pub(super) struct IntervalTree<V> {
    nodes: Vec<Node<V>>,
    /// Places in `nodes` that are not in use.
    free: Vec<Link>,
    root: Link,
}

/// The place of a node, or [`NONE`].
type Link = u32;

const NONE: Link = Link::MAX;

#[derive(Debug)]
#[repr(align(64))]
struct Node<V> {
    start: u64,
    last: u64,
    key: u64,
    value: V,
    /// The last byte of all intervals of this node and beneath it.
    max_last: u64,
    /// The same of those to the left alone, so that a search need not look there in vain.
    max_left: u64,
    left: Link,
    right: Link,
    height: u8,
}

impl<V> Default for IntervalTree<V> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), root: NONE }
    }
}

impl<V> IntervalTree<V> {
    /// Adds `start..=last` under `key`, which is unique.
    pub(super) fn insert(&mut self, start: u64, last: u64, key: u64, value: V) {
        let node =
            Node { start, last, key, value, max_last: last, max_left: 0, left: NONE, right: NONE, height: 1 };
        let new = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as Link
            }
        };
        self.root = self.inserted(self.root, new);
    }

    /// Removes what was added with this start and key.
    pub(super) fn remove(&mut self, start: u64, key: u64) {
        self.root = self.removed(self.root, start, key);
        if self.root == NONE {
            // Whatever it took.
            *self = Self::default();
        }
    }

    /// Whether an interval that shares a byte with `start..=last` has a value that `counts`. It
    /// stops at the first one.
    pub(super) fn overlaps(&self, start: u64, last: u64, counts: impl Fn(&V) -> bool) -> bool {
        self.overlaps_below(self.root, start, last, &counts)
    }

    fn overlaps_below(&self, mut at: Link, start: u64, last: u64, counts: &impl Fn(&V) -> bool) -> bool {
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.max_last < start {
                return false;
            }
            let left = node.left != NONE && node.max_left >= start;
            if left && self.overlaps_below(node.left, start, last, counts) {
                return true;
            }
            if node.start > last {
                return false;
            }
            if node.last >= start && counts(&node.value) {
                return true;
            }
            at = node.right;
        }
        false
    }

    fn height(&self, at: Link) -> u8 {
        self.nodes.get(at as usize).map_or(0, |node| node.height)
    }

    fn order(&self, start: u64, key: u64, at: Link) -> Ordering {
        let node = &self.nodes[at as usize];
        (start, key).cmp(&(node.start, node.key))
    }

    /// Brings what a node knows of those beneath it up to date.
    fn update(&mut self, at: Link) {
        let Node { left, right, last, .. } = self.nodes[at as usize];
        let height = 1 + self.height(left).max(self.height(right));
        let max_of = |link: Link| self.nodes.get(link as usize).map(|node| node.max_last);
        let (max_left, max_right) = (max_of(left).unwrap_or(0), max_of(right).unwrap_or(0));
        let node = &mut self.nodes[at as usize];
        (node.height, node.max_left) = (height, max_left);
        node.max_last = last.max(max_left).max(max_right);
    }

    /// The root of the tree beneath `at` with `new` in it.
    fn inserted(&mut self, at: Link, new: Link) -> Link {
        if at == NONE {
            return new;
        }
        let Node { start, key, .. } = self.nodes[new as usize];
        if self.order(start, key, at) == Ordering::Less {
            let left = self.inserted(self.nodes[at as usize].left, new);
            self.nodes[at as usize].left = left;
        } else {
            let right = self.inserted(self.nodes[at as usize].right, new);
            self.nodes[at as usize].right = right;
        }
        self.balanced(at)
    }

    /// The root of the tree beneath `at` without the node of this start and key.
    fn removed(&mut self, at: Link, start: u64, key: u64) -> Link {
        if at == NONE {
            return NONE;
        }
        let Node { left, right, .. } = self.nodes[at as usize];
        match self.order(start, key, at) {
            Ordering::Less => self.nodes[at as usize].left = self.removed(left, start, key),
            Ordering::Greater => self.nodes[at as usize].right = self.removed(right, start, key),
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
impl<V> IntervalTree<V> {
    /// The height of the tree, after checking that it is balanced.
    pub(super) fn checked_height(&self) -> u8 {
        fn check<V>(tree: &IntervalTree<V>, at: Link) -> u8 {
            let Some(node) = tree.nodes.get(at as usize) else { return 0 };
            let (left, right) = (check(tree, node.left), check(tree, node.right));
            assert!(left.abs_diff(right) <= 1, "not balanced");
            assert_eq!(node.height, 1 + left.max(right));
            node.height
        }
        check(self, self.root)
    }

    pub(super) const NODE: usize = size_of::<Node<V>>();

    /// How many places for nodes there are.
    pub(super) fn places(&self) -> usize {
        self.nodes.len()
    }
}
