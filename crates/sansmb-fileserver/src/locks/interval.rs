//! A balanced tree of intervals: insertion, removal and "does anything overlap" in O(log n).

use std::cmp::Ordering;

/// Intervals of bytes with a value each. An interval may be empty: it then ends before it starts.
#[derive(Debug)]
pub(super) struct IntervalTree<V> {
    root: Link<V>,
}

type Link<V> = Option<Box<Node<V>>>;

/// A node of an AVL tree that also knows the last byte of all intervals beneath it.
#[derive(Debug)]
struct Node<V> {
    start: u64,
    last: u64,
    key: u64,
    value: V,
    height: u32,
    max_last: u64,
    left: Link<V>,
    right: Link<V>,
}

impl<V> Default for IntervalTree<V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<V> IntervalTree<V> {
    /// Adds `start..=last` under `key`, which is unique.
    pub(super) fn insert(&mut self, start: u64, last: u64, key: u64, value: V) {
        let node = Node { start, last, key, value, height: 1, max_last: last, left: None, right: None };
        self.root = Some(insert(self.root.take(), Box::new(node)));
    }

    /// Removes what was added with this start and key.
    pub(super) fn remove(&mut self, start: u64, key: u64) {
        self.root = remove(self.root.take(), start, key);
    }

    /// Whether an interval that shares a byte with `start..=last` has a value that `counts`. It
    /// stops at the first one.
    pub(super) fn overlaps(&self, start: u64, last: u64, counts: impl Fn(&V) -> bool) -> bool {
        overlaps(&self.root, start, last, &counts)
    }
}

fn overlaps<V>(link: &Link<V>, start: u64, last: u64, counts: &impl Fn(&V) -> bool) -> bool {
    let Some(node) = link else { return false };
    if node.max_last < start {
        return false;
    }
    overlaps(&node.left, start, last, counts)
        || node.start <= last
            && (node.last >= start && counts(&node.value) || overlaps(&node.right, start, last, counts))
}

fn height<V>(link: &Link<V>) -> u32 {
    link.as_ref().map_or(0, |node| node.height)
}

impl<V> Node<V> {
    fn order(&self, start: u64, key: u64) -> Ordering {
        (start, key).cmp(&(self.start, self.key))
    }

    fn update(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        let below = [&self.left, &self.right].into_iter().flatten().map(|node| node.max_last).max();
        self.max_last = below.map_or(self.last, |below| below.max(self.last));
    }
}

fn insert<V>(link: Link<V>, new: Box<Node<V>>) -> Box<Node<V>> {
    let Some(mut node) = link else { return new };
    if node.order(new.start, new.key) == Ordering::Less {
        node.left = Some(insert(node.left.take(), new));
    } else {
        node.right = Some(insert(node.right.take(), new));
    }
    balance(node)
}

fn remove<V>(link: Link<V>, start: u64, key: u64) -> Link<V> {
    let mut node = link?;
    match node.order(start, key) {
        Ordering::Less => node.left = remove(node.left.take(), start, key),
        Ordering::Greater => node.right = remove(node.right.take(), start, key),
        Ordering::Equal => {
            let left = node.left.take();
            let Some(right) = node.right.take() else { return left };
            let (rest, mut first) = take_first(right);
            first.left = left;
            first.right = rest;
            return Some(balance(first));
        }
    }
    Some(balance(node))
}

fn take_first<V>(mut node: Box<Node<V>>) -> (Link<V>, Box<Node<V>>) {
    let Some(left) = node.left.take() else {
        let rest = node.right.take();
        return (rest, node);
    };
    let (rest, first) = take_first(left);
    node.left = rest;
    (Some(balance(node)), first)
}

fn balance<V>(mut node: Box<Node<V>>) -> Box<Node<V>> {
    if height(&node.left) > height(&node.right) + 1 {
        if let Some(left) = node.left.take() {
            let leans_right = height(&left.right) > height(&left.left);
            node.left = Some(if leans_right { rotate_left(left) } else { left });
        }
        return rotate_right(node);
    }
    if height(&node.right) > height(&node.left) + 1 {
        if let Some(right) = node.right.take() {
            let leans_left = height(&right.left) > height(&right.right);
            node.right = Some(if leans_left { rotate_right(right) } else { right });
        }
        return rotate_left(node);
    }
    node.update();
    node
}

fn rotate_right<V>(mut node: Box<Node<V>>) -> Box<Node<V>> {
    let Some(mut top) = node.left.take() else {
        node.update();
        return node;
    };
    node.left = top.right.take();
    node.update();
    top.right = Some(node);
    top.update();
    top
}

fn rotate_left<V>(mut node: Box<Node<V>>) -> Box<Node<V>> {
    let Some(mut top) = node.right.take() else {
        node.update();
        return node;
    };
    node.right = top.left.take();
    node.update();
    top.left = Some(node);
    top.update();
    top
}

#[cfg(test)]
impl<V> IntervalTree<V> {
    /// The height of the tree, after checking that it is balanced.
    pub(super) fn checked_height(&self) -> u32 {
        fn check<V>(link: &Link<V>) -> u32 {
            let Some(node) = link else { return 0 };
            let (left, right) = (check(&node.left), check(&node.right));
            assert!(left.abs_diff(right) <= 1, "not balanced");
            assert_eq!(node.height, 1 + left.max(right));
            node.height
        }
        check(&self.root)
    }
}
