//! `get` and `put`: what arrives, under which name, and what it replaces.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime},
};

use sansmb::wire::CreateDisposition;
use sansmb_tests::scratch::{TempDir, noise, sha256};

use crate::{
    common::finished,
    server::{Server, client},
};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn server_on(dir: &TempDir) -> Server {
    Server::start(&[text(dir.path())])
}

/// A tree with what trees have: nothing, much, long names, depth.
fn plant(dir: &Path) {
    fs::create_dir_all(dir.join("empty")).unwrap();
    let mut deep = dir.to_owned();
    for n in 0..30 {
        deep.push(format!("ebene {n} – ä"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("leaf"), "leaf").unwrap();
    fs::write(dir.join("empty file"), "").unwrap();
    fs::write(dir.join("100% 😀"), noise(3_000_001, 1)).unwrap();
    fs::write(dir.join("x".repeat(200)), "long").unwrap();
    for n in 0..50 {
        fs::write(dir.join(format!("small {n}")), noise(n * 100, n as u64)).unwrap();
    }
}

/// Every file below, with its contents; directories end in a slash.
fn harvest(dir: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                all.push((name + "/", String::new()));
                left.push(path);
            } else {
                all.push((name, sha256(&fs::read(path).unwrap())));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn trees_go_there_and_come_back() {
    let (here, dir) = (TempDir::new("tree-here"), TempDir::new("tree"));
    plant(&here.join("tree"));
    let planted = harvest(&here.join("tree"));
    for runtime in ["tokio", "smol", "blocking"] {
        let servers = [server_on(&dir), Server::start(&["--memory", "share"])];
        for server in servers {
            // Into what is there; under a name that is not there yet.
            let tree = here.join("tree");
            server.run("put", &["-r", "--runtime", runtime, text(&tree), &server.url("")]).ok();
            server.run("put", &["-r", "--runtime", runtime, text(&tree), &server.url("copy")]).ok();
            let back = TempDir::new("tree-back");
            server.run("get", &["-r", "--runtime", runtime, &server.url("tree"), text(back.path())]).ok();
            let other = back.join("other");
            server.run("get", &["-r", "--runtime", runtime, &server.url("copy"), text(&other)]).ok();
            assert_eq!(harvest(&back.join("tree")), planted, "{runtime}");
            assert_eq!(harvest(&other), planted, "{runtime}");
            // The whole share, too.
            let whole = back.join("whole");
            server.run("get", &["-r", &server.url(""), text(&whole)]).ok();
            assert_eq!(harvest(&whole.join("tree")), planted, "{runtime}");
            server.run("rm", &["-r", &server.url("tree"), &server.url("copy")]).ok();
        }
    }
}

#[test]
fn a_directory_wants_r() {
    let dir = TempDir::new("no-r");
    fs::create_dir(dir.join("sub")).unwrap();
    let server = server_on(&dir);
    server.run("get", &[&server.url("sub")]).one_line(1, &["sub", "-r"]);
    server.run("put", &[text(dir.path()), &server.url("x")]).one_line(1, &["-r"]);
    server.run("get", &["-r", &server.url("sub"), "-"]).one_line(2, &["standard output"]);
    server.run("put", &["-r", "-", &server.url("x")]).one_line(2, &["standard input"]);
}

#[test]
fn copies_find_their_names() {
    let (here, dir) = (TempDir::new("where-here"), TempDir::new("where"));
    fs::write(dir.join("a.txt"), "a").unwrap();
    fs::create_dir(dir.join("sub")).unwrap();
    fs::create_dir(here.join("sub")).unwrap();
    let server = server_on(&dir);
    let get_in = |args: &[&str]| {
        let mut command = client("get", args);
        finished(command.current_dir(here.path()).output().unwrap())
    };
    get_in(&[&server.url("a.txt")]).ok();
    get_in(&[&server.url("a.txt"), "sub"]).ok();
    get_in(&[&server.url("a.txt"), "b.txt"]).ok();
    get_in(&[&server.url("a.txt"), "none/"]).one_line(1, &["none/", "no such directory"]);
    get_in(&[&server.url("a.txt"), "none/b.txt"]).one_line(1, &["none/b.txt", "No such file"]);
    get_in(&[&server.url("a.txt/")]).one_line(1, &["not a directory"]);
    for name in ["a.txt", "sub/a.txt", "b.txt"] {
        assert_eq!(fs::read_to_string(here.join(name)).unwrap(), "a", "{name}");
    }
    let put = |url: &str| server.run("put", &[text(&here.join("b.txt")), url]);
    put(&server.url("")).ok();
    put(&server.url("sub")).ok();
    put(&server.url("sub/c.txt")).ok();
    put(&server.url("none/")).one_line(1, &["none", "STATUS_OBJECT_PATH_NOT_FOUND"]);
    for name in ["b.txt", "sub/b.txt", "sub/c.txt"] {
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), "a", "{name}");
    }
}

#[test]
fn what_is_there_is_replaced_whole() {
    let (here, dir) = (TempDir::new("replace-here"), TempDir::new("replace"));
    fs::write(dir.join("file"), "short").unwrap();
    fs::write(here.join("file"), noise(100_000, 1)).unwrap();
    let server = server_on(&dir);
    let (local, url) = (here.join("file"), server.url("file"));
    fs::set_permissions(&local, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("file", here.join("link")).unwrap();
    // Through a link, to the file that it means, whose permissions stay.
    server.run("get", &[&url, text(&here.join("link"))]).ok();
    assert_eq!(fs::read_to_string(&local).unwrap(), "short");
    assert!(here.join("link").is_symlink());
    assert_eq!(fs::metadata(&local).unwrap().mode() & 0o777, 0o600);
    fs::write(&local, "local").unwrap();
    server.run("put", &[text(&local), &url]).ok();
    assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), "local");
    // Names differ in case: it is the same file.
    server.run("put", &[text(&local), &server.url("FILE")]).ok();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    server.run("put", &[text(&local), &server.url("file/")]).one_line(1, &["file"]);
    fs::create_dir(here.join("dir")).unwrap();
    fs::create_dir(here.join("dir/file")).unwrap();
    server.run("get", &[&url, text(&here.join("dir"))]).one_line(1, &["it is a directory"]);
}

#[test]
fn times_come_along() {
    let (here, dir) = (TempDir::new("when-here"), TempDir::new("when"));
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_700);
    let old = |path: &Path| {
        fs::write(path, "old").unwrap();
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    };
    old(&here.join("put"));
    old(&dir.join("get"));
    let server = server_on(&dir);
    server.run("put", &[text(&here.join("put")), &server.url("put")]).ok();
    server.run("get", &[&server.url("get"), text(&here.join("get"))]).ok();
    assert_eq!(fs::metadata(dir.join("put")).unwrap().modified().unwrap(), then);
    assert_eq!(fs::metadata(here.join("get")).unwrap().modified().unwrap(), then);
}

#[test]
fn standard_input_and_output() {
    let dir = TempDir::new("pipes");
    let server = server_on(&dir);
    let data = noise(5_000_000, 2);
    for runtime in ["tokio", "smol", "blocking"] {
        let mut put = client("put", &["--runtime", runtime, "-", &server.url("piped")]);
        let mut put = put.stdin(Stdio::piped()).spawn().unwrap();
        put.stdin.take().unwrap().write_all(&data).unwrap();
        finished(put.wait_with_output().unwrap()).ok();
        let get = client("get", &["--runtime", runtime, &server.url("piped"), "-"]).output().unwrap();
        assert!(get.stdout == data, "{runtime}");
        let cat = client("cat", &["--runtime", runtime, &server.url("piped")]).output().unwrap();
        assert!(cat.stdout == data, "{runtime}");
    }
    // A name is needed.
    server.run("put", &["-", &server.url("")]).one_line(1, &["a name for the file"]);
    // Nothing at all is an empty file.
    server.run("put", &["-", &server.url("empty")]).ok();
    assert_eq!(fs::metadata(dir.join("empty")).unwrap().len(), 0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = TempDir::new("head");
    fs::write(dir.join("large"), noise(20 << 20, 3)).unwrap();
    let server = server_on(&dir);
    for command in ["cat", "ls"] {
        let mut child = client(command, &[&server.url("large")]).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let _ = stdout.read(&mut [0; 10]).unwrap();
        drop(stdout);
        finished(child.wait_with_output().unwrap()).ok();
    }
}

#[test]
fn summaries_in_json() {
    let (here, dir) = (TempDir::new("sum-here"), TempDir::new("sum"));
    fs::create_dir(here.join("tree")).unwrap();
    fs::write(here.join("tree/a"), "aa").unwrap();
    fs::write(here.join("tree/b"), "bbb").unwrap();
    let server = server_on(&dir);
    let put = server.run("put", &["-r", "--json", text(&here.join("tree")), &server.url("tree")]).ok();
    assert_eq!(put.stdout, "{\"files\":2,\"bytes\":5}\n");
    let get = server.run("get", &["--json", &server.url("tree/b"), text(&here.join("c"))]).ok();
    assert_eq!(get.stdout, "{\"files\":1,\"bytes\":3}\n");
}

/// What one entry is refused does not keep the others from arriving.
#[test]
fn a_tree_with_something_that_cannot_be_copied() {
    let (here, dir) = (TempDir::new("odd-here"), TempDir::new("odd"));
    fs::create_dir(here.join("tree")).unwrap();
    fs::write(here.join("tree/a"), "a").unwrap();
    fs::write(here.join("tree/b:c"), "no").unwrap();
    symlink("nowhere", here.join("tree/broken")).unwrap();
    symlink(".", here.join("tree/circle")).unwrap();
    fs::write(here.join("tree/z"), "z").unwrap();
    let server = server_on(&dir);
    let run = server.run("put", &["-r", text(&here.join("tree")), &server.url("tree")]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.lines().all(|line| line.starts_with("sansmb: ")), "{run:?}");
    for word in ["broken", "circle"] {
        assert!(run.stderr.contains(word), "{run:?}");
    }
    assert!(dir.join("tree/a").exists() && dir.join("tree/z").exists());
}

/// Offsets beyond 4 GiB. Nobody wants five of them through a pipe here: the facade reads and writes there.
#[test]
fn offsets_beyond_four_gigabytes() {
    use sansmb_async::client::{Connection, OpenOptions};
    use sansmb_auth::Credentials;

    let five = 5_u64 << 30;
    let dir = TempDir::new("sparse");
    File::create(dir.join("sparse")).unwrap().write_at(b"the end", five).unwrap();
    for server in [server_on(&dir), Server::start(&["--memory", "share"])] {
        let port = server.port();
        sansmb_smol::block_on(async {
            let smol = sansmb_smol::SmolRuntime::default();
            let config = Connection::default_config();
            let connection = Connection::connect(&smol, "127.0.0.1", port, config).await.unwrap();
            let session = connection.log_on(Credentials::password("tester", "", "Passw0rd!")).await.unwrap();
            let share = session.share("share").await.unwrap();
            let options = OpenOptions { disposition: CreateDisposition::OPEN_IF, ..OpenOptions::write() };
            let file = share.open("sparse", options).await.unwrap();
            file.write_at(five, "the end and more".into()).await.unwrap();
            assert_eq!(file.read_at(five + 8, 100).await.unwrap(), &b"and more"[..]);
            assert_eq!(file.read_at(five - 4, 8).await.unwrap(), &b"\0\0\0\0the "[..]);
            file.close().await.unwrap();
            let file = share.open("sparse", OpenOptions::read()).await.unwrap();
            let mut stream = file.read_stream(five);
            assert_eq!(stream.next().await.unwrap().unwrap(), &b"the end and more"[..]);
            drop(stream);
            file.close().await.unwrap();
        });
        let stat = server.run("stat", &["--json", &server.url("sparse")]).ok().stdout;
        let stat: serde_json::Value = serde_json::from_str(&stat).unwrap();
        assert_eq!(stat["size"], five + 16);
    }
    assert!(fs::metadata(dir.join("sparse")).unwrap().blocks() < 1000);
}
