//! What the server tells the person who started it.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use sansmb::{crypto::Random, wire::Dialect};

use super::config::{Plan, Secret, Share, Source, User};
use crate::{
    output::printable,
    url::{ServerUrl, SmbUrl},
};

/// Characters that nobody takes for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A user for a server that has none, with a password of 80 random bits.
pub(super) fn made_up_user() -> User {
    let mut random = [0; 16];
    sansmb_crypto::OsRandom.fill(&mut random);
    let letters = random.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    User { name: "sansmb".to_owned(), secret: Secret::Password(groups.join("-")) }
}

/// Says what is served and what to type to use it. A closed standard output is no reason not to serve.
pub(super) fn announce(plan: &Plan, addr: SocketAddr, made_up: bool) {
    let mut text = format!("Serving on {addr}\n");
    for share in &plan.shares {
        let what = match &share.source {
            Source::Folder(path) => std::fs::canonicalize(path).unwrap_or(path.clone()).display().to_string(),
            Source::Memory => "in memory, gone when the server ends".to_owned(),
            Source::FilesOf(other) => format!("the files of {other}"),
        };
        let marks = [
            (share.read_only, " (read-only)"),
            (share.encrypt, " (encrypted)"),
            (share.compress, " (compressed)"),
        ];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        text += &format!("  {}: {}{marks}\n", share.name, printable(&what));
    }
    if made_up && let [User { name, secret: Secret::Password(password) }] = plan.users.as_slice() {
        text += &format!("User {name}, password {password} (made up for this run; --user sets others)\n");
    }
    if plan.lets_guests_in() {
        text += "Guests are let in.\n";
    }
    if let Some(share) = plan.shares.first() {
        text += &commands(plan, addr, share, made_up);
    }
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Commands to paste. A password that the user gave is not shown: the commands ask for it.
fn commands(plan: &Plan, addr: SocketAddr, share: &Share, made_up: bool) -> String {
    let (host, port) = (reachable(addr), addr.port());
    let user = share.users.first().cloned().or_else(|| plan.users.first().map(|user| user.name.clone()));
    let user = user.unwrap_or_else(|| "guest".to_owned());
    let password = match plan.users.first() {
        Some(User { secret: Secret::Password(password), .. }) if made_up => Some(password.as_str()),
        _ => None,
    };
    // What is made up needs no quoting.
    let with =
        |before: &str, after: &str| password.map_or(String::new(), |it| format!("{before}{it}{after}"));
    let server = ServerUrl { user: None, host: host.to_string(), port };
    let mut url = SmbUrl { server, share: share.name.clone(), path: String::new(), directory: true };
    let ls =
        format!("sansmb ls -U {} {}", shell(&format!("{user}{}", with("%", ""))), shell(&url.to_string()));
    let unc = format!("//{host}/{}", share.name);
    let smbclient =
        format!("smbclient {} -p {port} -U {}", shell(&unc), shell(&format!("{user}{}", with("%", ""))));
    let tcp_port = if port == 445 { String::new() } else { format!(" /tcpport:{port}") };
    let windows = format!(r"\\{}\{}", windows_name(host), share.name);
    let (windows, windows_user) = (windows_shell(&windows), windows_shell(&format!("/user:{user}")));
    url.server.user = Some(user.clone());
    let macos = match password {
        Some(password) => url.to_string().replacen('@', &format!(":{password}@"), 1),
        None => url.to_string(),
    };
    let old = if plan.max_dialect < Dialect::SMB2_1 { ",vers=2.0" } else { "" };
    let options = format!("port={port},username={user}{}{old}", with(",password=", ""));
    let lines = [
        ("sansmb", ls),
        ("smbclient", smbclient),
        ("Windows", format!("net use Z: {windows} {windows_user}{}{tcp_port}", with(" ", ""))),
        ("macOS", format!("open '{}'", macos.replace('\'', "%27"))),
        ("Linux", format!("sudo mount -t cifs {} /mnt -o {},uid=$(id -u)", shell(&unc), shell(&options))),
    ];
    let mut text = "To use it:\n".to_owned();
    for (name, line) in lines {
        text += &format!("  {name:9}  {}\n", printable(&line));
    }
    if port != 445 {
        text += "Windows knows /tcpport since 11 24H2; older ones want --listen ADDRESS:445.\n";
    }
    if host.is_loopback() {
        text += "Only this machine gets in; --listen 0.0.0.0:4455 serves others, too.\n";
    }
    text
}

/// A word for a POSIX shell.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:.,=@_-[]".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A word for cmd.exe; no share and no user there has a quotation mark in its name.
fn windows_shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || r"/\:.@_-$".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("\"{word}\"") }
}

/// A host in a path of Windows, where no colon may be.
fn windows_name(host: IpAddr) -> String {
    match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => {
            let name = host.to_string().replace(':', "-");
            let zero = if name.starts_with('-') { "0" } else { "" };
            format!("{zero}{name}.ipv6-literal.net")
        }
    }
}

/// An address that clients can use: where every address is listened on, the one towards the network.
fn reachable(addr: SocketAddr) -> IpAddr {
    if !addr.ip().is_unspecified() {
        return addr.ip();
    }
    // Nothing is sent; the operating system only looks up the route.
    let outward = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    outward.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |addr| addr.ip())
}

/// Says that the end has begun.
pub(super) fn stopping(connections: usize) {
    let line = match connections {
        0 => "Stopped.".to_owned(),
        n => format!("Stopping: {n} connections may finish what is in flight. Once more ends at once."),
    };
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_new() {
        let password = || match made_up_user().secret {
            Secret::Password(password) => password,
            Secret::NtHash(_) => unreachable!(),
        };
        let one = password();
        assert_eq!((one.len(), one.matches('-').count()), (19, 3));
        assert_ne!(one, password());
    }

    #[test]
    fn words_for_shells() {
        assert_eq!(shell("smb://[::1]:4455/share"), "smb://[::1]:4455/share");
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(windows_shell(r"\\127.0.0.1\a b"), r#""\\127.0.0.1\a b""#);
        assert_eq!(windows_name("fe80::1".parse().unwrap()), "fe80--1.ipv6-literal.net");
        assert_eq!(windows_name("::1".parse().unwrap()), "0--1.ipv6-literal.net");
    }

    #[test]
    fn an_address_for_clients() {
        let addr: SocketAddr = "192.168.1.2:445".parse().unwrap();
        assert_eq!(reachable(addr), addr.ip());
        assert!(!reachable("0.0.0.0:445".parse().unwrap()).is_unspecified());
    }
}
