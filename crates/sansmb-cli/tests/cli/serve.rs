//! `sansmb serve` with each of its options, seen by clients.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use sansmb_tests::{peers, scratch::TempDir};

use crate::{
    common::{finished, program, run},
    server::{Server, USER, url},
};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with one file in it.
fn furnished(name: &str) -> TempDir {
    let dir = TempDir::new(name);
    fs::write(dir.join("hello.txt"), "hello").unwrap();
    dir
}

/// The command that was announced for `what`.
fn announced(server: &Server, what: &str) -> String {
    let line = server.announced.lines().find_map(|line| line.trim().strip_prefix(what));
    line.unwrap_or_else(|| panic!("nothing for {what} in {}", server.announced)).trim().to_owned()
}

/// Pastes a command into a shell that finds our program.
fn paste(line: &str) -> crate::common::Run {
    let program = program();
    let folder = Path::new(program.get_program()).parent().unwrap();
    let path = format!("{}:{}", text(folder), std::env::var("PATH").unwrap());
    finished(Command::new("sh").args(["-c", line]).env("PATH", path).output().unwrap())
}

/// No user is named: one is made up, and the commands that are printed work as they are.
#[test]
fn printed_commands_work_when_pasted() {
    let dir = furnished("paste");
    let server = Server::spawn(&[text(dir.path())]);
    let listed = paste(&announced(&server, "sansmb")).ok().stdout;
    assert!(listed.contains("hello.txt"), "{listed}");
    if peers::program("smbclient").is_some() {
        let run = paste(&format!("{} -c ls", announced(&server, "smbclient")));
        assert!(run.stdout.contains("hello.txt"), "{run:?}");
    }
    let (port, said) = (server.port(), &server.announced);
    let password = said.split("password ").nth(1).unwrap().split(' ').next().unwrap();
    let windows = announced(&server, "Windows");
    assert_eq!(windows, format!(r"net use Z: \\127.0.0.1\share /user:sansmb {password} /tcpport:{port}"));
    let macos = announced(&server, "macOS");
    assert_eq!(macos, format!("open 'smb://sansmb:{password}@127.0.0.1:{port}/share'"));
    let linux = announced(&server, "Linux");
    let options = format!("-o port={port},username=sansmb,password={password},uid=$(id -u)");
    assert_eq!(linux, format!("sudo mount -t cifs //127.0.0.1/share /mnt {options}"));
    // The password is new each time.
    assert!(!Server::spawn(&[text(dir.path())]).announced.contains(password));
}

#[test]
fn printed_commands_are_quoted_where_a_shell_wants_it() {
    let dir = furnished("quotes");
    let share = format!("my $HOME & co={}", text(dir.path()));
    let server = Server::spawn(&["--share", &share]);
    let listed = paste(&announced(&server, "sansmb")).ok().stdout;
    assert!(listed.contains("hello.txt"), "{listed}");
    if peers::program("smbclient").is_some() {
        let run = paste(&format!("{} -c ls", announced(&server, "smbclient")));
        assert!(run.stdout.contains("hello.txt"), "{run:?}");
    }
    assert!(announced(&server, "Windows").contains(r#""\\127.0.0.1\my $HOME & co""#));
    assert!(announced(&server, "macOS").contains("/my%20$HOME%20&%20co'"));
    assert!(announced(&server, "Linux").contains("'//127.0.0.1/my $HOME & co'"));
}

/// Passwords that somebody chose are not printed: the commands ask for them.
#[test]
fn chosen_passwords_are_not_printed() {
    let server = Server::spawn(&["--memory", "share", "--user", "bob smith:secret"]);
    assert!(!server.announced.contains("secret"), "{}", server.announced);
    let line = announced(&server, "sansmb");
    assert!(line.contains("'bob smith'"), "{line}");
    paste(&line).one_line(2, &["no password for bob smith"]);
    paste(&format!("SANSMB_PASSWORD=secret {line}")).ok();
}

#[test]
fn without_a_path_the_current_folder_is_served() {
    let dir = furnished("current");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--user", USER]).current_dir(dir.path());
    let server = Server::from(command);
    assert_eq!(server.run("cat", &[&server.url("hello.txt")]).ok().stdout, "hello");
}

#[test]
fn several_shares_each_with_its_marks() {
    let (one, two) = (furnished("one"), furnished("two"));
    let marked = |name: &str, dir: &TempDir, marks: &str| format!("{name}={}{marks}", text(dir.path()));
    let server = Server::start(&[
        text(one.path()),
        "--share",
        &marked("frozen", &two, ":ro"),
        "--share",
        &marked("sealed", &two, ":encrypt"),
        "--share",
        &marked("both", &two, ":ro:encrypt"),
        "--share",
        &marked("small", &two, ":compress"),
        "--memory",
        "fleeting",
    ]);
    for (share, said) in [
        ("share", ""),
        ("frozen", "(read-only)"),
        ("sealed", "(encrypted)"),
        ("both", ")"),
        ("small", "(compressed)"),
    ] {
        let line = server.announced.lines().find(|line| line.contains(&format!("  {share}: "))).unwrap();
        assert!(line.contains(said), "{line}");
        server.run("cat", &[&server.url_on(share, "hello.txt")]).ok();
    }
    let put = |share| server.run("put", &["/etc/hosts", &server.url_on(share, "new")]);
    put("frozen").one_line(1, &["STATUS_"]);
    put("both").one_line(1, &["STATUS_"]);
    put("sealed").ok();
    put("fleeting").ok();
    put("share").ok();
    // Clients that cannot encrypt stay outside.
    for share in ["sealed", "both"] {
        let url = server.url_on(share, "hello.txt");
        server.run("cat", &["--dialect", "2.1", &url]).one_line(1, &[share, "STATUS_ACCESS_DENIED"]);
        server.run("cat", &["--dialect", "3.0", &url]).ok();
    }
    let shares = server.run("shares", &[&format!("smb://127.0.0.1:{}", server.port())]).ok().stdout;
    for share in ["share", "frozen", "sealed", "both", "fleeting", "IPC$"] {
        assert!(shares.contains(share), "{shares}");
    }
}

#[test]
fn users_and_hashes() {
    let hash = "8846f7eaee8fb117ad06bdd830b7586c"; // of `password`
    let user_hash = format!("carol:{hash}");
    let server = Server::spawn(&[
        "--memory",
        "share",
        "--user",
        "alice:a:b%c d",
        "--user",
        "Jürgen:geheim-ß",
        "--user-hash",
        &user_hash,
    ]);
    let url = server.url("");
    let ls = |args: &[&str]| run(&[&["ls"], args, &[url.as_str()]].concat());
    ls(&["-U", "alice%a:b%c d"]).ok();
    ls(&["-U", "ALICE%a:b%c d"]).ok();
    ls(&["-U", "jürgen%geheim-ß"]).ok();
    ls(&["-U", "carol%password"]).ok();
    ls(&["-U", &format!("carol%{hash}"), "--nt-hash"]).ok();
    ls(&["-U", "carol%Password"]).one_line(1, &["STATUS_LOGON_FAILURE"]);
    ls(&["-U", &format!("alice%{hash}"), "--nt-hash"]).one_line(1, &["STATUS_LOGON_FAILURE"]);
}

#[test]
fn guests() {
    let server = Server::start(&["--memory", "share", "--guest"]);
    assert!(server.announced.contains("Guests are let in"));
    let url = server.url("");
    run(&["ls", "--guest", &url]).ok();
    run(&["ls", "-U", "nobody%whatever", "--guest", &url]).ok();
    run(&["ls", "-U", "%", &url]).ok();
    // Whoever names a user wants to be that user, and a known one needs the password.
    run(&["ls", "-U", "nobody%whatever", &url]).one_line(1, &["guest"]);
    run(&["ls", "-U", "tester%wrong", "--guest", &url]).one_line(1, &["STATUS_LOGON_FAILURE"]);
    server.run("ls", &[&url]).ok();
}

#[test]
fn dialects_are_bounded() {
    let dialects = ["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"];
    for (oldest, newest) in [(0, 0), (1, 2), (4, 4), (0, 4)] {
        let server = Server::start(&[
            "--memory",
            "share",
            "--min-dialect",
            dialects[oldest],
            "--max-dialect",
            dialects[newest],
        ]);
        for (at, dialect) in dialects.into_iter().enumerate() {
            let run = server.run("ls", &["--dialect", dialect, &server.url("")]);
            if (oldest..=newest).contains(&at) {
                run.ok();
            } else {
                run.one_line(1, &["smb://127.0.0.1"]);
            }
        }
        let report = run(&["probe", "--json", &format!("127.0.0.1:{}", server.port())]).ok().stdout;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["dialects"], serde_json::json!(dialects[oldest..=newest]));
    }
}

#[test]
fn signing_is_required_where_it_is_said() {
    for (mode, required) in [("enabled", false), ("required", true)] {
        let server = Server::start(&["--memory", "share", "--signing", mode, "--guest"]);
        let report = run(&["probe", "--json", &format!("127.0.0.1:{}", server.port())]).ok().stdout;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["signing_required"], required);
        for dialect in ["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"] {
            server.run("ls", &["--dialect", dialect, &server.url("")]).ok();
        }
        // Guests have no key to sign with.
        let guest = run(&["ls", "--guest", &server.url("")]);
        if required {
            guest.one_line(1, &["smb://127.0.0.1"]);
        } else {
            guest.ok();
        }
    }
}

#[test]
fn encryption_is_off_or_required_where_it_is_said() {
    let server = Server::start(&["--memory", "share", "--encryption", "off"]);
    server.run("ls", &[&server.url("")]).ok();
    server.run("ls", &["--encrypt", &server.url("")]).one_line(1, &["encrypt"]);
    let server = Server::start(&["--memory", "share", "--encryption", "required"]);
    server.run("ls", &[&server.url("")]).ok();
    for dialect in ["3.0", "3.0.2", "3.1.1"] {
        server.run("ls", &["--dialect", dialect, &server.url("")]).ok();
    }
    for dialect in ["2.0.2", "2.1"] {
        server.run("ls", &["--dialect", dialect, &server.url("")]).one_line(1, &["smb://127.0.0.1"]);
    }
}

#[test]
fn every_runtime_serves_every_runtime() {
    let dir = furnished("runtimes");
    for serving in ["tokio", "smol", "blocking"] {
        let server = Server::start(&["--runtime", serving, text(dir.path())]);
        for asking in ["tokio", "smol", "blocking"] {
            let url = server.url("hello.txt");
            assert_eq!(server.run("cat", &["--runtime", asking, &url]).ok().stdout, "hello");
        }
    }
}

#[test]
fn ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let dir = furnished("ipv6");
    let mut command = program();
    command.args(["serve", "--listen", "[::1]:0", text(dir.path())]);
    let server = Server::from(command);
    let line = announced(&server, "sansmb");
    assert!(line.contains("smb://[::1]:"), "{line}");
    assert!(paste(&line).ok().stdout.contains("hello.txt"));
    assert!(announced(&server, "Windows").contains(r"\\0--1.ipv6-literal.net\"));
}

#[test]
fn every_address_is_listened_on() {
    let mut command = program();
    command.args(["serve", "--listen", "0.0.0.0:0", "--memory", "share", "--user", USER]);
    let server = Server::from(command);
    server.run("ls", &[&server.url("")]).ok();
    // What is printed is an address that others can reach.
    let line = announced(&server, "sansmb");
    assert!(!line.contains("0.0.0.0"), "{line}");
}

#[test]
fn a_file_says_the_same_as_options() {
    let dir = furnished("config");
    let hash = "8846f7eaee8fb117ad06bdd830b7586c";
    let config = format!(
        r#"
name = "CELLAR"
listen = "127.0.0.1:0"
runtime = "smol"
min-dialect = "3.0"
max-dialect = "3.0.2"
signing = "required"
encryption = "enabled"
guest = false

[[share]]
name = "docs"
path = {folder:?}
comment = "What everybody reads"
read-only = true

[[share]]
name = "private"
path = {folder:?}
encrypt = true
users = ["alice"]

[[share]]
name = "scratch"
memory = true

[[user]]
name = "alice"
password = "secret"

[[user]]
name = "bob"
nt-hash = "{hash}"
"#,
        folder = text(dir.path())
    );
    let file = TempDir::new("config-file");
    fs::write(file.join("serve.toml"), config).unwrap();
    let path = file.join("serve.toml");
    let mut command = program();
    command.args(["serve", "--config", text(&path)]);
    let server = Server::from(command);
    assert!(!server.announced.contains("secret") && !server.announced.contains(hash));
    let on = |share: &str, path: &str| url(server.port(), share, path);
    let alice = |args: &[&str]| run(&[&[args[0], "-U", "alice%secret"], &args[1..]].concat());
    let bob = |args: &[&str]| run(&[&[args[0], "-U", "bob%password"], &args[1..]].concat());
    assert_eq!(alice(&["cat", &on("docs", "hello.txt")]).ok().stdout, "hello");
    assert_eq!(bob(&["cat", &on("docs", "hello.txt")]).ok().stdout, "hello");
    alice(&["rm", &on("docs", "hello.txt")]).one_line(1, &["STATUS_"]);
    alice(&["cat", &on("private", "hello.txt")]).ok();
    bob(&["cat", &on("private", "hello.txt")]).one_line(1, &["STATUS_ACCESS_DENIED"]);
    bob(&["put", "/etc/hosts", &on("scratch", "x")]).ok();
    bob(&["ls", "--dialect", "3.1.1", &on("docs", "")]).one_line(1, &["smb://"]);
    bob(&["ls", "--dialect", "2.1", &on("docs", "")]).one_line(1, &["smb://"]);
    let shares = bob(&["shares", &format!("smb://127.0.0.1:{}", server.port())]).ok().stdout;
    assert!(shares.contains("What everybody reads"), "{shares}");
    // The command line counts more, and adds.
    let mut command = program();
    command.args(["serve", "--config", text(&path), "--max-dialect", "3.1.1", "--runtime", "blocking"]);
    command.args(["--user", USER, "--memory", "more"]);
    let server = Server::from(command);
    server.run("ls", &["--dialect", "3.1.1", &server.url_on("more", "")]).ok();
    server.run("ls", &[&server.url_on("docs", "")]).ok();
}

#[test]
fn shares_with_the_files_of_another_one() {
    let file = TempDir::new("config-files-of");
    let config = "[[share]]\nname = \"one\"\nmemory = true\n\
        [[share]]\nname = \"two\"\nfiles-of = \"One\"\nread-only = true\n\
        [[user]]\nname = \"sansmb\"\npassword = \"secret\"\n";
    fs::write(file.join("serve.toml"), config).unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config", text(&file.join("serve.toml"))]);
    let server = Server::from(command);
    assert!(server.announced.contains("two: the files of One (read-only)"), "{}", server.announced);
    let call = |args: &[&str]| run(&[&[args[0], "-U", "sansmb%secret"], &args[1..]].concat());
    call(&["put", "/etc/hosts", &server.url_on("one", "x")]).ok();
    call(&["cat", &server.url_on("two", "x")]).ok();
    call(&["rm", &server.url_on("two", "x")]).one_line(1, &["STATUS_"]);
}

/// The first share is one for `alice` alone: what is printed is for her.
#[test]
fn printed_commands_are_for_somebody_who_is_let_in() {
    let file = TempDir::new("config-user");
    let config = "[[share]]\nname = \"private\"\nmemory = true\nusers = [\"alice\"]\n\
        [[user]]\nname = \"bob\"\npassword = \"b\"\n[[user]]\nname = \"alice\"\npassword = \"a\"\n";
    fs::write(file.join("serve.toml"), config).unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config", text(&file.join("serve.toml"))]);
    let server = Server::from(command);
    let line = announced(&server, "sansmb");
    assert!(line.contains("alice"), "{line}");
    paste(&format!("SANSMB_PASSWORD=a {line}")).ok();
}

#[test]
fn config_files_that_make_no_sense() {
    let file = TempDir::new("config-bad");
    let path = file.join("serve.toml");
    for (text_of_file, words) in [
        ("listen = 5", &["line 1"][..]),
        ("runtime = \"async\"", &["tokio, smol and blocking"]),
        ("min-dialect = \"1.0\"", &["2.0.2"]),
        ("signing = \"maybe\"", &["line 1", "maybe"]),
        ("[[share]]\nname = \"x\"", &["x", "path, memory = true or files-of"]),
        ("[[share]]\nname = \"x\"\nfiles-of = \"y\"", &["x", "files-of names no share"]),
        ("[[share]]\nname = \"x\"\nfiles-of = \"X\"", &["x", "files-of names no share"]),
        ("[[share]]\nname = \"x\"\nmemory = true\nusers = [\"eve\"]", &["eve"]),
        ("[[share]]\nname = \"x\"\nmemory = true\nguest = true\nusers = [\"eve\"]", &["guest or users"]),
        ("[[user]]\nname = \"x\"", &["x", "password or nt-hash"]),
        ("[[user]]\nname = \"x\"\nnt-hash = \"12\"", &["32 hexadecimal digits"]),
        ("[[share]\n", &["line 1"]),
    ] {
        fs::write(&path, text_of_file).unwrap();
        run(&["serve", "--config", text(&path)]).one_line(2, words);
    }
    run(&["serve", "--config", "/nonexistent.toml"]).one_line(1, &["/nonexistent.toml", "No such file"]);
}

#[test]
fn a_folder_that_cannot_be_served() {
    let dir = furnished("no-folder");
    let file = dir.join("hello.txt");
    run(&["serve", text(&file)]).one_line(1, &["hello.txt", "not a directory"]);
    run(&["serve", "--share", "a=/nonexistent"]).one_line(1, &["/nonexistent", "No such file"]);
    let taken: SocketAddr = "203.0.113.1:4455".parse().unwrap(); // nobody's
    let run = run(&["serve", "--memory", "a", "--listen", &taken.to_string()]);
    run.one_line(1, &["cannot listen on 203.0.113.1:4455", "assign"]);
}
