//! What others make of our packets: our client on our server, recorded on the loopback interface, read
//! by tshark and by `sansmb decode`.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use sansmb_tests::{
    peers,
    scratch::{TempDir, noise},
};

use crate::{
    common::{Run, finished, run},
    server::{Server, eventually, signal},
};

/// tcpdump at work.
struct Recording {
    tcpdump: Child,
    file: PathBuf,
    port: u16,
}

impl Recording {
    /// `None` where there is no tcpdump, or it may not record.
    fn start(folder: &TempDir, port: u16) -> Option<Self> {
        let file = folder.join("conversation.pcap");
        let mut command = peers::program("tcpdump")?;
        command.args(["--immediate-mode", "-U", "-Z", "root", "-B", "65536", "-i", "lo", "-s", "0", "-w"]);
        command.arg(&file).arg(format!("tcp port {port}"));
        let mut tcpdump = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(tcpdump.stderr.take().unwrap());
        let mut lines = stderr.lines();
        if !lines.any(|line| line.is_ok_and(|line| line.contains("listening"))) {
            let _ = tcpdump.wait();
            peers::missing("the right to record with tcpdump");
            return None;
        }
        // It must not be told that nobody listens to its last words.
        thread::spawn(move || lines.count());
        Some(Self { tcpdump, file, port })
    }

    /// The file, once nothing more arrives in it.
    fn stop(mut self) -> PathBuf {
        let mut before = 0;
        eventually(|| {
            thread::sleep(Duration::from_millis(100));
            let len = fs::metadata(&self.file).unwrap().len();
            (std::mem::replace(&mut before, len) == len).then_some(())
        });
        signal(&self.tcpdump, "INT");
        let _ = self.tcpdump.wait();
        as_port_445(&self.file, self.port);
        self.file
    }
}

/// The recording with port 445 in place of ours: tshark knows a server by it, and takes the hint of its
/// NEGOTIATE for something else otherwise. Frames of Ethernet and IPv4, as tcpdump writes them on Linux.
fn as_port_445(file: &Path, port: u16) {
    let mut bytes = fs::read(file).unwrap();
    let mut at = 24;
    while let Some(head) = bytes.get(at..at + 16) {
        let len = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let ip = at + 16 + 14;
        let tcp = ip + usize::from(bytes[ip] & 15) * 4;
        for field in [tcp, tcp + 2] {
            if bytes[field..field + 2] == port.to_be_bytes() {
                bytes[field..field + 2].copy_from_slice(&445_u16.to_be_bytes());
            }
        }
        at += 16 + len;
    }
    fs::write(file, bytes).unwrap();
}

/// What tshark says of a recording. It derives the keys from the password.
fn tshark(file: &Path, args: &[&str]) -> String {
    let output = Command::new("tshark")
        .args(["-Q", "-o", "ntlmssp.nt_password:Passw0rd!"])
        .arg("-r")
        .arg(file)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Nothing malformed and nothing that an expert calls an error; and everything was looked into.
fn assert_well_formed(file: &Path, what: &str, encrypted: bool) {
    let complaints = "_ws.malformed || _ws.expert.severity == error || (smb2 && !tcp.analysis.flags && _ws.expert.severity == warning)";
    let found = tshark(file, &["-Y", complaints, "-V"]);
    assert!(found.is_empty(), "{what}: {found}");
    // Every command of the conversation is there, also where it had to be decrypted.
    let commands = tshark(file, &["-Y", "smb2", "-T", "fields", "-e", "smb2.cmd"]);
    for command in [0, 1, 3, 4, 5, 6, 8, 9, 14, 16, 17] {
        let is = |field: &str| field == command.to_string();
        assert!(commands.lines().any(|line| line.split(',').any(is)), "{what}: no command {command}");
    }
    let closed = tshark(file, &["-Y", "smb2.header.transform.msg_size", "-T", "fields", "-e", "smb2.cmd"]);
    assert_eq!(closed.lines().count() > 0, encrypted, "{what}");
    assert!(closed.lines().all(|line| !line.is_empty()), "{what}: some messages could not be decrypted");
}

/// One request of each kind that the program makes.
fn converse(server: &Server, way: &[&str], here: &Path) {
    let local = here.join("data");
    fs::write(&local, noise(200_000, 1)).unwrap();
    let (local, back) = (local.to_str().unwrap().to_owned(), here.join("back").to_str().unwrap().to_owned());
    let run = |command: &str, args: &[&str]| -> Run { server.run(command, &[way, args].concat()) };
    let url = |path| server.url(path);
    run("mkdir", &["-p", &url("dir/sub")]).ok();
    run("put", &[&local, &url("dir/data.bin")]).ok();
    run("put", &["/dev/null", &url("dir/Ünïcode 😀")]).ok();
    run("ls", &["-r", &url("")]).ok();
    run("stat", &[&url("dir/data.bin"), &url("dir")]).ok();
    run("df", &[&url("")]).ok();
    run("get", &[&url("dir/data.bin"), &back]).ok();
    run("mv", &[&url("dir/data.bin"), &url("dir/moved.bin")]).ok();
    run("shares", &[&format!("smb://127.0.0.1:{}", server.port())]).ok();
    for (command, path) in [("cat", "dir/none"), ("rmdir", "dir"), ("mkdir", "dir"), ("cat", "a*b")] {
        assert_eq!(run(command, &[&url(path)]).code, 1);
    }
    run("rm", &["-r", &url("dir")]).ok();
}

#[test]
fn our_client_on_our_server_is_well_formed_in_every_dialect() {
    if peers::program("tshark").is_none() {
        return;
    }
    for dialect in ["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"] {
        let mut ways = vec![vec![], vec!["--sign"]];
        match dialect {
            "2.0.2" | "2.1" => {}
            "3.1.1" => {
                let ciphers = ["aes-128-ccm", "aes-128-gcm", "aes-256-ccm", "aes-256-gcm"];
                ways.extend(ciphers.map(|cipher| vec!["--encrypt", "--cipher", cipher]));
                let signers = ["hmac-sha256", "aes-cmac"];
                ways.extend(signers.map(|signer| vec!["--sign", "--signer", signer]));
            }
            _ => ways.push(vec!["--encrypt"]),
        }
        for way in ways {
            let (folder, shared) = (TempDir::new("tshark"), TempDir::new("tshark-share"));
            let server = Server::start(&[shared.path().to_str().unwrap()]);
            let Some(recording) = Recording::start(&folder, server.port()) else { return };
            let way = [&["--dialect", dialect], way.as_slice()].concat();
            converse(&server, &way, folder.path());
            let file = recording.stop();
            let (what, encrypted) = (way.join(" "), way.contains(&"--encrypt"));
            assert_well_formed(&file, &what, encrypted);
            // And we know every field of what we said ourselves.
            let decoded = run(&["decode", "--roundtrip", file.to_str().unwrap()]).ok().stdout;
            let last = decoded.lines().last().unwrap();
            let all = " 0 malformed, 0 with something unknown, 0 different";
            assert!(last.ends_with(all) && !last.starts_with("0 "), "{what}: {decoded}");
        }
    }
}

/// How much of a file goes with the request that opens or makes it.
const HEAD: usize = 60 << 10;

/// Others decompress what we compressed, and find what we had.
#[test]
fn what_we_compress_others_decompress() {
    if peers::program("tshark").is_none() {
        return;
    }
    // Text between two runs: no more than one block of Huffman's, since tshark 4.0 knows only one. Before it
    // comes what goes with the request that opens or makes the file, where that tshark loses the data.
    let mut text = vec![b'-'; 3000];
    text.extend(include_bytes!("../../../../docs/abuse.md").repeat(3));
    text.resize(text.len() + 5000, 0);
    assert!(text.len() < 1 << 16);
    let text = [&text.repeat(2)[..HEAD], &text].concat();
    // tshark 4.0 does not know LZ4.
    for compressor in ["lz77", "lz77-huffman", "lznt1"] {
        for (protection, mark) in [("--compress", ":compress"), ("--sign", ""), ("--encrypt", ":encrypt")] {
            let (folder, shared) = (TempDir::new("tshark-compress"), TempDir::new("tshark-compress-share"));
            let share = format!("share={}{mark}", shared.path().display());
            let server = Server::start(&["--share", &share]);
            let Some(recording) = Recording::start(&folder, server.port()) else { return };
            fs::write(folder.join("text"), &text).unwrap();
            (0..40).for_each(|n| fs::write(shared.join(&format!("one of many files {n}")), "").unwrap());
            let (local, back) = (folder.join("text"), folder.join("back"));
            let url = server.url("text");
            let mut way = vec!["--compress", "--compressor", compressor];
            if protection != "--compress" {
                way.push(protection);
            }
            server.run("put", &[&way[..], &[local.to_str().unwrap(), &url]].concat()).ok();
            server.run("get", &[&way[..], &[&url, back.to_str().unwrap()]].concat()).ok();
            server.run("ls", &[&way[..], &["-r", &server.url("")]].concat()).ok();
            assert!(fs::read(back).unwrap() == text && fs::read(shared.join("text")).unwrap() == text);
            let file = recording.stop();
            let what = format!("{compressor} {protection}");
            let complaints = "_ws.malformed || _ws.expert.severity == error";
            let found = tshark(&file, &["-Y", complaints, "-V"]);
            assert!(found.is_empty(), "{what}: {found}");
            // A WRITE and a READ at least, each found inside.
            let field = "smb2.header.comp_transform.original_size";
            let found = tshark(&file, &["-Y", field, "-T", "fields", "-e", "smb2.cmd"]);
            for command in ["8", "9"] {
                let is = |line: &str| line.split(',').any(|field| field == command);
                assert!(found.lines().any(is), "{what}: no command {command} in {found}");
            }
            // Of Huffman's it gives up some that another decoder reads, a short listing for one.
            let all = found.lines().all(|line| !line.is_empty());
            assert!(all || compressor == "lz77-huffman", "{what}: something was not decompressed");
            let objects = folder.join("objects");
            tshark(&file, &["--export-objects", &format!("smb,{}", objects.display())]);
            let found = fs::read_dir(&objects).unwrap().map(|file| file.unwrap().path());
            let found: Vec<_> = found.filter(|path| path.to_str().unwrap().contains("text")).collect();
            assert_eq!(found.len(), 2, "{what}");
            for object in found {
                let got = fs::read(&object).unwrap();
                assert!(got.get(HEAD..) == Some(&text[HEAD..]), "{what}: {}", object.display());
            }
            // So do we ourselves.
            let decoded = run(&["decode", file.to_str().unwrap()]).ok().stdout;
            if protection != "--encrypt" {
                let compressed = decoded.lines().filter(|line| line.contains("[compressed]"));
                assert!(compressed.clone().any(|line| line.contains("< READ")), "{what}: {decoded}");
                assert!(compressed.clone().any(|line| line.contains("> WRITE")), "{what}: {decoded}");
                // Nobody asks for that, but for the share.
                let listed = compressed.clone().any(|line| line.contains("< QUERY_DIRECTORY"));
                assert_eq!(listed, mark == ":compress", "{what}: {decoded}");
                let fields = run(&["decode", "-v", file.to_str().unwrap()]).ok().stdout;
                assert_eq!(fields.contains("COMPRESS_DATA"), mark == ":compress", "{what}");
            }
            let decoded = run(&["decode", "--roundtrip", file.to_str().unwrap()]).ok().stdout;
            let all = " 0 malformed, 0 with something unknown, 0 different";
            assert!(decoded.lines().last().unwrap().ends_with(all), "{what}: {decoded}");
        }
    }
}

/// smbclient asks for what our client does not: our server's answers to it.
#[test]
fn answers_to_smbclient_are_well_formed() {
    if peers::program("tshark").is_none() || peers::program("smbclient").is_none() {
        return;
    }
    let visit = "mkdir dir; cd dir; put /etc/hosts hello.txt; ls; allinfo hello.txt; rename hello.txt moved.txt; \
        setmode moved.txt +rh; setmode moved.txt -rh; utimes moved.txt 2020:01:02-03:04:05 -1 \
        2021:01:02-03:04:05 -1; get moved.txt /dev/null; scopy moved.txt copy.txt; hardlink moved.txt link.txt; \
        get absent.txt /dev/null; del moved.txt; del copy.txt; del link.txt; cd ..; rmdir dir; volume";
    for (protocol, protection) in [
        ("SMB2_02", "off"),
        ("SMB2_10", "sign"),
        ("SMB3_00", "encrypt"),
        ("SMB3_11", "sign"),
        ("SMB3_11", "encrypt"),
    ] {
        let (folder, shared) = (TempDir::new("tshark-smbclient"), TempDir::new("tshark-smbclient-share"));
        let server = Server::start(&[shared.path().to_str().unwrap()]);
        let Some(recording) = Recording::start(&folder, server.port()) else { return };
        let options =
            [format!("--option=client max protocol={protocol}"), format!("--client-protection={protection}")];
        let said = peers::smbclient(server.port(), "share", &options, visit).unwrap();
        let complaints = String::from_utf8_lossy(&said.stdout);
        let complaints = complaints.lines().filter(|line| line.contains("NT_STATUS_"));
        // Files have no short names here.
        let expected = |line: &&str| line.contains("absent.txt") || line.contains("getting alt name");
        assert!(complaints.clone().all(|line| expected(&line)), "{protocol}: {said:?}");
        let list = Command::new("smbclient")
            .args(["-p", &server.port().to_string(), "-U", "tester%Passw0rd!", "-L", "127.0.0.1"])
            .args(&options)
            .output()
            .unwrap();
        assert!(list.status.success(), "{protocol}: {}", finished(list).stdout);
        let file = recording.stop();
        let complaints = "_ws.malformed || _ws.expert.severity == error";
        let found = tshark(&file, &["-Y", complaints, "-V"]);
        assert!(found.is_empty(), "{protocol} {protection}: {found}\n{said:?}");
        let decoded = run(&["decode", "--roundtrip", file.to_str().unwrap()]).ok().stdout;
        let last = decoded.lines().last().unwrap();
        assert!(
            last.ends_with(" 0 malformed, 0 with something unknown, 0 different"),
            "{protocol}: {decoded}"
        );
    }
}
