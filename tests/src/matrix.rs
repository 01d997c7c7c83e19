//! The cells of the interoperability matrix, and what each of them has to show.

use std::sync::Arc;

use sansmb::{
    client::{ClientConfig, EncryptionPolicy},
    wire::{Cipher, Dialect, SigningAlgorithm},
};
use sansmb_async::{
    Result, Runtime,
    client::{Connection, OpenOptions, Share},
    server::{self, Server, ServerHandle},
};
use sansmb_auth::{Credentials, UserTable};
use sansmb_fileserver::{ShareConfig, storage::Storage};
use sansmb_storage::LocalDir;

use crate::scratch::{noise, sha256};

/// Files in the folder that every cell lists.
pub const FILES: usize = 10_000;
/// Bytes that every cell gets and puts.
pub const BULK: usize = 64 << 20;

/// One way to speak: dialect, protection, algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The dialect.
    pub dialect: Dialect,
    /// How messages are protected.
    pub protection: Protection,
}

/// How messages are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all, as far as the dialect allows.
    None,
    /// Signed.
    Signed(SigningAlgorithm),
    /// Encrypted.
    Encrypted(Cipher),
}

impl Cell {
    /// Every cell: each dialect with each signer and cipher that it can negotiate.
    pub fn all() -> Vec<Self> {
        Dialect::ALL.into_iter().flat_map(Self::of).collect()
    }

    fn of(dialect: Dialect) -> impl Iterator<Item = Self> {
        let (signers, ciphers) = match dialect {
            Dialect::SMB2_0_2 | Dialect::SMB2_1 => (vec![SigningAlgorithm::HMAC_SHA256], vec![]),
            Dialect::SMB3_1_1 => (
                vec![SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC],
                vec![Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM],
            ),
            _ => (vec![SigningAlgorithm::AES_CMAC], vec![Cipher::AES_128_CCM]),
        };
        let signed = signers.into_iter().map(Protection::Signed);
        let encrypted = ciphers.into_iter().map(Protection::Encrypted);
        let protections = std::iter::once(Protection::None).chain(signed).chain(encrypted);
        protections.map(move |protection| Self { dialect, protection })
    }

    /// Our client, set to speak so and in no other way.
    pub fn client(self) -> ClientConfig {
        let mut config = Connection::default_config();
        config.min_dialect = self.dialect;
        config.max_dialect = self.dialect;
        match self.protection {
            Protection::None => config.encryption = EncryptionPolicy::Off,
            Protection::Signed(signer) => {
                config.require_signing = true;
                config.encryption = EncryptionPolicy::Off;
                if self.dialect == Dialect::SMB3_1_1 {
                    config.signing_algorithms = vec![signer];
                }
            }
            Protection::Encrypted(cipher) => {
                config.encryption = EncryptionPolicy::Required;
                config.ciphers = vec![cipher];
            }
        }
        config
    }

    /// smbclient, set to speak so and in no other way.
    pub fn smbclient(self) -> Vec<String> {
        let protocol = match self.dialect {
            Dialect::SMB2_0_2 => "SMB2_02",
            Dialect::SMB2_1 => "SMB2_10",
            Dialect::SMB3_0 => "SMB3_00",
            Dialect::SMB3_0_2 => "SMB3_02",
            _ => "SMB3_11",
        };
        let mut options = vec![
            format!("--option=client min protocol={protocol}"),
            format!("--option=client max protocol={protocol}"),
        ];
        match self.protection {
            Protection::None => options.push("--client-protection=off".into()),
            Protection::Signed(signer) => {
                options.push("--client-protection=sign".into());
                let name = match signer {
                    SigningAlgorithm::HMAC_SHA256 => "HMAC-SHA256",
                    SigningAlgorithm::AES_CMAC => "AES-128-CMAC",
                    _ => "AES-128-GMAC",
                };
                options.push(format!("--option=client smb3 signing algorithms={name}"));
            }
            Protection::Encrypted(cipher) => {
                options.push("--client-protection=encrypt".into());
                let name = match cipher {
                    Cipher::AES_128_CCM => "AES-128-CCM",
                    Cipher::AES_128_GCM => "AES-128-GCM",
                    Cipher::AES_256_CCM => "AES-256-CCM",
                    _ => "AES-256-GCM",
                };
                options.push(format!("--option=client smb3 encryption algorithms={name}"));
            }
        }
        options
    }
}

/// Fills a folder with what every cell looks at: `many` with [`FILES`] files, and `bulk.bin`.
pub fn furnish(dir: &std::path::Path) -> String {
    let many = dir.join("many");
    std::fs::create_dir(&many).expect("mkdir");
    for i in 0..FILES {
        std::fs::write(many.join(format!("file number {i}.txt")), b"x").expect("write");
    }
    let bulk = noise(BULK, 42);
    std::fs::write(dir.join("bulk.bin"), &bulk).expect("write");
    sha256(&bulk)
}

/// Logs on as `tester` and connects to `share`.
pub async fn connect<R: Runtime>(runtime: &R, port: u16, config: ClientConfig) -> Result<Share> {
    let connection = Connection::connect(runtime, "127.0.0.1", port, config).await?;
    let session = connection.log_on(Credentials::password("tester", "", "Passw0rd!")).await?;
    session.share("share").await
}

/// What every cell has to show: list, get, put, make, rename, stat, delete.
pub async fn exercise<R: Runtime>(
    runtime: &R,
    port: u16,
    cell: Cell,
    scratch: &str,
    hash: &str,
) -> Result<()> {
    let share = connect(runtime, port, cell.client()).await?;
    let entries = share.read_dir("many").await?.collect().await?;
    assert_eq!(entries.len(), FILES, "{cell:?}");
    assert_eq!(entries.iter().map(|e| e.metadata.len).sum::<u64>(), FILES as u64);

    let file = share.open("bulk.bin", OpenOptions::read()).await?;
    let mut stream = file.read_stream(0);
    let mut got = Vec::with_capacity(BULK);
    while let Some(bytes) = stream.next().await? {
        got.extend_from_slice(&bytes);
    }
    assert_eq!(sha256(&got), hash, "{cell:?}");
    file.close().await?;

    let dir = format!("cell {scratch}");
    share.create_dir(&dir).await?;
    let name = format!("{dir}/put.bin");
    let file = share.open(&name, OpenOptions::create_new()).await?;
    let mut stream = file.write_stream(0);
    let got = bytes::Bytes::from(got);
    let mut at = 0;
    while at < got.len() {
        let end = got.len().min(at + stream.chunk());
        stream.write(got.slice(at..end)).await?;
        at = end;
    }
    stream.finish().await?;
    file.close().await?;
    assert_eq!(share.metadata(&name).await?.len, BULK as u64);

    let renamed = format!("{dir}/Übermäßig.bin");
    share.rename(&name, &renamed, false).await?;
    assert!(!share.exists(&name).await?);
    // As Windows clients expect: a name is found whatever its case.
    assert_eq!(share.metadata(&renamed.to_uppercase().replace("SS", "ß")).await?.len, BULK as u64);
    share.remove_file(&renamed).await?;
    assert!(!share.exists(&renamed).await?);
    share.remove_dir(&dir).await?;
    assert!(!share.exists(&dir).await?);
    Ok(())
}

/// Our server on `runtime`, serving `dir` as `share` to `tester`; give the server to a task.
pub async fn serve<R: Runtime>(runtime: &R, dir: &std::path::Path) -> (Server<R>, ServerHandle, u16) {
    let storage = LocalDir::open(dir, Default::default()).expect("the folder");
    serve_storage(runtime, Arc::new(storage)).await
}

/// The same, for any storage.
pub async fn serve_storage<R: Runtime>(
    runtime: &R,
    storage: Arc<dyn Storage>,
) -> (Server<R>, ServerHandle, u16) {
    let mut users = UserTable::new();
    users.add_password("tester", "Passw0rd!");
    let (config, files) = server::settings("SANSMB", users, vec![ShareConfig::new("share", storage)]);
    let addr = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(runtime, addr, config, files).await.expect("bind");
    let port = server.local_addr().expect("bound").port();
    let handle = server.handle();
    (server, handle, port)
}
