//! What goes wrong on the way: one clear line, the right exit code, and nothing is lost.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    thread,
};

use sansmb_tests::scratch::{TempDir, noise};

use crate::{
    common::run,
    gate::{Gate, Way},
    server::{Server, WHO, client, eventually},
};

/// More than client, sockets and server hold on the way together.
const LARGE: usize = 48 << 20;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn wrong_password() {
    let server = Server::start(&["--memory", "share"]);
    let url = server.url("");
    for who in ["tester%wrong", "nobody%Passw0rd!", "tester%"] {
        run(&["ls", "-U", who, &url]).one_line(1, &[&url[..20], "password", "STATUS_LOGON_FAILURE"]);
    }
    // It is tried once, not for each URL, and said for each.
    let run = run(&["ls", "-U", "tester%wrong", &url, &url]);
    assert_eq!((run.code, run.stderr.lines().count()), (1, 2), "{run:?}");
}

#[test]
fn missing_password() {
    let server = Server::start(&["--memory", "share"]);
    run(&["ls", "-U", "tester", &server.url("")]).one_line(2, &["no password for tester"]);
}

#[test]
fn nobody_without_an_account_is_let_in() {
    let server = Server::start(&["--memory", "share"]);
    run(&["ls", "-U", "%", &server.url("")]).one_line(1, &["STATUS_"]);
    run(&["ls", "--guest", &server.url("")]).one_line(1, &["STATUS_LOGON_FAILURE"]);
}

#[test]
fn unknown_share() {
    let server = Server::start(&["--memory", "share"]);
    let url = server.url_on("nothing", "file");
    for command in ["ls", "cat", "stat", "df", "rm", "mkdir", "rmdir"] {
        server.run(command, &[&url]).one_line(1, &["/nothing", "STATUS_BAD_NETWORK_NAME"]);
    }
    server.run("get", &[&url]).one_line(1, &["STATUS_BAD_NETWORK_NAME"]);
    server.run("put", &["/etc/hosts", &url]).one_line(1, &["STATUS_BAD_NETWORK_NAME"]);
}

#[test]
fn read_only_share() {
    let dir = TempDir::new("read-only");
    fs::write(dir.join("kept.txt"), "kept").unwrap();
    fs::create_dir(dir.join("sub")).unwrap();
    let server = Server::start(&["--share", &format!("share={}:ro", text(dir.path()))]);
    let (kept, sub) = (server.url("kept.txt"), server.url("sub"));
    let refused = |run: crate::common::Run| run.one_line(1, &["smb://", "STATUS_"]);
    refused(server.run("put", &["/etc/hosts", &kept]));
    refused(server.run("put", &["/etc/hosts", &server.url("new.txt")]));
    refused(server.run("rm", &[&kept]));
    refused(server.run("rmdir", &[&sub]));
    refused(server.run("mkdir", &[&server.url("more")]));
    refused(server.run("mv", &[&kept, &server.url("moved.txt")]));
    refused(server.run("rm", &["-r", &sub]));
    assert_eq!(server.run("cat", &[&kept]).ok().stdout, "kept");
    assert_eq!(names(dir.path()), ["kept.txt", "sub"]);
}

#[test]
fn names_with_forbidden_characters() {
    let dir = TempDir::new("forbidden");
    let server = Server::start(&[text(dir.path())]);
    for name in ["a*b", "a%3Fb", "a%3Cb", "a|b", "a%22b", "a%01b"] {
        let url = server.url(name);
        server.run("mkdir", &[&url]).one_line(1, &["smb://", "STATUS_OBJECT_NAME_INVALID"]);
        server.run("put", &["/etc/hosts", &url]).one_line(1, &["smb://", "STATUS_OBJECT_NAME_INVALID"]);
        server.run("cat", &[&url]).one_line(1, &["smb://", "STATUS_OBJECT_NAME_INVALID"]);
    }
    let local = dir.join("local");
    server.run("get", &[&server.url("a*b"), text(&local)]).one_line(1, &["STATUS_OBJECT_NAME_INVALID"]);
    assert!(names(dir.path()).is_empty());
    let long = "x".repeat(300);
    server.run("mkdir", &[&server.url(&long)]).one_line(1, &["STATUS_OBJECT_NAME_INVALID"]);
}

#[test]
fn a_path_that_climbs_out() {
    let dir = TempDir::new("climbs");
    let server = Server::start(&[text(dir.path())]);
    for path in ["../x", "a/../../x", "%2e%2e/x", "..%2fx", "..%5cx"] {
        let run = server.run("cat", &[&server.url(path)]);
        run.one_line(2, &["sansmb: "]);
    }
}

#[test]
fn symlinks_that_point_out() {
    let dir = TempDir::new("links");
    symlink("/etc/hostname", dir.join("absolute")).unwrap();
    symlink("../../etc", dir.join("climbing")).unwrap();
    symlink("nowhere", dir.join("broken")).unwrap();
    let server = Server::start(&[text(dir.path())]);
    for path in ["absolute", "climbing/hostname", "broken"] {
        server.run("cat", &[&server.url(path)]).one_line(1, &["smb://", path, "STATUS_"]);
    }
    server.run("put", &["/etc/hosts", &server.url("climbing/x")]).one_line(1, &["smb://", "STATUS_"]);
    // They are shown for what they are, and can be removed.
    let listed = server.run("ls", &[&server.url("")]).ok().stdout;
    assert_eq!(listed.lines().filter(|line| line.starts_with('l')).count(), 3, "{listed}");
    server.run("rm", &["-r", &server.url("absolute"), &server.url("climbing"), &server.url("broken")]).ok();
    assert!(names(dir.path()).is_empty());
    assert!(Path::new("/etc/hostname").exists());
}

#[test]
fn a_file_that_is_not_there() {
    let dir = TempDir::new("missing");
    let server = Server::start(&[text(dir.path())]);
    let url = server.url("no/such/file");
    for command in ["ls", "cat", "stat", "rm", "rmdir"] {
        server.run(command, &[&url]).one_line(1, &["no/such/file", "STATUS_OBJECT_"]);
    }
    let local = dir.join("local");
    server.run("get", &[&url, text(&local)]).one_line(1, &["no/such/file"]);
    server.run("put", &["/nonexistent", &url]).one_line(1, &["/nonexistent", "No such file"]);
    server.run("put", &["/etc/hosts", &url]).one_line(1, &["no/such/file"]);
    server.run("mv", &[&url, &server.url("x")]).one_line(1, &["no/such/file"]);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_file_that_shrinks_while_it_is_got() {
    let dir = TempDir::new("shrinks");
    fs::write(dir.join("large"), noise(LARGE, 1)).unwrap();
    let server = Server::start(&[text(dir.path())]);
    let gate = Gate::before(server.port(), Way::ToClient, 4 << 20);
    let here = TempDir::new("shrinks-here");
    fs::write(here.join("copy"), "old").unwrap();
    let get = client("get", &[&gate.url("large"), text(&here.join("copy"))]).spawn().unwrap();
    gate.wait_until_held();
    fs::File::options().write(true).open(dir.join("large")).unwrap().set_len(1 << 20).unwrap();
    gate.open();
    let run = crate::common::finished(get.wait_with_output().unwrap());
    run.one_line(1, &["large", "shrank while it was copied"]);
    assert_eq!(names(here.path()), ["copy"]);
    assert_eq!(fs::read_to_string(here.join("copy")).unwrap(), "old");
}

#[test]
fn a_file_that_vanishes_before_its_turn() {
    let dir = TempDir::new("vanishes");
    fs::create_dir(dir.join("tree")).unwrap();
    fs::write(dir.join("tree/a"), noise(LARGE, 2)).unwrap();
    fs::write(dir.join("tree/b"), "b").unwrap();
    fs::write(dir.join("tree/c"), "c").unwrap();
    let server = Server::start(&[text(dir.path())]);
    let gate = Gate::before(server.port(), Way::ToClient, 4 << 20);
    let here = TempDir::new("vanishes-here");
    let get = client("get", &["-r", &gate.url("tree"), text(here.path())]).spawn().unwrap();
    gate.wait_until_held();
    fs::remove_file(dir.join("tree/b")).unwrap();
    gate.open();
    let run = crate::common::finished(get.wait_with_output().unwrap());
    run.one_line(1, &["tree/b", "STATUS_OBJECT_NAME_NOT_FOUND"]);
    // The others are there and whole.
    assert_eq!(names(&here.join("tree")), ["a", "c"]);
    assert_eq!(fs::metadata(here.join("tree/a")).unwrap().len(), LARGE as u64);
}

#[test]
fn a_local_file_that_shrinks_while_it_is_put() {
    let dir = TempDir::new("put-shrinks");
    fs::write(dir.join("old"), "old").unwrap();
    let server = Server::start(&[text(dir.path())]);
    let gate = Gate::before(server.port(), Way::ToServer, 4 << 20);
    let here = TempDir::new("put-shrinks-here");
    fs::write(here.join("large"), noise(LARGE, 3)).unwrap();
    let put = client("put", &[text(&here.join("large")), &gate.url("old")]).spawn().unwrap();
    gate.wait_until_held();
    fs::File::options().write(true).open(here.join("large")).unwrap().set_len(0).unwrap();
    gate.open();
    let run = crate::common::finished(put.wait_with_output().unwrap());
    run.one_line(1, &["large", "shrank while it was copied"]);
    eventually(|| (names(dir.path()) == ["old"]).then_some(()));
    assert_eq!(fs::read_to_string(dir.join("old")).unwrap(), "old");
}

#[test]
fn a_server_that_goes_away_leaves_no_partial_file_here() {
    let dir = TempDir::new("cut-get");
    fs::write(dir.join("large"), noise(LARGE, 4)).unwrap();
    let server = Server::start(&[text(dir.path())]);
    let gate = Gate::before(server.port(), Way::ToClient, 4 << 20);
    let here = TempDir::new("cut-get-here");
    let get = client("get", &[&gate.url("large"), text(&here.join("copy"))]).spawn().unwrap();
    gate.wait_until_held();
    gate.cut();
    let run = crate::common::finished(get.wait_with_output().unwrap());
    run.one_line(1, &["large", "closed the connection"]);
    assert!(names(here.path()).is_empty(), "{:?}", names(here.path()));
}

#[test]
fn a_line_that_breaks_leaves_no_partial_file_on_the_server() {
    let dir = TempDir::new("cut-put");
    fs::write(dir.join("copy"), "old").unwrap();
    let server = Server::start(&[text(dir.path())]);
    let gate = Gate::before(server.port(), Way::ToServer, 4 << 20);
    let here = TempDir::new("cut-put-here");
    fs::write(here.join("large"), noise(LARGE, 5)).unwrap();
    let put = client("put", &[text(&here.join("large")), &gate.url("copy")]).spawn().unwrap();
    gate.wait_until_held();
    assert_eq!(names(dir.path()).len(), 2);
    gate.cut();
    let run = crate::common::finished(put.wait_with_output().unwrap());
    run.one_line(1, &["copy", "closed the connection"]);
    eventually(|| (names(dir.path()) == ["copy"]).then_some(()));
    assert_eq!(fs::read_to_string(dir.join("copy")).unwrap(), "old");
}

/// A tmpfs of this size, where this process may mount one.
struct Tiny(TempDir);

impl Tiny {
    fn mount(name: &str) -> Option<Self> {
        let dir = TempDir::new(name);
        let options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", text(dir.path())].map(str::to_owned);
        let mounted = Command::new("mount").args(options).output().is_ok_and(|it| it.status.success());
        if !mounted {
            eprintln!("skipped: this process may not mount a tmpfs");
        }
        mounted.then_some(Self(dir))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(self.0.path())]).output();
    }
}

#[test]
fn full_disk_here() {
    let dir = TempDir::new("full-here");
    fs::write(dir.join("large"), noise(8 << 20, 6)).unwrap();
    let server = Server::start(&[text(dir.path())]);
    let large = server.url("large");
    server.run("get", &[&large, "/dev/full"]).one_line(1, &["/dev/full", "No space left on device"]);
    let Some(tiny) = Tiny::mount("full-here-tiny") else { return };
    fs::write(tiny.0.join("copy"), "old").unwrap();
    let target = tiny.0.join("copy");
    server.run("get", &[&large, text(&target)]).one_line(1, &["copy", "No space left on device"]);
    assert_eq!(names(tiny.0.path()), ["copy"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
}

#[test]
fn full_disk_there() {
    let Some(tiny) = Tiny::mount("full-there") else { return };
    let here = TempDir::new("full-there-here");
    fs::write(here.join("large"), noise(8 << 20, 7)).unwrap();
    fs::write(tiny.0.join("copy"), "old").unwrap();
    let server = Server::start(&[text(tiny.0.path())]);
    let run = server.run("put", &[text(&here.join("large")), &server.url("copy")]);
    run.one_line(1, &["copy", "STATUS_DISK_FULL"]);
    eventually(|| (names(tiny.0.path()) == ["copy"]).then_some(()));
    assert_eq!(server.run("cat", &[&server.url("copy")]).ok().stdout, "old");
}

#[test]
fn port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for runtime in ["tokio", "smol", "blocking"] {
        let run = run(&["serve", "--memory", "x", "--listen", &addr, "--runtime", runtime]);
        run.one_line(1, &["cannot listen on", &addr, "in use"]);
    }
}

/// A server that is none: it answers whatever comes with these bytes.
fn impostor(says: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                if says.is_empty() {
                    while let Ok(1..) = stream.read(&mut bytes) {}
                    return;
                }
                let _ = stream.read(&mut bytes);
                let _ = stream.write_all(says);
                let _ = stream.read(&mut bytes);
            });
        }
    });
    port
}

#[test]
fn servers_that_are_not_smb() {
    for says in [
        &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\x08whatever",
    ] {
        let port = impostor(says);
        for runtime in ["tokio", "smol", "blocking"] {
            let url = crate::server::url(port, "share", "");
            let run = run(&["ls", "-U", WHO, "--runtime", runtime, &url]);
            run.one_line(1, &["smb://127.0.0.1:", "SMB"]);
        }
        run(&["probe", &format!("127.0.0.1:{port}")]).one_line(1, &["smb://127.0.0.1:", "SMB"]);
    }
}

#[test]
fn a_server_that_says_nothing() {
    let port = impostor(b"");
    for runtime in ["tokio", "smol", "blocking"] {
        let url = crate::server::url(port, "share", "");
        let args = ["ls", "-U", WHO, "--timeout", "1", "--runtime", runtime, &url];
        run(&args).one_line(1, &["smb://127.0.0.1:", "does not answer"]);
    }
    let addr = format!("127.0.0.1:{port}");
    run(&["probe", "--timeout", "1", &addr]).one_line(1, &["smb://127.0.0.1:", "does not answer"]);
}

#[test]
fn a_host_that_does_not_exist() {
    run(&["ls", "-U", WHO, "smb://no-such-host.invalid/share"]).one_line(1, &["no-such-host.invalid"]);
}

#[test]
fn output_that_nobody_takes() {
    let dir = TempDir::new("dev-full");
    fs::write(dir.join("text"), "text").unwrap();
    let server = Server::start(&[text(dir.path())]);
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for (command, url) in [("cat", server.url("text")), ("ls", server.url("")), ("df", server.url(""))] {
        let mut command = client(command, &[&url]);
        let run = crate::common::finished(command.stdout(full()).output().unwrap());
        run.one_line(1, &["standard output", "No space left on device"]);
    }
}

#[test]
fn a_capture_that_is_cut_off() {
    let dir = TempDir::new("cut-capture");
    let whole = fs::read(crate::common::testdata("captures/dialect-3.1.1.pcapng")).unwrap();
    fs::write(dir.join("cut.pcapng"), &whole[..whole.len() / 2]).unwrap();
    run(&["decode", text(&dir.join("cut.pcapng"))]).one_line(1, &["cut.pcapng", "cut off"]);
}
