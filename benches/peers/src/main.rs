//! Gets or puts one file with another SMB client of the Rust registry, or serves a folder with another server, each
//! as fast as its interface allows.
//!
//!     sansmb-bench-peers smb|smb2 get|put PORT USER PASSWORD REMOTE LOCAL [--encrypt]
//!     sansmb-bench-peers smb-server PORT USER PASSWORD FOLDER
//!
//! The server is 127.0.0.1 and the share is named `share`. `smb-server` prints a line once it answers.

mod server;
mod smb2_client;
mod smb_client;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One file to be moved.
struct Job<'a> {
    get: bool,
    port: u16,
    user: &'a str,
    password: &'a str,
    remote: &'a str,
    local: &'a str,
    encrypt: bool,
}

#[tokio::main]
async fn main() -> Result {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["smb-server", port, user, password, folder] = words[..] {
        return server::serve(port.parse()?, user, password, folder).await;
    }
    let [peer, verb @ ("get" | "put"), port, user, password, remote, local, ref options @ ..] = words[..]
    else {
        return Err("see the head of main.rs for what this takes".into());
    };
    let encrypt = options.contains(&"--encrypt");
    let job = Job { get: verb == "get", port: port.parse()?, user, password, remote, local, encrypt };
    match peer {
        "smb" => smb_client::run(&job).await,
        "smb2" => smb2_client::run(&job).await,
        _ => Err("smb or smb2".into()),
    }
}
