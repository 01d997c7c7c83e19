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
        ("netshareenumall 1", "netname: share"),
        ("netsharegetinfo share 1", "netname: share"),
    ] {
        let output = program("rpcclient")
            .unwrap()
            .args(["-p", &port.to_string(), "-U", "tester%Passw0rd!", "127.0.0.1", "-c", command])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(said), "{command}: {output:?}");
    }
    handle.stop();
    runtime.block_on(server).unwrap();
}
