//! How often `get` and `put` wait for the server.

use std::fs;

use clap::Parser;
use sansmb_async::client::{OpenOptions, Share};
use sansmb_tests::{
    scratch::{TempDir, noise},
    still::Still,
};

use super::{get, put};
use crate::{
    args::{Args, Command},
    failure::Result,
    interrupt::Interrupt,
    progress::Progress,
};

/// `sansmb put` on a share that is connected.
async fn put(share: &Share, local: &str, url: &str) -> Result<()> {
    let args = Args::try_parse_from(["sansmb", "put", local, url]).unwrap();
    let Command::Put(args) = args.command else { panic!("no put") };
    put::put(share, &args, false, &Interrupt::default()).await
}

/// `sansmb get` from a share that is connected.
async fn get(share: &Share, url: &str, local: &str) -> Result<()> {
    let args = Args::try_parse_from(["sansmb", "get", url, local]).unwrap();
    let Command::Get(args) = args.command else { panic!("no get") };
    get::get(share, &args, &mut Progress::new(true)).await
}

async fn names(share: &Share, path: &str) -> Vec<String> {
    let entries = share.read_dir(path).await.unwrap().collect().await.unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

/// A local file of this length, and where it is.
fn local(name: &str, len: usize) -> (TempDir, String) {
    let dir = TempDir::new(name);
    fs::write(dir.join("local"), noise(len, 1)).unwrap();
    let path = dir.join("local").to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn put_waits_three_times() {
    for (len, writes) in [(100, ""), (2 << 20, "WRITE, WRITE, ")] {
        let (_dir, path) = local("trips-put", len);
        let ((), flights) = Still::default().with_share(async |share| {
            put(&share, &path, "smb://server/files/file").await.unwrap();
            assert_eq!(names(&share, "").await, ["file"]);
        });
        let data = format!("{writes}SET_INFO");
        let expected = ["CREATE+SET_INFO+WRITE, CREATE+CLOSE", &data, "SET_INFO+SET_INFO+CLOSE"];
        assert_eq!(flights[..3], expected);
    }
}

#[test]
fn put_into_a_directory_leaves_nothing_beside_it() {
    let (_dir, path) = local("trips-into", 100);
    let ((), flights) = Still::default().with_share(async |share| {
        share.create_dir("dir").await.unwrap();
        put(&share, &path, "smb://server/files/dir").await.unwrap();
        assert_eq!(names(&share, "").await, ["dir"]);
        assert_eq!(names(&share, "dir").await, ["local"]);
    });
    let expected = [
        "CREATE+CLOSE",
        "CREATE+SET_INFO+WRITE, CREATE+CLOSE",
        "SET_INFO, CLOSE, CREATE+SET_INFO+WRITE",
        "SET_INFO",
        "SET_INFO+SET_INFO+CLOSE",
    ];
    assert_eq!(flights[..5], expected);
}

#[test]
fn put_into_what_is_called_a_directory_asks_for_nothing() {
    let (_dir, path) = local("trips-slash", 100);
    let ((), flights) = Still::default().with_share(async |share| {
        put(&share, &path, "smb://server/files/").await.unwrap();
    });
    assert_eq!(flights, ["CREATE+SET_INFO+WRITE", "SET_INFO", "SET_INFO+SET_INFO+CLOSE"]);
}

#[test]
fn a_put_that_is_refused_its_name_leaves_nothing() {
    let (_dir, path) = local("trips-refused", 100);
    let (names, _) = Still::default().with_share(async |share| {
        // Somebody holds it, and lets nobody replace it.
        let file = share.open("file", OpenOptions::create_new()).await.unwrap();
        put(&share, &path, "smb://server/files/file").await.unwrap_err();
        file.close().await.unwrap();
        names(&share, "").await
    });
    assert_eq!(names, ["file"]);
}

#[test]
fn get_waits_twice_and_once_for_a_small_file() {
    for (len, reads) in [(100, &[][..]), (2 << 20, &["READ, READ"])] {
        let dir = TempDir::new("trips-get");
        let to = dir.join("copy");
        let ((), flights) = Still::default().with_share(async |share| {
            share.write_file("file", OpenOptions::write(), noise(len, 1).into()).await.unwrap();
            get(&share, "smb://server/files/file", to.to_str().unwrap()).await.unwrap();
        });
        assert!(fs::read(&to).unwrap() == noise(len, 1));
        assert_eq!(flights, [&["CREATE+WRITE+CLOSE", "CREATE+READ"], reads].concat());
    }
}

#[test]
fn get_asks_what_it_is_when_it_cannot_be_opened() {
    let ((), flights) = Still::default().with_share(async |share| {
        share.create_dir("dir").await.unwrap();
        let refused = get(&share, "smb://server/files/dir", "nowhere").await.unwrap_err();
        assert!(format!("{refused:?}").contains("-r copies it"), "{refused:?}");
        let refused = get(&share, "smb://server/files/none", "nowhere").await.unwrap_err();
        assert!(format!("{refused:?}").contains("OBJECT_NAME_NOT_FOUND"), "{refused:?}");
    });
    assert_eq!(flights, ["CREATE+CLOSE", "CREATE+READ", "CREATE+CLOSE", "CREATE+READ", "CREATE+CLOSE"]);
}
