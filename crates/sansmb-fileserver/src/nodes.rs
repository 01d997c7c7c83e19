//! What is kept of a file for as long as somebody has it open, by its identity and by its names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    lock::LockWaiter,
    locks::Locks,
    opens::OpenId,
    path_key::PathKey,
    share_modes::{Claim, ShareModes},
    storage::NodeId,
    task::Append,
    times::Shown,
};

/// A file or directory that is open.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) share_modes: ShareModes,
    /// The same of all its named streams together.
    pub(crate) stream_modes: ShareModes,
    /// The names under which it or one of its streams is open.
    pub(crate) links: BTreeMap<PathKey, Link>,
    pub(crate) locks: Locks,
    /// Requests that wait for a lock, oldest first.
    pub(crate) waiting: VecDeque<LockWaiter>,
    /// Writes at the end of the file that wait for the one before them.
    pub(crate) appends: VecDeque<Append>,
    /// One such write is under way.
    pub(crate) appending: bool,
    /// Grows when its data may have changed.
    pub(crate) version: u64,
    /// The times that clients saw last.
    pub(crate) shown: Option<Shown>,
}

/// One name of a file.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) opens: BTreeSet<OpenId>,
    /// It goes away with the last of them.
    pub(crate) delete_pending: bool,
    /// It is going away right now.
    pub(crate) unlinking: bool,
}

impl Link {
    /// Whether the name goes away with this open, which is the last that has it; then it is on its
    /// way.
    pub(crate) fn goes_with(&mut self, open: OpenId) -> bool {
        let last = self.opens.len() == 1 && self.opens.contains(&open);
        let goes = last && self.delete_pending && !self.unlinking;
        self.unlinking |= goes;
        goes
    }
}

/// All files that are open.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    nodes: BTreeMap<NodeId, Box<Node>>,
    paths: BTreeMap<PathKey, NodeId>,
}

impl Nodes {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(&id).map(Box::as_mut)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().map(Box::as_ref)
    }

    /// Whether an open with `claim` can stand beside those that there are on the same stream and
    /// on the file as a whole.
    pub(crate) fn allow(&self, id: NodeId, claim: Claim) -> bool {
        let own = self.nodes.get(&id).is_none_or(|node| node.share_modes.allow(claim));
        own && self.nodes.get(&id.whole()).is_none_or(|file| {
            if id.stream == 0 {
                file.stream_modes.allow_deletion(claim)
            } else {
                file.share_modes.allow_stream(claim)
            }
        })
    }

    /// The open file of that name.
    pub(crate) fn at(&self, key: &PathKey) -> Option<(NodeId, &Node)> {
        let id = *self.paths.get(key)?;
        Some((id, self.nodes.get(&id)?))
    }

    /// Whether the name is being deleted.
    pub(crate) fn is_doomed(&self, key: &PathKey) -> bool {
        self.at(key).and_then(|(_, node)| node.links.get(key)).is_some_and(|link| link.delete_pending)
    }

    /// Whether the name or a directory above it is being deleted.
    pub(crate) fn is_beneath_doomed(&self, key: &PathKey) -> bool {
        let mut key = Some(key.clone());
        while let Some(this) = key {
            if self.is_doomed(&this) {
                return true;
            }
            key = this.parent();
        }
        false
    }

    /// Whether anything beneath a directory is open.
    pub(crate) fn any_beneath(&self, key: &PathKey) -> bool {
        let after = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        self.paths.range(after).next().is_some_and(|(first, _)| key.contains(first))
    }

    /// What is open beneath a directory.
    pub(crate) fn beneath(&self, key: &PathKey) -> Vec<NodeId> {
        let after = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        let beneath = self.paths.range(after).take_while(|(path, _)| key.contains(path));
        beneath.map(|(_, id)| *id).collect()
    }

    /// Counts an open in.
    pub(crate) fn add(&mut self, id: NodeId, key: PathKey, open: OpenId) -> &mut Node {
        self.paths.insert(key.clone(), id);
        let node = self.nodes.entry(id).or_default();
        node.links.entry(key).or_default().opens.insert(open);
        node
    }

    /// Counts an open out. The name stays where it still has to be deleted: see [`Nodes::forget`].
    pub(crate) fn remove(&mut self, id: NodeId, key: &PathKey, open: OpenId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if let Some(link) = node.links.get_mut(key) {
            link.opens.remove(&open);
            if link.opens.is_empty() && !link.delete_pending {
                self.forget(id, key);
            }
        }
    }

    /// Drops a name, and the file with its last name.
    pub(crate) fn forget(&mut self, id: NodeId, key: &PathKey) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.links.remove(key);
        if node.links.is_empty() {
            self.nodes.remove(&id);
        }
        if self.paths.get(key) == Some(&id) {
            self.paths.remove(key);
        }
    }

    /// A name became another; gives the opens that had it.
    pub(crate) fn rename(&mut self, id: NodeId, from: &PathKey, to: PathKey) -> BTreeSet<OpenId> {
        let Some(node) = self.nodes.get_mut(&id) else { return BTreeSet::new() };
        let Some(link) = node.links.remove(from) else { return BTreeSet::new() };
        let opens = link.opens.clone();
        let target = node.links.entry(to.clone()).or_default();
        target.opens.extend(link.opens);
        target.delete_pending |= link.delete_pending;
        if self.paths.get(from) == Some(&id) {
            self.paths.remove(from);
        }
        self.paths.insert(to, id);
        opens
    }
}
