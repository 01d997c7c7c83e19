//! A network of its own for a test.
//!
//! Tests that look at what a server does when a connection is blocked have iptables block it. In a network
//! namespace that harms nobody else, and tests that do so can run beside one another.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
    sync::OnceLock,
};

const LOOPBACK: &str = "ip link set lo up";
const BLOCK: &str = "iptables -A OUTPUT -p tcp --sport 9 -j DROP";

/// What a test that cannot be run for want of one is told with.
pub(super) const MISSING: &str =
    "needs a network of its own, which takes `unshare --net` and iptables, and the right to use them";

/// Whether this machine lets us make one and block connections in it. Tried once.
pub(super) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let mut command = wrap();
        command.args(["sh", "-c", BLOCK]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// Runs a program, whose name and arguments are to be added, in a new network.
pub(super) fn wrap() -> Command {
    let script = format!("{LOOPBACK} && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", &script, "sh"]).env("PATH", path());
    command
}

/// Runs a program in the network that another one made by [`wrap`] is in.
pub(super) fn join(process: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{process}/ns/net")).env("PATH", path());
    command
}

/// The programs are root's, and not where everybody looks.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
