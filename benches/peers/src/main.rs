//! Gets or puts one file with another SMB client of the Rust registry, as fast as its interface allows.
//!
//!     sansmb-bench-peers smb|smb2 get|put PORT USER PASSWORD REMOTE LOCAL [--encrypt]
//!
//! The server is 127.0.0.1 and the share is named `share`. Both sign whenever there is a user.

use std::{
    error::Error,
    fs::File,
    io::{Read, Write},
    os::unix::fs::FileExt,
    str::FromStr,
    sync::Arc,
};

use smb::{
    Client, ClientConfig, CreateOptions, FileAccessMask, FileAttributes, FileCreateArgs, ReadAt, UncPath,
    WriteAt, connection::EncryptionMode,
};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What was found to be best for `smb`: its own copy helper, with pieces of 64 KiB, is far slower.
const TASKS: u64 = 8;
const PIECE: u64 = 1 << 20;

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
    let [peer, verb, port, user, password, remote, local, ref options @ ..] = words[..] else {
        return Err("smb|smb2 get|put PORT USER PASSWORD REMOTE LOCAL [--encrypt]".into());
    };
    let encrypt = options.contains(&"--encrypt");
    let job = Job { get: verb == "get", port: port.parse()?, user, password, remote, local, encrypt };
    match peer {
        "smb" => with_smb(&job).await,
        "smb2" => with_smb2(&job).await,
        _ => Err("smb or smb2".into()),
    }
}

async fn with_smb(job: &Job<'_>) -> Result {
    let mut config = ClientConfig { dfs: false, ..ClientConfig::default() };
    config.connection.port = Some(job.port);
    if job.encrypt {
        config.connection.encryption_mode = EncryptionMode::Required;
    }
    let client = Client::new(config);
    let share = UncPath::from_str(r"\\127.0.0.1\share")?;
    client.share_connect(&share, job.user, job.password.to_owned()).await?;
    let args = match job.get {
        true => FileCreateArgs::make_open_existing(FileAccessMask::new().with_generic_read(true)),
        false => FileCreateArgs::make_overwrite(FileAttributes::new(), CreateOptions::new()),
    };
    let remote = Arc::new(client.create_file(&share.with_path(job.remote), &args).await?.unwrap_file());
    let (local, len) = match job.get {
        true => (File::create(job.local)?, smb::GetLen::get_len(&*remote).await?),
        false => {
            let local = File::open(job.local)?;
            let len = local.metadata()?.len();
            (local, len)
        }
    };
    let local = Arc::new(local);
    let mut tasks = Vec::new();
    for first in 0..TASKS {
        let (remote, local, get) = (remote.clone(), local.clone(), job.get);
        tasks.push(tokio::spawn(async move {
            let mut buffer = vec![0; PIECE as usize];
            let mut at = first * PIECE;
            while at < len {
                let piece = &mut buffer[..PIECE.min(len - at) as usize];
                let mut done = 0;
                if !get {
                    local.read_exact_at(piece, at)?;
                }
                while done < piece.len() {
                    let offset = at + done as u64;
                    let moved = match get {
                        true => remote.read_at(&mut piece[done..], offset).await?,
                        false => remote.write_at(&piece[done..], offset).await?,
                    };
                    if moved == 0 {
                        return Err("nothing was moved".into());
                    }
                    done += moved;
                }
                if get {
                    local.write_all_at(piece, at)?;
                }
                at += TASKS * PIECE;
            }
            Result::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    remote.close().await?;
    Ok(())
}

async fn with_smb2(job: &Job<'_>) -> Result {
    if job.encrypt {
        return Err("smb2 does not negotiate encryption".into());
    }
    let mut client = smb2::connect(&format!("127.0.0.1:{}", job.port), job.user, job.password).await?;
    let share = client.connect_share("share").await?;
    if job.get {
        let mut local = File::create(job.local)?;
        let mut download = client.download(&share, job.remote).await?;
        while let Some(piece) = download.next_chunk().await {
            local.write_all(&piece?)?;
        }
        return Ok(());
    }
    let mut local = File::open(job.local)?;
    let mut writer = client.create_file_writer(&share, job.remote).await?;
    let mut buffer = vec![0; PIECE as usize];
    loop {
        let got = local.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        writer.write_chunk(&buffer[..got]).await?;
    }
    writer.finish().await?;
    Ok(())
}
