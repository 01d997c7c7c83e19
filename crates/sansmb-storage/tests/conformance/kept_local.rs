//! What a local directory keeps beside its files, as other programs see it.

use std::path::Path;

use rustix::fs::{XattrFlags, listxattr, setxattr};
use sansmb::wire::FileAttributes;
use sansmb_fileserver::storage::{Changes, Done, Handle, Storage, Want};

use crate::{
    helpers::*,
    security::{ALICE, creator, make},
};

const VALUE: &str = "user.sansmb.attributes";
const NAME: &str = "user.sansmb.kept.20.S-1-22-1-70001";

fn made_by_alice(s: &dyn Storage, name: &str) -> Handle {
    let made = make(s, name, Want::File, creator(ALICE, None)).unwrap();
    let Done::Opened { handle, .. } = made else { panic!("{made:?}") };
    handle
}

fn xattrs(path: &Path) -> Vec<String> {
    let mut raw = [0; 1024];
    let len = listxattr(path, &mut raw).unwrap();
    let names = raw[..len].split(|b| *b == 0).filter(|name| name.starts_with(b"user."));
    names.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn an_ordinary_file_of_a_client_is_told_by_a_name() {
    let s = Fixture::local();
    if !s.traits().extended_attributes {
        return;
    }
    let (file, path) = (made_by_alice(&*s, "file"), s.on_disk("file"));
    assert_eq!(xattrs(&path), [NAME]);
    assert_eq!((eas(&*s, file), stat(&*s, file).ea_size), (Vec::new(), 0), "it is not shown");
    // Programs on this machine set attributes, and the next look knows.
    setxattr(&path, "user.comment", b"theirs", XattrFlags::empty()).unwrap();
    let root = open(&*s, "");
    let listed = batch(&*s, root, true, 10).0.remove(0).metadata;
    assert_eq!(listed.ea_size, 4 + 5 + 7 + 6);
    assert_eq!((stat(&*s, file), find(&*s, root, "file").unwrap().metadata), (listed, listed));
    // One that a client hides is no longer ordinary.
    let hidden = FileAttributes::HIDDEN;
    change(&*s, file, Changes { attributes: Some(hidden), ..Changes::default() }).unwrap();
    let mut names = xattrs(&path);
    names.sort();
    assert_eq!(names, ["user.comment", VALUE]);
    assert_eq!(batch(&*s, root, true, 10).0.remove(0).metadata.attributes, hidden);
}

#[test]
fn a_name_that_was_left_behind_does_not_count() {
    let s = Fixture::local();
    if !s.traits().extended_attributes {
        return;
    }
    let (file, path) = (made_by_alice(&*s, "file"), s.on_disk("file"));
    change(&*s, file, Changes { attributes: Some(FileAttributes::HIDDEN), ..Changes::default() }).unwrap();
    setxattr(&path, NAME, b"", XattrFlags::empty()).unwrap();
    let root = open(&*s, "");
    assert_eq!(stat(&*s, file).attributes, FileAttributes::HIDDEN);
    assert_eq!(batch(&*s, root, true, 10).0.remove(0).metadata.attributes, FileAttributes::HIDDEN);
    // The next change takes it away.
    change(&*s, file, Changes { attributes: Some(FileAttributes::SYSTEM), ..Changes::default() }).unwrap();
    assert_eq!(xattrs(&path), [VALUE]);
}
