//! Who we are and how we speak: `-U` in all its forms, dialects, signing, ciphers, runtimes.

use sansmb_tests::{
    peers::Smbd,
    scratch::{TempDir, noise},
};

use crate::{
    common::{finished, program, run},
    server::{Server, WHO, url},
};

#[test]
fn names_and_passwords_come_from_several_places() {
    let server = Server::start(&["--memory", "share"]);
    let (plain, port) = (server.url(""), server.port());
    let with_user = format!("smb://tester@127.0.0.1:{port}/share");
    let ls = |args: &[&str]| run(&[&["ls"], args].concat());
    ls(&["-U", WHO, &plain]).ok();
    ls(&["--user", WHO, &plain]).ok();
    ls(&[&format!("-U{WHO}"), &plain]).ok();
    ls(&["-U", WHO, &with_user]).ok();
    ls(&["-U", r"WORKGROUP\tester%Passw0rd!", &plain]).ok();
    ls(&["-U", "WORKGROUP/tester%Passw0rd!", &plain]).ok();
    let from_environment = |args: &[&str]| {
        let mut command = program();
        command.arg("ls").args(args).env("SANSMB_PASSWORD", "Passw0rd!");
        finished(command.output().unwrap())
    };
    from_environment(&[&with_user]).ok();
    from_environment(&["-U", "tester", &plain]).ok();
    from_environment(&[&format!("smb://WORKGROUP;tester@127.0.0.1:{port}/share")]).ok();
    // What is on the command line counts more.
    from_environment(&["-U", "tester%wrong", &plain]).one_line(1, &["STATUS_LOGON_FAILURE"]);
    // Without any name it is that of whoever is logged on here.
    let mut command = program();
    command.args(["ls", &plain]).env("SANSMB_PASSWORD", "Passw0rd!").env("USER", "tester");
    finished(command.output().unwrap()).ok();
}

#[test]
fn several_servers_in_one_command() {
    let (one, two) = (Server::start(&["--memory", "share"]), Server::start(&["--memory", "share"]));
    run(&["mkdir", "-U", WHO, &one.url("a"), &two.url("b"), &one.url("c")]).ok();
    let run = run(&["ls", "-U", WHO, &one.url(""), &two.url("")]).ok();
    for name in [" a", " b", " c"] {
        assert!(run.stdout.contains(name), "{run:?}");
    }
}

/// Each dialect alone, with what it can negotiate and nothing else, and a file that comes back whole.
#[test]
fn every_dialect_signer_cipher_and_runtime() {
    let dir = TempDir::new("speak");
    let data = noise(300_000, 1);
    std::fs::write(dir.join("data"), &data).unwrap();
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    let all = ["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"];
    let mut ways: Vec<Vec<&str>> = Vec::new();
    for dialect in all {
        ways.push(vec!["--dialect", dialect]);
        ways.push(vec!["--dialect", dialect, "--sign"]);
        ways.push(match dialect {
            "2.0.2" | "2.1" => vec!["--dialect", dialect, "--signer", "hmac-sha256", "--sign"],
            _ => vec!["--dialect", dialect, "--signer", "aes-cmac", "--sign"],
        });
        if dialect.starts_with('3') {
            ways.push(vec!["--dialect", dialect, "--encrypt"]);
            ways.push(vec!["--dialect", dialect, "--encrypt", "--cipher", "aes-128-ccm"]);
        }
    }
    for signer in ["hmac-sha256", "aes-cmac", "aes-gmac"] {
        ways.push(vec!["--sign", "--signer", signer]);
    }
    for cipher in ["aes-128-ccm", "aes-128-gcm", "aes-256-ccm", "aes-256-gcm"] {
        ways.push(vec!["--encrypt", "--cipher", cipher]);
        ways.push(vec!["--encrypt", "--cipher", cipher, "--signer", "aes-gmac"]);
    }
    for compressor in ["lz4", "lz77", "lz77-huffman", "lznt1", "pattern-v1"] {
        ways.push(vec!["--compress", "--compressor", compressor]);
    }
    ways.push(vec!["--compress", "--encrypt"]);
    for (way, runtime) in ways.iter().zip(["tokio", "smol", "blocking"].into_iter().cycle()) {
        let here = TempDir::new("speak-here");
        let copy = here.join("copy");
        let to = [server.url("data"), copy.to_str().unwrap().to_owned()];
        let args = [way.as_slice(), &["--runtime", runtime], &[&to[0], &to[1]]].concat();
        server.run("get", &args).ok();
        assert!(std::fs::read(&copy).unwrap() == data, "{way:?} {runtime}");
        let back = server.url("back");
        let args = [way.as_slice(), &["--runtime", runtime], &[&to[1], &back]].concat();
        server.run("put", &args).ok();
        assert!(std::fs::read(dir.join("back")).unwrap() == data, "{way:?} {runtime}");
    }
}

#[test]
fn what_a_dialect_has_not_is_said() {
    let server = Server::start(&["--memory", "share"]);
    let url = server.url("");
    let refused = |args: &[&str], words: &[&str]| {
        server.run("ls", &[args, &[url.as_str()]].concat()).one_line(1, words);
    };
    refused(&["--dialect", "2.1", "--encrypt"], &["encrypt"]);
    refused(&["--dialect", "2.1", "--signer", "aes-gmac"], &["2.1", "AES_GMAC"]);
    refused(&["--dialect", "3.0", "--signer", "hmac-sha256"], &["3.0", "HMAC_SHA256"]);
    refused(&["--dialect", "3.0.2", "--cipher", "aes-256-gcm"], &["3.0.2", "AES_256_GCM"]);
    refused(&["--dialect", "3.0", "--compress", "--compressor", "lz4"], &["3.0", "LZ4"]);
    run(&["ls", "--compressor", "lz4", &url]).one_usage(&["--compress"]);
    run(&["ls", "--compress", "--compressor", "zip", &url]).one_usage(&["zip", "lz77-huffman"]);
    run(&["ls", "--cipher", "rot13", &url]).one_usage(&["rot13", "aes-256-gcm"]);
    run(&["ls", "--runtime", "fibers", &url]).one_usage(&["fibers", "blocking"]);
    run(&["ls", "--timeout", "0", &url]).one_line(2, &["0"]);
}

/// `-v` says what was negotiated.
#[test]
fn verbose_tells_how_it_speaks() {
    let server = Server::start(&["--memory", "share"]);
    let run = server.run("ls", &["-v", "--dialect", "3.0.2", &server.url("")]);
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("3.0.2") && run.stderr.contains("AES_CMAC"), "{run:?}");
}

#[test]
fn probe_tells_what_a_server_can() {
    let server = Server::start(&["--memory", "share"]);
    let addr = format!("127.0.0.1:{}", server.port());
    for runtime in ["tokio", "smol", "blocking"] {
        let text = run(&["probe", "--runtime", runtime, &addr]).ok().stdout;
        for words in [
            "Dialects: 2.0.2 2.1 3.0 3.0.2 3.1.1",
            "aes-128-ccm aes-128-gcm aes-256-ccm aes-256-gcm",
            "hmac-sha256 aes-cmac aes-gmac",
            "Compression: lz4 lz77 lz77-huffman lznt1 pattern-v1, chained",
            "Signing: not required",
            "Server GUID: ",
            "System time: 20",
            "Start time: ",
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
    }
    let json = run(&["probe", "--json", &format!("smb://{addr}/")]).ok().stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mut keys: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let stable = [
        "capabilities",
        "chained_compression",
        "ciphers",
        "compression",
        "dialects",
        "max_read_size",
        "max_transact_size",
        "max_write_size",
        "preferred_cipher",
        "preferred_signing_algorithm",
        "server",
        "server_guid",
        "signing_algorithms",
        "signing_required",
        "start_time",
        "system_time",
    ];
    assert_eq!(keys, stable);
    assert_eq!(report["server"], addr);
}

/// Samba as the other side: what it was told to speak is what is found.
#[test]
fn probe_and_protection_on_smbd() {
    let options = ["--min", "SMB2_10", "--ciphers", "AES-128-CCM,AES-256-GCM", "--signing", "mandatory"];
    let Some(smbd) = Smbd::start(&options) else { return };
    let port = smbd.addr().port();
    let report = run(&["probe", "--json", &format!("127.0.0.1:{port}")]).ok().stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["dialects"], serde_json::json!(["2.1", "3.0", "3.0.2", "3.1.1"]));
    assert_eq!(report["ciphers"], serde_json::json!(["aes-128-ccm", "aes-256-gcm"]));
    assert_eq!(report["signing_required"], true);
    std::fs::write(smbd.share().join("seen.txt"), "seen").unwrap();
    let cat = |args: &[&str], share: &str| {
        run(&[&["cat", "-U", WHO], args, &[url(port, share, "seen.txt").as_str()]].concat())
    };
    assert_eq!(cat(&["--encrypt", "--cipher", "aes-256-gcm"], "share").ok().stdout, "seen");
    assert_eq!(cat(&["--sign", "--signer", "aes-gmac"], "share").ok().stdout, "seen");
    assert_eq!(cat(&[], "cap").ok().stdout, "seen");
    cat(&["--dialect", "2.1"], "cap").one_line(1, &["cap", "STATUS_ACCESS_DENIED"]);
    cat(&["--dialect", "2.0.2"], "share").one_line(1, &["smb://"]);
    let ro = url(port, "ro", "new");
    run(&["put", "-U", WHO, "/etc/hosts", &ro]).one_line(1, &["STATUS_"]);
    run(&["ls", "-U", "tester%wrong", &url(port, "share", "")]).one_line(1, &["STATUS_LOGON_FAILURE"]);
}
