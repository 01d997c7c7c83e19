//! A share of one's own data.

use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{Changes, Existence, Job, Storage, Want};
use sansmb_storage::{ReadOnly, Tree, TreeNode, run};

use crate::helpers::*;

/// Names with slashes and their contents; what is before a slash is a directory.
#[derive(Debug)]
struct Table(Vec<(&'static str, &'static str)>);

impl Tree for Table {
    fn lookup(&self, path: &[&str]) -> Option<TreeNode> {
        let Some((name, parents)) = path.split_last() else { return Some(TreeNode::directory()) };
        self.list(parents).into_iter().find(|(entry, _)| entry == name).map(|(_, node)| node)
    }

    fn list(&self, path: &[&str]) -> Vec<(String, TreeNode)> {
        let mut prefix = path.join("/");
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let mut entries: Vec<(String, TreeNode)> = Vec::new();
        for (name, data) in &self.0 {
            let Some(rest) = name.strip_prefix(&prefix) else { continue };
            let entry = match rest.split_once('/') {
                Some((dir, _)) => (dir.into(), TreeNode::directory()),
                None => (rest.into(), TreeNode::file(data.len() as u64)),
            };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    fn read(&self, path: &[&str], offset: u64, into: &mut [u8]) -> usize {
        let name = path.join("/");
        let data = self.0.iter().find(|(entry, _)| *entry == name).unwrap().1.as_bytes();
        let rest = data.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        n
    }
}

fn share() -> ReadOnly<Table> {
    ReadOnly::new("table", Table(vec![("Read me", "Hello"), ("Dir/Sub/file", "deep"), ("Dir/other", "")]))
}

fn look(s: &dyn Storage, text: &str) -> Result<Opened, NtStatus> {
    opened(run(s, open_job(text, Want::Any, Existence::MustExist, READ)))
}

#[test]
fn reading() {
    let s = &share();
    assert_eq!(content(s, "Read me"), "Hello");
    let it = look(s, "dir/SUB/FILE").unwrap();
    assert_eq!((it.path.as_str(), it.metadata.length), ("Dir/Sub/file", 4));
    assert_eq!(it.metadata.attributes, FileAttributes::READONLY);
    assert_eq!(read(s, it.handle, 1, 2), b"ee");
    assert_eq!(read(s, it.handle, 1, 100), b"eep");
    assert_eq!(read(s, it.handle, 4, 100), b"");
    assert_eq!(read(s, it.handle, u64::MAX, 100), b"");
    assert_eq!(stat(s, it.handle), it.metadata);
    assert_eq!(look(s, "Dir/Sub/file").unwrap().metadata.node, it.metadata.node);
    assert_eq!(look(s, "none").unwrap_err(), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(look(s, "none/x").unwrap_err(), NtStatus::OBJECT_PATH_NOT_FOUND);
    assert_eq!(look(s, "Read me/x").unwrap_err(), NtStatus::OBJECT_PATH_NOT_FOUND);
}

#[test]
fn listing() {
    let s = &share();
    let root = look(s, "").unwrap().handle;
    let (entries, end) = batch(s, root, false, 1);
    assert_eq!((&*entries[0].name, end), ("Read me", false));
    let (entries, end) = batch(s, root, false, 10);
    assert_eq!((&*entries[0].name, end), ("Dir", true));
    assert!(entries[0].metadata.is_directory());
    assert_eq!(batch(s, root, false, 10).0.len(), 0);
    assert_eq!(batch(s, root, true, 10).0.len(), 2);
    let dir = look(s, "DIR").unwrap().handle;
    assert_eq!(find(s, dir, "OTHER").unwrap().name, "other".into());
    assert_eq!(find(s, dir, "none").unwrap_err(), NtStatus::NO_SUCH_FILE);
}

#[test]
fn nothing_can_be_changed() {
    let s = &share();
    let protected = NtStatus::MEDIA_WRITE_PROTECTED;
    assert!(s.traits().read_only);
    for existence in [Existence::MustNotExist, Existence::Either] {
        assert_eq!(try_open(s, "Dir/new", Want::File, existence).unwrap_err(), protected);
    }
    assert_eq!(try_open(s, "Read me", Want::File, Existence::MustExist).unwrap_err(), protected);
    let handle = look(s, "Read me").unwrap().handle;
    assert_eq!(try_write(s, handle, 0, b"x"), Err(protected));
    assert_eq!(unlink(s, handle), Err(protected));
    assert_eq!(rename(s, handle, "x", false), Err(protected));
    assert_eq!(set_length(s, handle, 0), Err(protected));
    assert_eq!(change(s, handle, Changes::default()), Err(protected));
    close(s, handle);
    assert_eq!(run(s, Job::Stat { handle }).unwrap_err(), NtStatus::FILE_CLOSED);
}
