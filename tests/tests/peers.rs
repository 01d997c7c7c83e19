//! The peers themselves: Samba's client and server meet under our control.

use sansmb_tests::peers::{Smbd, program};

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
