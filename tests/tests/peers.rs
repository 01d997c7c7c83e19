//! The peers themselves: Samba's client and server meet under our control.

use sansmb_tests::{
    matrix::serve,
    peers::{Smbd, program},
    scratch::TempDir,
};
use sansmb_tokio::TokioRuntime;

#[test]
fn smbclient_lists_a_share_of_smbd() {
    let Some(smbd) = Smbd::start(&["--min", "SMB3_11", "--encrypt", "required"]) else { return };
    let Some(mut smbclient) = program("smbclient") else { return };
    std::fs::write(smbd.share().join("seen.txt"), "seen").unwrap();
    let listing = smbclient
        .args(["-p", &smbd.addr().port().to_string(), "-U"])
        .arg(format!("{}%{}", Smbd::USER, Smbd::PASSWORD))
        .args(["//127.0.0.1/share", "-c", "ls"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&listing.stdout);
    assert!(text.contains("seen.txt"), "{listing:?}\n{}", smbd.log());
}

#[test]
fn smbd_ends_with_its_test() {
    let Some(smbd) = Smbd::start(&[]) else { return };
    let (addr, folder) = (smbd.addr(), smbd.share().to_owned());
    assert!(std::net::TcpStream::connect(addr).is_ok());
    drop(smbd);
    let gone = || std::net::TcpStream::connect(addr).is_err() && !folder.exists();
    for _ in 0..100 {
        if gone() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("smbd still answers at {addr} five seconds later");
}

#[test]
fn rpcclient_asks_our_server() {
    if program("rpcclient").is_none() {
        return;
    }
    let dir = TempDir::new("rpcclient");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, handle, port) = runtime.block_on(serve(&TokioRuntime, dir.path()));
    let server = runtime.spawn(server.run());
    for (command, said) in [
        ("srvinfo", "SANSMB"),
        ("netshareenum 1", "netname: share"),
        ("netshareenumall 1", "netname: IPC$"),
        ("netsharegetinfo share 1", "netname: share"),
        ("netsharegetinfo share 1005", "flags: 0x0"),
        // These say nothing where all is well.
        ("netremotetod", ""),
        ("wkssvc_wkstagetinfo 100", ""),
        ("wkssvc_wkstagetinfo 101", ""),
        ("wkssvc_getjoininformation", ""),
        ("lsaquery", "Domain Name: WORKGROUP\nDomain Sid: (NULL SID)"),
        ("lsaquery 5", "Domain Name: SANSMB\nDomain Sid: S-1-5-21-"),
        ("getusername", "Account Name: tester, Authority Name: SANSMB"),
        ("lookupnames tester", "tester S-1-5-21-"),
        ("lookupnames Administrators", "Administrators S-1-5-32-544 (Local Group: 4)"),
        ("lookupsids S-1-1-0 S-1-5-18", "S-1-1-0 \\Everyone (5)\nS-1-5-18 NT AUTHORITY\\SYSTEM (5)"),
        ("lookupsids S-1-5-32-545", "S-1-5-32-545 BUILTIN\\Users (4)"),
        ("lookupsids S-1-22-1-1000", "S-1-22-1-1000 Unix User\\1000 (1)"),
        ("lookupsids S-1-5-21-1-2-3-4", "S-1-5-21-1-2-3-4 *unknown*\\*unknown* (8)"),
        ("enumtrust", ""),
    ] {
        let output = rpcclient(port, command);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(said), "{command}: {output:?}");
    }
    // What is for administrators, and who is not there.
    for (command, status) in [
        ("netshareenumall 502", "WERR_ACCESS_DENIED"),
        ("netsharegetinfo share 2", "WERR_ACCESS_DENIED"),
        ("netsessenum", "WERR_ACCESS_DENIED"),
        ("wkssvc_wkstagetinfo 102", "WERR_ACCESS_DENIED"),
        ("lookupnames nobody-at-all", "NT_STATUS_NONE_MAPPED"),
    ] {
        let output = rpcclient(port, command);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("result was {status}")), "{command}: {output:?}");
    }
    handle.stop();
    runtime.block_on(server).unwrap();
}

fn rpcclient(port: u16, command: &str) -> std::process::Output {
    program("rpcclient")
        .unwrap()
        .args(["-p", &port.to_string(), "-U", "tester%Passw0rd!", "127.0.0.1", "-c", command])
        .output()
        .unwrap()
}
