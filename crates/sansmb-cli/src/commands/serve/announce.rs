//! What the server tells the person who started it.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use sansmb::crypto::Random;

use super::config::{Plan, Secret, Source, User};
use crate::output::printable;

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
        };
        let marks = [(share.read_only, " (read-only)"), (share.encrypt, " (encrypted)")];
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
        text += &commands(plan, addr, &share.name, made_up);
    }
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Commands to paste. A password that the user gave is not shown: the commands ask for it.
fn commands(plan: &Plan, addr: SocketAddr, share: &str, made_up: bool) -> String {
    let (host, port) = (reachable(addr), addr.port());
    let in_url = if host.is_ipv6() { format!("[{host}]") } else { host.to_string() };
    let user = plan.users.first().map_or("guest", |user| user.name.as_str());
    let password = match plan.users.first() {
        Some(User { secret: Secret::Password(password), .. }) if made_up => Some(password.as_str()),
        _ => None,
    };
    let with =
        |before: &str, after: &str| password.map_or(String::new(), |it| format!("{before}{it}{after}"));
    let port_of_url = if port == 445 { String::new() } else { format!(":{port}") };
    let tcp_port = if port == 445 { String::new() } else { format!(" /tcpport:{port}") };
    let lines = [
        ("sansmb", format!("sansmb ls -U '{user}{}' smb://{in_url}{port_of_url}/{share}", with("%", ""))),
        ("smbclient", format!("smbclient //{host}/{share} -p {port} -U '{user}{}'", with("%", ""))),
        ("Windows", format!(r"net use Z: \\{host}\{share} /user:{user}{}{tcp_port}", with(" ", ""))),
        ("macOS", format!("open 'smb://{user}{}@{in_url}{port_of_url}/{share}'", with(":", ""))),
        (
            "Linux",
            format!(
                "sudo mount -t cifs //{host}/{share} /mnt -o port={port},username={user}{},uid=$(id -u)",
                with(",password=", "")
            ),
        ),
    ];
    let mut text = "To use it:\n".to_owned();
    for (name, line) in lines {
        text += &format!("  {name:9}  {line}\n");
    }
    if port != 445 {
        text += "Windows knows /tcpport since 11 24H2; older ones want --listen ADDRESS:445.\n";
    }
    text
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
    fn an_address_for_clients() {
        let addr: SocketAddr = "192.168.1.2:445".parse().unwrap();
        assert_eq!(reachable(addr), addr.ip());
        assert!(!reachable("0.0.0.0:445".parse().unwrap()).is_unspecified());
    }
}
