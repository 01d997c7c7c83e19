//! What can stand on the command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use sansmb::wire::{Cipher, CompressionAlgorithm, Dialect, SigningAlgorithm};

use crate::{
    commands::serve::{Encryption, HashArg, ShareArg, Signing, UserArg},
    runtime::RuntimeKind,
    url::{ServerUrl, SmbUrl},
};

const EXAMPLES: &str = "\
Examples:
  sansmb serve .                                      this folder, and what to type to use it
  sansmb ls -U alice smb://nas.example/photos         a password is asked for
  sansmb get -r -U alice smb://nas.example/photos/2026
  sansmb put -U alice notes.txt smb://nas.example/docs/

Exit codes: 0 done; 1 a server, a file or the network said no; 2 wrong usage.";

/// Serves folders to SMB clients and copies files from and to SMB servers.
#[derive(Debug, Parser)]
#[command(name = "sansmb", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Say more on standard error; twice for still more (or set SANSMB_LOG)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve folders to any SMB client
    Serve(Serve),
    /// List directories
    Ls(Ls),
    /// Write files to standard output
    Cat(Paths),
    /// Make directories
    Mkdir(Mkdir),
    /// Remove files
    Rm(Rm),
    /// Remove empty directories
    Rmdir(Paths),
    /// Tell everything about files
    Stat(Paths),
    /// Tell how much space a share has
    Df(Paths),
    /// Copy a file from a server; it appears under its name once it is complete
    Get(Get),
    /// Copy a file to a server; it appears under its name once it is complete
    Put(Put),
    /// Give a file another name on the same share
    Mv(Mv),
    /// List the shares of a server
    Shares(Shares),
    /// Tell what a server can: dialects, ciphers, signing
    Probe(Probe),
    /// Measure how fast a server reads, writes and handles small files
    Bench(Bench),
    /// Show the SMB messages in a capture, one a line; -v shows every field
    Decode(Decode),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The folder to serve as `share`; without any share, the current one
    pub(crate) path: Option<PathBuf>,
    /// Serve a folder under a name, read-only with :ro, encrypted with :encrypt, compressed on the
    /// way with :compress, with :abe without what the user may not read, and with :ca for handles
    /// that outlive the server
    #[arg(long, value_name = "NAME=PATH[:ro][:encrypt][:compress][:abe][:ca]")]
    pub(crate) share: Vec<ShareArg>,
    /// Serve an empty share that is kept in memory
    #[arg(long, value_name = "NAME")]
    pub(crate) memory: Vec<String>,
    /// Let a user in; without any, one is made up and printed
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub(crate) user: Vec<UserArg>,
    /// The same with the NT hash of the password
    #[arg(long, value_name = "NAME:NTHASH")]
    pub(crate) user_hash: Vec<HashArg>,
    /// Let everybody in
    #[arg(long)]
    pub(crate) guest: bool,
    /// Where to listen: 0.0.0.0 is every address, port 445 what Windows expects [default: 127.0.0.1:4455]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// What runs the sockets [default: tokio]
    #[arg(long, value_enum)]
    pub(crate) runtime: Option<RuntimeKind>,
    /// The oldest dialect to speak [default: 2.0.2]
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub(crate) min_dialect: Option<Dialect>,
    /// The newest dialect to speak [default: 3.1.1]
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub(crate) max_dialect: Option<Dialect>,
    /// Whether clients have to sign [default: enabled]
    #[arg(long, value_enum)]
    pub(crate) signing: Option<Signing>,
    /// Whether to encrypt [default: enabled]
    #[arg(long, value_enum)]
    pub(crate) encryption: Option<Encryption>,
    /// Where to keep what :ca needs after a restart [default: $XDG_STATE_HOME/sansmb, ~/.local/state/sansmb]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Read all this from a file; see serve.example.toml
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
}

/// How to reach a server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Access {
    /// Who you are: [DOMAIN\]USER[%PASSWORD]; `%` alone is anonymous. Without a password,
    /// SANSMB_PASSWORD is taken, or you are asked
    #[arg(short = 'U', long = "user", value_name = "USER[%PASSWORD]", help_heading = "Connection")]
    pub(crate) user: Option<String>,
    /// The password is an NT hash: 32 hexadecimal digits
    #[arg(long, help_heading = "Connection")]
    pub(crate) nt_hash: bool,
    /// Log on as guest, or accept to be one
    #[arg(long, help_heading = "Connection")]
    pub(crate) guest: bool,
    /// What runs the sockets
    #[arg(long, value_enum, default_value_t, help_heading = "Connection")]
    pub(crate) runtime: RuntimeKind,
    /// Speak this dialect only: 2.0.2, 2.1, 3.0, 3.0.2 or 3.1.1
    #[arg(long, value_name = "DIALECT", value_parser = dialect, help_heading = "Connection")]
    pub(crate) dialect: Option<Dialect>,
    /// Refuse servers that do not sign
    #[arg(long, help_heading = "Connection")]
    pub(crate) sign: bool,
    /// Encrypt everything, or fail
    #[arg(long, help_heading = "Connection")]
    pub(crate) encrypt: bool,
    /// Offer this cipher only
    #[arg(long, value_enum, help_heading = "Connection")]
    pub(crate) cipher: Option<CipherName>,
    /// Offer this signing algorithm only
    #[arg(long, value_enum, help_heading = "Connection")]
    pub(crate) signer: Option<SignerName>,
    /// Compress on the way what shrinks, where the server can (3.1.1)
    #[arg(long, help_heading = "Connection")]
    pub(crate) compress: bool,
    /// Offer this way to compress only
    #[arg(long, value_enum, requires = "compress", help_heading = "Connection")]
    pub(crate) compressor: Option<CompressorName>,
    /// Give up on a server that is silent for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT, value_parser = seconds(), help_heading = "Connection")]
    pub(crate) timeout: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Paths {
    /// smb://[USER@]HOST[:PORT]/SHARE[/PATH]
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<SmbUrl>,
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) paths: Paths,
    /// List what is in the directories below, too
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Mkdir {
    #[command(flatten)]
    pub(crate) paths: Paths,
    /// Make the directories on the way, too; what exists is no error
    #[arg(short, long)]
    pub(crate) parents: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    pub(crate) paths: Paths,
    /// Remove directories and all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// smb://[USER@]HOST[:PORT]/SHARE[/PATH]
    pub(crate) url: SmbUrl,
    /// A file or directory; `-` is standard output. Without it, the same name here
    pub(crate) local: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: Access,
    /// Copy a directory with all that is in it
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    /// A file or directory; `-` is standard input
    pub(crate) local: PathBuf,
    /// smb://[USER@]HOST[:PORT]/SHARE[/PATH]
    pub(crate) url: SmbUrl,
    #[command(flatten)]
    pub(crate) access: Access,
    /// Copy a directory with all that is in it
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Mv {
    /// The file or directory
    #[arg(value_name = "URL")]
    pub(crate) from: SmbUrl,
    /// Its new name, or the directory to move it to, on the same share
    #[arg(value_name = "URL")]
    pub(crate) to: SmbUrl,
    /// Replace a file that has the new name
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Shares {
    /// smb://[USER@]HOST[:PORT]
    #[arg(value_name = "URL")]
    pub(crate) server: ServerUrl,
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Probe {
    /// HOST[:PORT]
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) server: ServerUrl,
    /// What runs the sockets
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: RuntimeKind,
    /// Give up on a server that is silent for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT, value_parser = seconds())]
    pub(crate) timeout: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// A directory that can be written to; what is made in it is removed at the end
    #[arg(value_name = "URL")]
    pub(crate) url: SmbUrl,
    /// Length of the large file, in MiB; 0 leaves it out
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(..=1_048_576))]
    pub(crate) mib: u32,
    /// How many small files to make; 0 leaves them out
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub(crate) files: u32,
    /// Length of a small file, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(..=1_048_576))]
    pub(crate) size: u32,
    /// How many small files are worked on at a time, or clients log on
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) jobs: u32,
    /// Over how many connections, each with a session of its own, the small files go; each lists all of them
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) connections: u32,
    /// Measure so many clients instead: each logs on, then all read and write at once, one request each
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["mib", "files", "size", "connections"],
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) clients: Option<u32>,
    /// How many blocks of 64 KiB they read (70 of 100) and write together; 0 leaves them logged on alone
    #[arg(long, value_name = "COUNT", requires = "clients", default_value_t = 20_000)]
    pub(crate) blocks: u32,
    /// How long to keep them idle before they go, in seconds
    #[arg(long, value_name = "SECONDS", requires = "clients", default_value_t = 0)]
    pub(crate) idle: u32,
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Decode {
    /// A capture: pcap or pcapng; `-` is standard input
    pub(crate) file: PathBuf,
    /// It is text instead: messages or frames in hexadecimal digits, an empty line between them
    #[arg(long)]
    pub(crate) hex: bool,
    /// Keys of encrypted sessions, as in testdata/captures/*.keys.json
    #[arg(long, value_name = "FILE.json")]
    pub(crate) keys: Option<PathBuf>,
    /// Print what does not come back as it was when it is encoded again
    #[arg(long, hide = true)]
    pub(crate) roundtrip: bool,
}

/// How long a server may be silent, in seconds.
const TIMEOUT: u32 = 30;

fn seconds() -> impl clap::builder::TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=86_400)
}

/// A cipher as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CipherName {
    #[value(name = "aes-128-ccm")]
    Aes128Ccm,
    #[value(name = "aes-128-gcm")]
    Aes128Gcm,
    #[value(name = "aes-256-ccm")]
    Aes256Ccm,
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
}

impl From<CipherName> for Cipher {
    fn from(name: CipherName) -> Self {
        match name {
            CipherName::Aes128Ccm => Self::AES_128_CCM,
            CipherName::Aes128Gcm => Self::AES_128_GCM,
            CipherName::Aes256Ccm => Self::AES_256_CCM,
            CipherName::Aes256Gcm => Self::AES_256_GCM,
        }
    }
}

/// A signing algorithm as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignerName {
    HmacSha256,
    AesCmac,
    AesGmac,
}

impl From<SignerName> for SigningAlgorithm {
    fn from(name: SignerName) -> Self {
        match name {
            SignerName::HmacSha256 => Self::HMAC_SHA256,
            SignerName::AesCmac => Self::AES_CMAC,
            SignerName::AesGmac => Self::AES_GMAC,
        }
    }
}

/// An algorithm of compression as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressorName {
    Lz4,
    Lz77,
    #[value(name = "lz77-huffman")]
    Lz77Huffman,
    Lznt1,
    #[value(name = "pattern-v1")]
    PatternV1,
}

impl From<CompressorName> for CompressionAlgorithm {
    fn from(name: CompressorName) -> Self {
        match name {
            CompressorName::Lz4 => Self::LZ4,
            CompressorName::Lz77 => Self::LZ77,
            CompressorName::Lz77Huffman => Self::LZ77_HUFFMAN,
            CompressorName::Lznt1 => Self::LZNT1,
            CompressorName::PatternV1 => Self::PATTERN_V1,
        }
    }
}

/// Reads the name of a dialect.
pub(crate) fn dialect(text: &str) -> Result<Dialect, String> {
    Dialect::ALL
        .into_iter()
        .find(|dialect| dialect_name(*dialect) == text)
        .ok_or_else(|| "the dialects are 2.0.2, 2.1, 3.0, 3.0.2 and 3.1.1".to_owned())
}

/// How a dialect is written.
pub(crate) fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::SMB2_0_2 => "2.0.2",
        Dialect::SMB2_1 => "2.1",
        Dialect::SMB3_0 => "3.0",
        Dialect::SMB3_0_2 => "3.0.2",
        Dialect::SMB3_1_1 => "3.1.1",
        _ => "unknown",
    }
}
