//! What is asked in a way that cannot be: exit code 2, and a line that says why.

use crate::common::run;

#[test]
fn wrong_options_are_usage_errors() {
    for args in
        [&["ls"][..], &["nonsense"], &["ls", "--nonsense", "smb://h/s"], &["get"], &["mv", "smb://h/s/a"]]
    {
        let run = run(args);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("sage"), "{run:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    assert!(run(&["--help"]).ok().stdout.contains("serve"));
    assert!(run(&["serve", "--help"]).ok().stdout.contains("127.0.0.1:4455"));
    assert!(run(&["--version"]).ok().stdout.starts_with("sansmb "));
}

#[test]
fn bad_urls_say_what_is_wrong_in_one_line() {
    for (url, why) in [
        ("host/share", "smb://"),
        ("smb://host", "no share"),
        ("smb://host:x/share", "no port"),
        ("smb://u:p@host/share", "no place for a password"),
        ("smb://::1/share", "brackets"),
        ("smb://host/share/%zz", "hexadecimal"),
    ] {
        run(&["ls", url]).one_line(2, &["sansmb: ", url, why]);
    }
}

#[test]
fn a_path_that_climbs_out_is_refused() {
    for url in ["smb://h/s/../t", "smb://h/s/a/../../t", "smb://h/s/%2e%2e/t"] {
        run(&["cat", url]).one_line(2, &["climbs out of the share"]);
    }
}

#[test]
fn missing_password() {
    run(&["ls", "smb://bob@127.0.0.1:1/share"]).one_line(2, &["no password for bob", "SANSMB_PASSWORD"]);
    run(&["ls", "smb://127.0.0.1:1/share"]).one_line(2, &["no user"]);
}

#[test]
fn an_nt_hash_has_32_digits() {
    let args = ["ls", "--nt-hash", "-U", "bob%abc", "smb://127.0.0.1:1/share"];
    run(&args).one_line(2, &["32 hexadecimal digits"]);
}

#[test]
fn two_users_are_one_too_many() {
    run(&["ls", "-U", "bob%x", "smb://alice@127.0.0.1:1/share"]).one_line(2, &["another user"]);
}

#[test]
fn dialects_are_named_in_full() {
    run(&["ls", "--dialect", "3", "smb://h/s"]).one_line(2, &["2.0.2, 2.1, 3.0, 3.0.2 and 3.1.1"]);
}

#[test]
fn mv_stays_within_a_share() {
    run(&["mv", "smb://h/s/a", "smb://h/t/a"]).one_line(2, &["one share", "get", "put"]);
    run(&["mv", "smb://h/s/a", "smb://g/s/a"]).one_line(2, &["one share"]);
}

#[test]
fn nobody_there() {
    // Nothing listens on port 1.
    run(&["ls", "-U", "bob%x", "smb://127.0.0.1:1/share"]).one_line(1, &["onnection refused"]);
    run(&["probe", "127.0.0.1:1"]).one_line(1, &["onnection refused"]);
}

#[test]
fn what_cannot_be_served_is_named() {
    run(&["serve", "/nonexistent/folder"]).one_line(1, &["/nonexistent/folder"]);
    run(&["serve", "--user", "bob"]).one_line(2, &["NAME:PASSWORD"]);
    run(&["serve", "--share", "docs"]).one_line(2, &["NAME=PATH"]);
    run(&["serve", "--memory", "a/b"]).one_line(2, &["a/b"]);
    run(&["serve", "--memory", "a", "--memory", "A"]).one_line(2, &["two shares"]);
    run(&["serve", "--min-dialect", "3.0", "--max-dialect", "2.1"]).one_line(2, &["dialect"]);
    run(&["serve", "--listen", "nonsense"]).one_line(2, &["HOST:PORT"]);
}

#[test]
fn a_config_file_with_an_unknown_key_is_refused() {
    let path = std::env::temp_dir().join(format!("sansmb-config-{}.toml", std::process::id()));
    std::fs::write(&path, "guest = true\nlisten-on = \"127.0.0.1:0\"\n").unwrap();
    let run = run(&["serve".as_ref(), "--config".as_ref(), path.as_os_str()]);
    std::fs::remove_file(&path).unwrap();
    run.one_line(2, &["line 2", "listen-on"]);
}
