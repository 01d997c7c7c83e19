//! `sansmb decode` on real captures.

use std::{fs, io::Write, path::Path, process::Stdio};

use crate::common::{Run, finished, program, run, testdata};

/// Captures in which smbtorture sends on purpose what has no name: how many messages, and what.
const NAMELESS: &[(&str, usize, &str)] = &[
    ("torture-acls", 7, "asks for each of the reserved bits of an access mask"),
    ("torture-compound", 2, "sends the command 0xff"),
    ("torture-create", 1, "sends the impersonation level 0x12345678"),
    ("torture-durable", 2, "fills a CREATE that must be ignored with 0x12345678"),
    ("torture-durable-v2", 2, "fills a CREATE that must be ignored with 0x12345678"),
    ("torture-ea", 2, "sends reserved create options and the attribute 0x40"),
    ("torture-lock", 1, "sends lock flags that do not exist"),
    ("torture-oplock", 1, "sends close flags that do not exist"),
];

fn captures() -> Vec<String> {
    let files = fs::read_dir(testdata("captures")).unwrap();
    let mut names: Vec<String> = files
        .filter_map(|file| file.unwrap().file_name().to_str()?.strip_suffix(".pcapng").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() > 50);
    names
}

fn decode(name: &str, options: &[&str]) -> Run {
    let mut command = program();
    command.arg("decode").args(options).arg("--keys").arg(testdata(&format!("captures/{name}.keys.json")));
    finished(command.arg(testdata(&format!("captures/{name}.pcapng"))).output().unwrap())
}

/// Nothing malformed, nothing unknown, and every message and buffer encodes to the bytes that were
/// there. Where the standard allows several encodings is listed in `decode/roundtrip.rs`.
#[test]
fn every_message_is_understood_and_comes_back_as_it_was() {
    for name in captures() {
        let nameless =
            NAMELESS.iter().find(|(capture, ..)| *capture == name).map_or(0, |(_, count, _)| *count);
        let run = decode(&name, &["--roundtrip"]);
        let expected = format!(" 0 malformed, {nameless} with something unknown, 0 different");
        let last = run.stdout.lines().last().unwrap_or_default();
        assert!(last.ends_with(&expected), "{name}: {}\n{}", run.stdout, run.stderr);
        assert!(!last.starts_with("0 "), "{name}: {last}");
        assert_eq!(run.code, i32::from(nameless > 0), "{name}");
    }
}

#[test]
fn every_list_of_exceptions_is_needed() {
    let names = captures();
    assert!(NAMELESS.iter().all(|(capture, ..)| names.iter().any(|name| name == capture)));
}

#[test]
fn every_encrypted_message_is_opened_and_no_byte_is_left_out() {
    for name in captures() {
        let run = decode(&name, &[]).ok();
        for complaint in ["no key", "not captured", "within a message", "not SMB", "malformed"] {
            assert!(!run.stdout.contains(complaint), "{name}: {complaint}");
        }
        assert_eq!(run.stdout.contains("[encrypted]"), name.contains("encrypt"), "{name}");
    }
}

#[test]
fn a_line_tells_what_matters() {
    let lines = decode("dialect-3.1.1", &[]).ok().stdout;
    for words in [
        "0> NEGOTIATE mid=0 dialects=2.0.2,2.1,3.0,3.0.2,3.1.1",
        "0< NEGOTIATE mid=0 SUCCESS dialect=3.1.1",
        r#"token=NTLM-AUTHENTICATE user="tester""#,
        r#"TREE_CONNECT mid=6 SUCCESS "\\127.0.0.1\share" type=DISK"#,
        r#"> CREATE mid=11 "dir\hello.txt""#,
        r#"< WRITE mid=12 SUCCESS "dir\hello.txt" count=51"#,
        r#"< QUERY_DIRECTORY mid=143 NO_MORE_FILES "dir""#,
        "class=FILESYSTEM.SIZE",
    ] {
        assert!(lines.contains(words), "no {words:?} in {lines}");
    }
}

#[test]
fn verbose_shows_fields_buffers_and_calls() {
    let lines = decode("shares-srvsvc", &["-v"]).ok().stdout;
    for words in ["    NegotiateRequest", "salt: ", "system_time: 20", "    call:", "BindAck", "opnum: "] {
        assert!(lines.contains(words), "no {words:?}");
    }
    let lines = decode("dialect-3.1.1", &["-v"]).ok().stdout;
    for words in ["ID_BOTH_DIRECTORY entries:", "name: \"hello.txt\"", "FileAllInformation:"] {
        assert!(lines.contains(words), "no {words:?}");
    }
}

#[test]
fn without_keys_encrypted_messages_are_counted_only() {
    let run = run(&["decode".as_ref(), testdata("captures/encrypt-3.0.pcapng").as_os_str()]).ok();
    assert!(run.stdout.contains("encrypted session=0x"), "{run:?}");
    assert!(run.stdout.contains("no key for it"));
}

fn decode_bytes(bytes: &[u8]) -> Run {
    let mut command = program();
    command.args(["decode", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // The program may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let run = finished(child.wait_with_output().unwrap());
    writer.join().unwrap();
    run
}

#[test]
fn truncated_capture() {
    let whole = fs::read(testdata("captures/transfer-large.pcapng")).unwrap();
    let all = decode_bytes(&whole).ok().stdout;
    for part in [whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        let run = decode_bytes(&whole[..part]);
        run.one_line(1, &["cut off after"]);
        // What could be read is there.
        assert!(run.stdout.lines().count() > 5, "{run:?}");
        let said: Vec<_> = run.stdout.lines().filter(|line| !line.contains("within a message")).collect();
        assert!(said.iter().all(|line| all.contains(line)), "{run:?}");
    }
}

#[test]
fn what_is_no_capture() {
    decode_bytes(b"").one_line(1, &["empty"]);
    decode_bytes(b"hello, world, this is no capture").one_line(1, &["no capture file"]);
    decode_bytes(&[0x0A, 0x0D, 0x0D, 0x0A, 0xFF, 0xFF]).one_line(1, &["-: "]);
    run(&["decode", "/nonexistent.pcap"]).one_line(1, &["/nonexistent.pcap", "No such file"]);
}

#[test]
fn damaged_captures_do_no_harm() {
    let whole = fs::read(testdata("captures/logon-guest.pcapng")).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        bytes[at / 2] ^= 0x55;
        let run = decode_bytes(&bytes);
        assert!(matches!(run.code, 0 | 1), "{at}: {run:?}");
        assert!(!run.stderr.contains("panicked"), "{at}: {run:?}");
    }
}

#[test]
fn hexadecimal_digits() {
    let path = std::env::temp_dir().join(format!("sansmb-hex-{}.txt", std::process::id()));
    let decode = |text: &str| {
        fs::write(&path, text).unwrap();
        run(&["decode".as_ref(), "--hex".as_ref(), path.as_os_str()])
    };
    // An ECHO, bare and in a frame.
    let echo = format!("fe534d42 40000100 00000000 0d000100 {} 04000000", "00".repeat(48));
    let run = decode(&format!("{echo}\n\n00000044{echo}\n"));
    assert_eq!(run.stdout, "0.000000 0> ECHO mid=0\n0.000000 0> ECHO mid=0\n", "{run:?}");
    assert_eq!(run.code, 0);
    decode("fe534d4").one_line(1, &["hexadecimal"]);
    decode(&format!("00000044{}", &echo[..40])).one_line(1, &["cut off"]);
    fs::remove_file(&path).unwrap();
}

/// What Windows compressed.
#[test]
fn compressed_messages_are_shown_with_what_is_in_them() {
    let decode = |name: &str, options: &[&str]| {
        let file = testdata(&format!("packets/compression/{name}.hex"));
        let digits: String =
            fs::read_to_string(file).unwrap().lines().filter(|line| !line.starts_with('#')).collect();
        let path = std::env::temp_dir().join(format!("sansmb-compressed-{}.txt", std::process::id()));
        fs::write(&path, digits).unwrap();
        let run = run(&[&["decode", "--hex"], options, &[path.to_str().unwrap()]].concat());
        fs::remove_file(&path).unwrap();
        run.ok().stdout
    };
    let line = decode("unchained_lz77_windows", &[]);
    assert!(line.contains("< READ mid=7 SUCCESS [compressed]"), "{line}");
    let line = decode("chained_none_lz4_pattern_windows", &["-v"]);
    assert!(line.contains("compressed from 4176 to 1391 bytes: NONE 80 to 80, LZ4 1992 to 1267"), "{line}");
    assert!(line.contains("< READ"), "{line}");
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let mut command = program();
    command.args(["decode", "-v"]).arg(testdata("captures/torture-lock.pcapng"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let run = finished(child.wait_with_output().unwrap());
    run.ok();
}

#[test]
fn keys_that_are_none() {
    let capture = testdata("captures/encrypt-3.0.pcapng");
    let run =
        |keys: &Path| run(&["decode".as_ref(), "--keys".as_ref(), keys.as_os_str(), capture.as_os_str()]);
    run(&testdata("README.md")).one_line(1, &["README.md"]);
    run(Path::new("/nonexistent.json")).one_line(1, &["No such file"]);
}
