//! Who watches what, and what to tell them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
};

use rustix::fs::inotify::ReadFlags;
use sansmb::wire::{CompletionFilter, fscc::NotifyAction};
use sansmb_fileserver::storage::{Changed, Completion, Done, Handle, Outcome};

use super::{
    super::{
        beneath::PRIVATE,
        node::{join, split},
    },
    Queue, ended, key, shown,
};

/// Changes that are kept for one watch until it is asked again; more are lost.
const MAX_CHANGES: usize = 1024;
/// Directories beneath one watch; changes in others are not noticed.
const MAX_PLACES: usize = 16_384;

/// Completions to call once no lock is held.
pub(super) type Due = Vec<(Completion, Outcome)>;

/// The tables.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queue: Option<Arc<Queue>>,
    watches: BTreeMap<Handle, Watch>,
    /// For whom a directory of the kernel's list is there, and under which path beneath the one
    /// that they watch.
    places: BTreeMap<i32, Vec<(Handle, Vec<u8>)>>,
    /// What this server works on just now.
    own: BTreeMap<u64, Vec<String>>,
    next_own: u64,
    /// Directories that it made and that somebody is about to watch.
    pub(super) looking_at_own: usize,
    /// A rename of which only the first half has come.
    half: Option<Half>,
    closed: bool,
}

/// A directory that is watched.
struct Watch {
    /// Its path on disk.
    root: Vec<u8>,
    tree: bool,
    /// The directories that the kernel watches for it, by path beneath it.
    places: BTreeMap<Vec<u8>, i32>,
    changes: Vec<Changed>,
    /// There were more.
    lost: bool,
    waiting: Option<Completion>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} places", String::from_utf8_lossy(&self.root), self.places.len())
    }
}

#[derive(Debug)]
struct Half {
    cookie: u32,
    directory: bool,
    /// The old path, for each that watches it, and whether this server moved it.
    from: Vec<(Handle, Vec<u8>, bool)>,
}

impl State {
    pub(super) fn knows(&self, handle: Handle) -> bool {
        self.watches.contains_key(&handle)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn begin(&mut self, handle: Handle, root: Vec<u8>, tree: bool, number: i32) {
        let watch =
            Watch { root, tree, places: BTreeMap::new(), changes: Vec::new(), lost: false, waiting: None };
        self.watches.insert(handle, watch);
        self.place(handle, Vec::new(), number);
    }

    /// The watch's next job; one that was there before ends with nothing.
    pub(super) fn wait(&mut self, handle: Handle, done: Completion) -> Due {
        let Some(watch) = self.watches.get_mut(&handle) else { return vec![(done, ended())] };
        let mut due: Due = watch.waiting.replace(done).map(|done| (done, ended())).into_iter().collect();
        due.extend(watch.due());
        due
    }

    pub(super) fn end(&mut self, handle: Handle) -> Due {
        let Some(mut watch) = self.watches.remove(&handle) else { return Due::new() };
        for number in watch.places.values() {
            self.drop_place(*number, handle, None);
        }
        watch.waiting.take().map(|done| (done, ended())).into_iter().collect()
    }

    pub(super) fn close(&mut self) -> Due {
        self.closed = true;
        self.half = None;
        let handles: Vec<Handle> = self.watches.keys().copied().collect();
        handles.into_iter().flat_map(|handle| self.end(handle)).collect()
    }

    pub(super) fn due(&mut self) -> Due {
        self.watches.values_mut().filter_map(Watch::due).collect()
    }

    // What this server does.

    pub(super) fn work_on(&mut self, paths: Vec<String>) -> u64 {
        self.next_own += 1;
        self.own.insert(self.next_own, paths);
        self.next_own
    }

    pub(super) fn work_done(&mut self, id: u64) {
        self.own.remove(&id);
    }

    fn is_own(&self, path: &[u8]) -> bool {
        // What the server keeps for itself, and names that it makes on the way to another.
        if path == PRIVATE.as_bytes() || split(path).1.starts_with(b".sansmb-") {
            return true;
        }
        if self.own.is_empty() {
            return false;
        }
        let key = key(path);
        self.own.values().flatten().any(|own| *own == key)
    }

    pub(super) fn renamed(&mut self, from: &[u8], to: &[u8]) {
        for watch in self.watches.values_mut() {
            let rest = watch.root.strip_prefix(from).filter(|rest| matches!(rest.first(), None | Some(b'/')));
            if let Some(rest) = rest {
                watch.root = [to, rest].concat();
            }
        }
    }

    // Directories.

    pub(super) fn full_path(&self, handle: Handle, path: &[u8]) -> Option<Vec<u8>> {
        let watch = self.watches.get(&handle)?;
        Some(if path.is_empty() { watch.root.clone() } else { join(&watch.root, path) })
    }

    pub(super) fn has_room(&self, handle: Handle) -> bool {
        self.watches.get(&handle).is_some_and(|watch| watch.places.len() < MAX_PLACES)
    }

    /// The kernel watches a directory for somebody.
    pub(super) fn place(&mut self, handle: Handle, path: Vec<u8>, number: i32) {
        let Some(watch) = self.watches.get_mut(&handle) else {
            // The watch ended meanwhile.
            return self.drop_place(number, handle, None);
        };
        let old = watch.places.insert(path.clone(), number);
        let places = self.places.entry(number).or_default();
        if !places.iter().any(|(of, known)| *of == handle && *known == path) {
            places.push((handle, path.clone()));
        }
        if let Some(old) = old.filter(|old| *old != number) {
            self.drop_place(old, handle, Some(&path));
        }
    }

    /// Takes the places at a path and beneath it out of a watch.
    fn take_places(&mut self, handle: Handle, path: &[u8]) -> Vec<(Vec<u8>, i32)> {
        let Some(watch) = self.watches.get_mut(&handle) else { return Vec::new() };
        let beneath = join(path, b"");
        let taken: Vec<Vec<u8>> = watch
            .places
            .range(path.to_vec()..)
            .map(|(place, _)| place)
            // What begins alike and is not beneath may lie between.
            .take_while(|place| place.starts_with(path))
            .filter(|place| **place == path || place.starts_with(&beneath))
            .cloned()
            .collect();
        taken.into_iter().filter_map(|place| watch.places.remove_entry(&place)).collect()
    }

    /// Nobody watches what lies at a path or beneath it any more.
    fn forget(&mut self, handle: Handle, path: &[u8]) {
        for (place, number) in self.take_places(handle, path) {
            self.drop_place(number, handle, Some(&place));
        }
    }

    /// A directory has another path now; the kernel goes on watching it and all that is beneath.
    fn move_places(&mut self, handle: Handle, from: &[u8], to: &[u8]) {
        for (place, number) in self.take_places(handle, from) {
            let new = [to, place.get(from.len()..).unwrap_or_default()].concat();
            if let Some(known) = self.places.get_mut(&number) {
                for (_, path) in known.iter_mut().filter(|(of, path)| *of == handle && *path == place) {
                    path.clone_from(&new);
                }
            }
            if let Some(watch) = self.watches.get_mut(&handle) {
                watch.places.insert(new, number);
            }
        }
    }

    /// Counts somebody out; with the last one, the kernel's watch goes.
    fn drop_place(&mut self, number: i32, handle: Handle, path: Option<&[u8]>) {
        if let Entry::Occupied(mut places) = self.places.entry(number) {
            places.get_mut().retain(|(of, known)| *of != handle || path.is_some_and(|path| path != known));
            if !places.get().is_empty() {
                return;
            }
            places.remove();
        }
        if let Some(queue) = &self.queue {
            queue.remove(number);
        }
    }

    // Events.

    pub(super) fn has_half(&self) -> bool {
        self.half.is_some()
    }

    /// The second half of a rename did not come: the file left what is watched.
    pub(super) fn give_up_half(&mut self) {
        let Some(half) = self.half.take() else { return };
        self.left(half.from, half.directory);
    }

    /// What had these paths is not watched any more.
    fn left(&mut self, from: Vec<(Handle, Vec<u8>, bool)>, directory: bool) {
        for (handle, path, own) in from {
            if directory {
                self.forget(handle, &path);
            }
            if !own {
                self.tell(handle, &path, NotifyAction::REMOVED, naming(directory), false);
            }
        }
    }

    /// Takes in an event; directories that appeared go into `found`.
    pub(super) fn event(
        &mut self,
        number: i32,
        kind: ReadFlags,
        cookie: u32,
        name: &[u8],
        found: &mut Vec<(Handle, Vec<u8>, bool)>,
    ) {
        if kind.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.watches.values_mut().for_each(Watch::lose);
            return;
        }
        let Some(places) = self.places.get(&number) else { return };
        if kind.contains(ReadFlags::IGNORED) {
            let places = std::mem::take(&mut self.places.remove(&number).unwrap_or_default());
            for (handle, path) in places {
                if let Some(watch) = self.watches.get_mut(&handle) {
                    watch.places.remove(&path);
                }
            }
            return;
        }
        // Those of a directory itself come from its parent, too.
        if name.is_empty() {
            return;
        }
        let paths: Vec<(Handle, Vec<u8>)> =
            places.iter().map(|(handle, path)| (*handle, join(path, name))).collect();
        let directory = kind.contains(ReadFlags::ISDIR);
        let half = match self.half.take() {
            Some(half) if kind.contains(ReadFlags::MOVED_TO) && half.cookie == cookie => Some(half),
            other => {
                self.half = other;
                self.give_up_half();
                None
            }
        };
        if kind.contains(ReadFlags::MOVED_FROM) {
            let own = |(handle, path): &(Handle, Vec<u8>)| {
                self.full_path(*handle, path).is_some_and(|path| self.is_own(&path))
            };
            let from = paths.into_iter().map(|it| {
                let own = own(&it);
                (it.0, it.1, own)
            });
            self.half = Some(Half { cookie, directory, from: from.collect() });
            return;
        }
        let mut from = half.map(|half| half.from).unwrap_or_default();
        let (action, what) = if kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            (NotifyAction::ADDED, naming(directory))
        } else if kind.contains(ReadFlags::DELETE) {
            (NotifyAction::REMOVED, naming(directory))
        } else if kind.contains(ReadFlags::MODIFY) {
            (NotifyAction::MODIFIED, CompletionFilter::SIZE | CompletionFilter::LAST_WRITE)
        } else if kind.contains(ReadFlags::ATTRIB) {
            (NotifyAction::MODIFIED, METADATA)
        } else {
            return;
        };
        for (handle, path) in paths {
            let mut action = action;
            let mut follows = false;
            if let Some(at) = from.iter().position(|(of, ..)| *of == handle) {
                let (_, old, own) = from.swap_remove(at);
                let stays = split(&old).0 == split(&path).0;
                let gone = if stays { NotifyAction::RENAMED_OLD_NAME } else { NotifyAction::REMOVED };
                if stays {
                    action = NotifyAction::RENAMED_NEW_NAME;
                }
                if directory {
                    self.move_places(handle, &old, &path);
                    follows = true;
                }
                if !own {
                    self.tell(handle, &old, gone, what, false);
                }
            }
            let own = self.tell(handle, &path, action, what, directory);
            let appeared = directory && action == NotifyAction::ADDED && !follows;
            if appeared && self.watches.get(&handle).is_some_and(|watch| watch.tree) {
                found.push((handle, path, !own));
            }
        }
        self.left(from, directory);
    }

    /// Something that is there now was not before.
    pub(super) fn appeared(&mut self, handle: Handle, path: &[u8], directory: bool) {
        self.tell(handle, path, NotifyAction::ADDED, naming(directory), directory);
    }

    /// Keeps a change for a watch, unless it is this server's own. Whether it is.
    fn tell(
        &mut self,
        handle: Handle,
        path: &[u8],
        action: NotifyAction,
        kind: CompletionFilter,
        directory: bool,
    ) -> bool {
        let Some(full) = self.full_path(handle, path) else { return true };
        if directory && matches!(action, NotifyAction::REMOVED | NotifyAction::RENAMED_OLD_NAME) {
            self.forget(handle, path);
        }
        let own = self.is_own(&full);
        if let Some(watch) = self.watches.get_mut(&handle).filter(|_| !own) {
            watch.keep(Changed { path: shown(path), action, kind });
        }
        own
    }
}

/// What a change of times, permissions or extended attributes may be: the kernel does not say.
const METADATA: CompletionFilter = CompletionFilter::ATTRIBUTES
    .union(CompletionFilter::LAST_WRITE)
    .union(CompletionFilter::LAST_ACCESS)
    .union(CompletionFilter::EA)
    .union(CompletionFilter::SECURITY);

fn naming(directory: bool) -> CompletionFilter {
    if directory { CompletionFilter::DIR_NAME } else { CompletionFilter::FILE_NAME }
}

impl Watch {
    fn keep(&mut self, change: Changed) {
        if self.lost || self.changes.last() == Some(&change) && change.action == NotifyAction::MODIFIED {
            return;
        }
        if self.changes.len() >= MAX_CHANGES {
            return self.lose();
        }
        self.changes.push(change);
    }

    fn lose(&mut self) {
        self.lost = true;
        self.changes.clear();
    }

    fn due(&mut self) -> Option<(Completion, Outcome)> {
        if self.changes.is_empty() && !self.lost {
            return None;
        }
        let done = self.waiting.take()?;
        let changes = std::mem::take(&mut self.changes);
        let lost = std::mem::take(&mut self.lost);
        Some((done, Ok(Done::Changed { changes, lost })))
    }
}
