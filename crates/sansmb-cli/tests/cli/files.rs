//! `ls`, `cat`, `mkdir`, `rm`, `rmdir`, `stat`, `df`, `mv` and `shares`.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use sansmb_tests::scratch::TempDir;
use serde_json::Value;

use crate::server::Server;

/// Names that URLs, shells and file systems find hard, as they are and as they stand in an URL.
const HARD: &[(&str, &str)] = &[
    ("two words", "two%20words"),
    ("two words", "two words"),
    ("Übermaß", "Übermaß"),
    ("Übermaß", "%C3%9Cberma%C3%9F"),
    ("smile 😀", "smile%20😀"),
    ("100%", "100%25"),
    ("a%20b", "a%2520b"),
    ("hash#mark", "hash%23mark"),
    ("at@sign", "at@sign"),
    ("plus+and&", "plus+and&"),
    ("日本語.txt", "日本語.txt"),
    ("-dash", "-dash"),
    ("'quoted'", "'quoted'"),
    (".hidden", ".hidden"),
];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn objects(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// On both kinds of share.
fn servers(name: &str) -> (TempDir, [Server; 2]) {
    let dir = TempDir::new(name);
    let servers = [Server::start(&[text(dir.path())]), Server::start(&["--memory", "share"])];
    (dir, servers)
}

#[test]
fn names_of_every_kind() {
    let (_dir, servers) = servers("names");
    for server in servers {
        for (name, in_url) in HARD {
            let (dir, file) = (server.url(in_url), server.url(&format!("{in_url}/{in_url}")));
            server.run("mkdir", &["--", &dir]).ok();
            server.run("put", &["/etc/hosts", &file]).ok();
            let listed = server.run("ls", &[&server.url("")]).ok().stdout;
            assert!(listed.lines().any(|line| line.ends_with(&format!(" {name}"))), "{name}: {listed}");
            assert_eq!(server.run("cat", &[&file]).ok().stdout, fs::read_to_string("/etc/hosts").unwrap());
            let stat = server.run("stat", &["--json", &file]).ok().stdout;
            assert_eq!(objects(&stat)[0]["name"], *name);
            // What is printed as an URL is one.
            let printed = objects(&stat)[0]["url"].as_str().unwrap().to_owned();
            server.run("stat", &[&printed]).ok();
            server.run("rm", &[&printed]).ok();
            server.run("rmdir", &[&dir]).ok();
            assert_eq!(server.run("ls", &[&server.url("")]).ok().stdout, "");
        }
    }
}

#[test]
fn listings_are_sorted_and_aligned() {
    let (_dir, servers) = servers("listing");
    for server in servers {
        server.run("mkdir", &[&server.url("b"), &server.url("b/deep")]).ok();
        server.run("put", &["/etc/hosts", &server.url("c.txt")]).ok();
        server.run("put", &["/dev/null", &server.url("a.txt")]).ok();
        let len = fs::metadata("/etc/hosts").unwrap().len().to_string();
        let listed = server.run("ls", &[&server.url("")]).ok().stdout;
        let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
        let shape: Vec<_> = lines.iter().map(|line| (line[0], line[1], line[4])).collect();
        let b_len = lines[1][1];
        assert_eq!(shape, [("----a", "0", "a.txt"), ("d----", b_len, "b"), ("----a", &len, "c.txt")]);
        // A file lists itself; an empty directory is empty; a slash insists on a directory.
        let one = server.run("ls", &[&server.url("c.txt")]).ok().stdout;
        assert!(one.ends_with(" c.txt\n"), "{one}");
        assert_eq!(server.run("ls", &[&server.url("b/deep")]).ok().stdout, "");
        server.run("ls", &[&server.url("c.txt/")]).one_line(1, &["STATUS_NOT_A_DIRECTORY"]);
        // Several get their names as titles.
        let both = server.run("ls", &[&server.url("b"), &server.url("c.txt")]).ok().stdout;
        let titles = both.lines().filter(|line| line.starts_with("smb://") && line.ends_with(':')).count();
        assert_eq!(titles, 2, "{both}");
    }
}

#[test]
fn recursion_goes_all_the_way_down() {
    let (_dir, servers) = servers("deep");
    for server in servers {
        let deep: Vec<String> = (0..60).map(|n| format!("level {n}")).collect();
        let path = deep.join("/").replace(' ', "%20");
        server.run("mkdir", &["-p", &server.url(&path)]).ok();
        server.run("mkdir", &["-p", &server.url(&path)]).ok();
        server.run("put", &["/etc/hosts", &server.url(&format!("{path}/leaf"))]).ok();
        let listed = server.run("ls", &["-r", &server.url("")]).ok().stdout;
        assert_eq!(listed.lines().count(), 61);
        assert!(listed.lines().last().unwrap().ends_with(&format!(" {}/leaf", deep.join("/"))), "{listed}");
        let json = server.run("ls", &["-r", "--json", &server.url("level%200")]).ok().stdout;
        assert_eq!(objects(&json).len(), 60);
        // Without -p and -r it is refused.
        server.run("mkdir", &[&server.url("x/y/z")]).one_line(1, &["STATUS_OBJECT_PATH_NOT_FOUND"]);
        server.run("rm", &[&server.url("level%200")]).one_line(1, &["STATUS_FILE_IS_A_DIRECTORY"]);
        server.run("rmdir", &[&server.url("level%200")]).one_line(1, &["STATUS_DIRECTORY_NOT_EMPTY"]);
        server.run("rm", &["-r", &server.url("level%200")]).ok();
        assert_eq!(server.run("ls", &[&server.url("")]).ok().stdout, "");
    }
}

#[test]
fn the_json_of_listings_is_stable() {
    let (_dir, servers) = servers("json");
    for server in servers {
        server.run("put", &["/etc/hosts", &server.url("file")]).ok();
        server.run("mkdir", &[&server.url("dir")]).ok();
        let all = objects(&server.run("ls", &["--json", &server.url("")]).ok().stdout);
        assert_eq!(all.len(), 2);
        let mut stable = vec!["accessed", "allocated", "attributes", "changed", "created", "file_id", "name"];
        stable.extend(["size", "type", "written"]);
        for one in &all {
            assert_eq!(keys(one), stable);
            assert!(one["written"].as_str().unwrap().starts_with("20"), "{one}");
        }
        let file = all.iter().find(|one| one["name"] == "file").unwrap();
        assert_eq!(file["type"], "file");
        assert_eq!(file["size"], fs::metadata("/etc/hosts").unwrap().len());
        let stat = objects(&server.run("stat", &["--json", &server.url("file")]).ok().stdout).remove(0);
        stable.extend(["access", "delete_pending", "ea_size", "links", "server_name", "url"]);
        stable.sort_unstable();
        assert_eq!(keys(&stat), stable);
        assert_eq!(stat["file_id"], file["file_id"]);
        let df = objects(&server.run("df", &["--json", &server.url("")]).ok().stdout).remove(0);
        assert_eq!(keys(&df), ["available", "free", "total", "url", "used"]);
        assert!(df["total"].as_u64().unwrap() > 0);
        let server_url = format!("smb://127.0.0.1:{}", server.port());
        let shares = objects(&server.run("shares", &["--json", &server_url]).ok().stdout);
        assert_eq!(shares.len(), 2);
        assert_eq!(keys(&shares[0]), ["comment", "hidden", "name", "type"]);
        assert!(
            shares.iter().any(|it| it["name"] == "share" && it["type"] == "disk" && it["hidden"] == false)
        );
        assert!(shares.iter().any(|it| it["name"] == "IPC$" && it["hidden"] == true));
    }
}

#[test]
fn stat_and_df_for_people() {
    let (_dir, servers) = servers("stat");
    for server in servers {
        server.run("mkdir", &[&server.url("some dir".replace(' ', "%20").as_str())]).ok();
        let stat = server.run("stat", &[&server.url("some%20dir"), &server.url("")]).ok().stdout;
        for words in ["Type: directory", "Attributes: directory", "Written: 20", "Links: 1", "some%20dir"] {
            assert!(stat.contains(words), "no {words:?} in {stat}");
        }
        let df = server.run("df", &[&server.url(""), &server.url("some%20dir")]).ok().stdout;
        assert_eq!(df.lines().count(), 3, "{df}");
        assert!(df.contains("Use%") && df.lines().skip(1).all(|line| line.ends_with("/share")), "{df}");
    }
}

#[test]
fn times_are_those_of_the_files() {
    let dir = TempDir::new("times");
    let path = dir.join("old");
    fs::write(&path, "").unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    let server = Server::start(&[text(dir.path())]);
    let stat = objects(&server.run("stat", &["--json", &server.url("old")]).ok().stdout).remove(0);
    assert_eq!(stat["written"], "2001-09-09T01:46:40Z");
}

#[test]
fn cat_joins_files() {
    let (_dir, servers) = servers("cat");
    let here = TempDir::new("cat-here");
    for server in servers {
        for name in ["a", "b"] {
            fs::write(here.join(name), format!("{name}\0{name}\n")).unwrap();
            server.run("put", &[text(&here.join(name)), &server.url(name)]).ok();
        }
        let run = server.run("cat", &[&server.url("a"), &server.url("none"), &server.url("b")]);
        assert_eq!((run.code, run.stdout.as_str()), (1, "a\0a\nb\0b\n"));
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        server.run("mkdir", &[&server.url("dir")]).ok();
        server.run("cat", &[&server.url("dir")]).one_line(1, &["STATUS_FILE_IS_A_DIRECTORY"]);
    }
}

#[test]
fn mv_renames_moves_and_replaces_on_request() {
    let (_dir, servers) = servers("mv");
    let here = TempDir::new("mv-here");
    fs::write(here.join("one"), "one").unwrap();
    fs::write(here.join("two"), "two").unwrap();
    for server in servers {
        let (one, two, dir) = (server.url("one"), server.url("two"), server.url("dir"));
        server.run("put", &[text(&here.join("one")), &one]).ok();
        server.run("put", &[text(&here.join("two")), &two]).ok();
        server.run("mkdir", &[&dir]).ok();
        server.run("mv", &[&one, &two]).one_line(1, &["two", "STATUS_OBJECT_NAME_COLLISION"]);
        assert_eq!(server.run("cat", &[&two]).ok().stdout, "two");
        server.run("mv", &["-f", &one, &two]).ok();
        assert_eq!(server.run("cat", &[&two]).ok().stdout, "one");
        // Into a directory, whose name stays.
        server.run("mv", &[&two, &dir]).ok();
        assert_eq!(server.run("cat", &[&server.url("dir/two")]).ok().stdout, "one");
        // A change of case alone, and of a whole directory.
        server.run("mv", &[&dir, &server.url("DIR")]).ok();
        assert!(server.run("ls", &[&server.url("")]).ok().stdout.ends_with(" DIR\n"));
        server.run("mv", &[&server.url("DIR"), &server.url("other%20name")]).ok();
        assert_eq!(server.run("cat", &[&server.url("other%20name/two")]).ok().stdout, "one");
        server.run("mv", &[&server.url(""), &server.url("x")]).one_line(2, &["the share itself"]);
        server.run("rm", &["-r", &server.url("other%20name")]).ok();
    }
}

#[test]
fn what_cannot_be_removed_is_said_and_the_rest_goes() {
    let (_dir, servers) = servers("rm");
    for server in servers {
        server.run("mkdir", &["-p", &server.url("a/b"), &server.url("c")]).ok();
        server.run("put", &["/etc/hosts", &server.url("c/file")]).ok();
        let run = server.run("rm", &["-r", &server.url("none"), &server.url("a"), &server.url("c")]);
        assert_eq!((run.code, run.stderr.lines().count()), (1, 1), "{run:?}");
        assert_eq!(server.run("ls", &[&server.url("")]).ok().stdout, "");
        server.run("rm", &["-r", &server.url("")]).one_line(2, &["the whole share"]);
        server.run("mkdir", &[&server.url("")]).one_line(2, &["the share itself"]);
        server.run("rmdir", &[&server.url("")]).one_line(2, &["the share itself"]);
        server.run("mkdir", &[&server.url("x")]).ok();
        server.run("mkdir", &[&server.url("X")]).one_line(1, &["STATUS_OBJECT_NAME_COLLISION"]);
        server.run("rm", &[&server.url("x")]).one_line(1, &["STATUS_FILE_IS_A_DIRECTORY"]);
        server.run("rmdir", &[&server.url("x")]).ok();
    }
}
