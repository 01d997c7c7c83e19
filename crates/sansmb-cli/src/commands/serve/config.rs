//! What is to be served, from the command line and from a file.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::ValueEnum;
use sansmb::{
    server::EncryptionPolicy,
    wire::{Dialect, dtyp::Sid},
};
use serde::Deserialize;

use crate::{
    args::{Serve, dialect},
    client::hash,
    failure::{About, Failure, Result},
    runtime::RuntimeKind,
};

/// Port 445 is for root alone, and other programs on this machine are trusted more than the network.
const DEFAULT_LISTEN: &str = "127.0.0.1:4455";

/// Everything that is to be served.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) listen: String,
    pub(super) runtime: RuntimeKind,
    pub(super) min_dialect: Dialect,
    pub(super) max_dialect: Dialect,
    pub(super) signing: Signing,
    pub(super) encryption: Encryption,
    pub(super) guest: bool,
    pub(super) shares: Vec<Share>,
    pub(super) users: Vec<User>,
    pub(super) administrators: Vec<String>,
    pub(super) machine_sid: Option<Sid>,
    /// Where to keep what is needed after a restart.
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) comment: String,
    pub(super) source: Source,
    pub(super) read_only: bool,
    pub(super) encrypt: bool,
    pub(super) compress: bool,
    /// Listings leave out what the user may not read.
    pub(super) abe: bool,
    pub(super) guest: bool,
    pub(super) users: Vec<String>,
    pub(super) change_notify: bool,
    /// Whether files have named streams.
    pub(super) streams: bool,
    /// Handles outlive the server.
    pub(super) continuously_available: bool,
}

impl Share {
    /// A share with nothing special about it.
    fn new(name: impl Into<String>, source: Source) -> Self {
        Self {
            name: name.into(),
            comment: String::new(),
            source,
            read_only: false,
            encrypt: false,
            compress: false,
            abe: false,
            guest: false,
            users: Vec::new(),
            change_notify: true,
            streams: true,
            continuously_available: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Folder(PathBuf),
    Memory,
    /// The files of another share, under rules of its own.
    FilesOf(String),
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) secret: Secret,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("User").field(&self.name).finish()
    }
}

#[derive(Clone)]
pub(super) enum Secret {
    Password(String),
    NtHash([u8; 16]),
}

/// `--signing`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signing {
    /// Where the client wants it, or has a key
    #[default]
    Enabled,
    /// Always: others are refused
    Required,
}

/// `--encryption`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encryption {
    /// Never
    Off,
    /// Where the client or a share wants it
    #[default]
    Enabled,
    /// Always: others are refused
    Required,
}

impl From<Encryption> for EncryptionPolicy {
    fn from(encryption: Encryption) -> Self {
        match encryption {
            Encryption::Off => Self::Off,
            Encryption::Enabled => Self::Enabled,
            Encryption::Required => Self::Required,
        }
    }
}

/// `NAME=PATH[:ro][:encrypt][:compress][:abe][:ca]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareArg {
    name: String,
    path: PathBuf,
    read_only: bool,
    encrypt: bool,
    compress: bool,
    abe: bool,
    continuously_available: bool,
}

impl FromStr for ShareArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, mut path) = text
            .split_once('=')
            .ok_or("it is NAME=PATH, with :ro, :encrypt, :compress, :abe and :ca behind")?;
        let (mut read_only, mut encrypt, mut abe) = (false, false, false);
        let (mut compress, mut continuously_available) = (false, false);
        loop {
            if let Some(rest) = path.strip_suffix(":ro") {
                (path, read_only) = (rest, true);
            } else if let Some(rest) = path.strip_suffix(":encrypt") {
                (path, encrypt) = (rest, true);
            } else if let Some(rest) = path.strip_suffix(":compress") {
                (path, compress) = (rest, true);
            } else if let Some(rest) = path.strip_suffix(":abe") {
                (path, abe) = (rest, true);
            } else if let Some(rest) = path.strip_suffix(":ca") {
                (path, continuously_available) = (rest, true);
            } else {
                break;
            }
        }
        if path.is_empty() {
            return Err("there is no path in it");
        }
        let (name, path) = (name.to_owned(), path.into());
        Ok(Self { name, path, read_only, encrypt, compress, abe, continuously_available })
    }
}

/// `NAME:PASSWORD`
#[derive(Clone)]
pub(crate) struct UserArg(User);

/// `NAME:NTHASH`
#[derive(Clone)]
pub(crate) struct HashArg(User);

impl std::fmt::Debug for UserArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for HashArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((name, password)) if !name.is_empty() => {
                Ok(Self(User { name: name.to_owned(), secret: Secret::Password(password.to_owned()) }))
            }
            _ => Err("it is NAME:PASSWORD"),
        }
    }
}

impl FromStr for HashArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let why = "it is NAME:NTHASH, the hash in 32 hexadecimal digits";
        let (name, digits) = text.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or(why)?;
        let secret = Secret::NtHash(hash(digits).ok_or(why)?);
        Ok(Self(User { name: name.to_owned(), secret }))
    }
}

/// The file of `--config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConfigFile {
    name: Option<String>,
    listen: Option<String>,
    runtime: Option<String>,
    min_dialect: Option<String>,
    max_dialect: Option<String>,
    signing: Option<Signing>,
    encryption: Option<Encryption>,
    #[serde(default)]
    guest: bool,
    #[serde(default)]
    administrators: Vec<String>,
    machine_sid: Option<String>,
    state: Option<PathBuf>,
    #[serde(default)]
    share: Vec<ShareEntry>,
    #[serde(default)]
    user: Vec<UserEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ShareEntry {
    name: String,
    path: Option<PathBuf>,
    #[serde(default)]
    memory: bool,
    files_of: Option<String>,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    encrypt: bool,
    #[serde(default)]
    compress: bool,
    #[serde(default)]
    hide_unreadable: bool,
    #[serde(default)]
    guest: bool,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default = "yes")]
    change_notify: bool,
    #[serde(default = "yes")]
    streams: bool,
    #[serde(default)]
    continuous_availability: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UserEntry {
    name: String,
    password: Option<String>,
    nt_hash: Option<String>,
}

impl std::fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UserEntry").field(&self.name).finish()
    }
}

impl Plan {
    pub(super) fn new(args: &Serve) -> Result<Self> {
        let file = match &args.config {
            Some(path) => ConfigFile::read(path)?,
            None => ConfigFile::default(),
        };
        let in_file = |why: String| Failure::usage(in_config(args, &why));
        let dialect_of = |arg: Option<Dialect>, text: Option<&String>, default| match (arg, text) {
            (Some(dialect), _) => Ok(dialect),
            (None, Some(text)) => dialect(text).map_err(|why| in_file(format!("{text:?}: {why}"))),
            (None, None) => Ok(default),
        };
        let runtime = match (args.runtime, &file.runtime) {
            (Some(runtime), _) => runtime,
            (None, Some(text)) => RuntimeKind::from_str(text, false)
                .map_err(|_| in_file(format!("{text:?}: the runtimes are tokio, smol and blocking")))?,
            (None, None) => RuntimeKind::default(),
        };
        let mut plan = Self {
            name: file.name.clone().unwrap_or_else(|| "SANSMB".to_owned()),
            listen: args.listen.clone().or(file.listen.clone()).unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
            runtime,
            min_dialect: dialect_of(args.min_dialect, file.min_dialect.as_ref(), Dialect::SMB2_0_2)?,
            max_dialect: dialect_of(args.max_dialect, file.max_dialect.as_ref(), Dialect::SMB3_1_1)?,
            signing: args.signing.or(file.signing).unwrap_or_default(),
            encryption: args.encryption.or(file.encryption).unwrap_or_default(),
            guest: args.guest || file.guest,
            shares: Vec::new(),
            users: Vec::new(),
            administrators: file.administrators,
            machine_sid: None,
            state: args.state.clone().or(file.state),
        };
        if let Some(text) = &file.machine_sid {
            let sid = text.parse().map_err(|why| in_file(format!("machine-sid {text:?}: {why}")))?;
            plan.machine_sid = Some(sid);
        }
        for entry in file.share {
            plan.shares.push(entry.share().map_err(in_file)?);
        }
        for entry in file.user {
            plan.users.push(entry.user().map_err(in_file)?);
        }
        plan.take_arguments(args);
        plan.check()?;
        Ok(plan)
    }

    fn take_arguments(&mut self, args: &Serve) {
        for arg in &args.share {
            self.shares.push(Share {
                read_only: arg.read_only,
                encrypt: arg.encrypt,
                compress: arg.compress,
                abe: arg.abe,
                continuously_available: arg.continuously_available,
                ..Share::new(&arg.name, Source::Folder(arg.path.clone()))
            });
        }
        self.shares.extend(args.memory.iter().map(|name| Share::new(name, Source::Memory)));
        match &args.path {
            Some(path) => self.shares.insert(0, Share::new("share", Source::Folder(path.clone()))),
            None if self.shares.is_empty() => {
                self.shares.push(Share::new("share", Source::Folder(".".into())));
            }
            None => {}
        }
        self.users.extend(args.user.iter().map(|arg| arg.0.clone()));
        self.users.extend(args.user_hash.iter().map(|arg| arg.0.clone()));
    }

    fn check(&self) -> Result<()> {
        if self.min_dialect > self.max_dialect {
            return Err(Failure::usage("the oldest dialect is newer than the newest one"));
        }
        let mut names = Vec::new();
        for share in &self.shares {
            let name = share.name.to_lowercase();
            let bad = name.is_empty()
                || name.chars().count() > 80
                || name.contains(|c: char| c.is_control() || r#""\/[]:|<>+=;,*?"#.contains(c));
            if bad {
                return Err(Failure::usage(format!("{:?} cannot be the name of a share", share.name)));
            }
            if name == "ipc$" {
                return Err(Failure::usage("IPC$ is there by itself"));
            }
            if names.contains(&name) {
                return Err(Failure::usage(format!("two shares have the name {:?}", share.name)));
            }
            names.push(name);
            if let Some(user) = share.users.iter().find(|user| !self.has_user(user)) {
                return Err(Failure::usage(format!("share {:?}: there is no user {user:?}", share.name)));
            }
        }
        if let Some(user) = self.administrators.iter().find(|user| !self.has_user(user)) {
            return Err(Failure::usage(format!("administrators: there is no user {user:?}")));
        }
        Ok(())
    }

    fn has_user(&self, name: &str) -> bool {
        self.users.iter().any(|user| user.name.to_lowercase() == name.to_lowercase())
    }

    pub(super) fn lets_guests_in(&self) -> bool {
        self.guest || self.shares.iter().any(|share| share.guest)
    }
}

fn in_config(args: &Serve, why: &str) -> String {
    match &args.config {
        Some(path) => format!("{}: {why}", path.display()),
        None => why.to_owned(),
    }
}

impl ConfigFile {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).about(path.display())?;
        warn_if_others_can_read(path);
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            let why = error.message().replace('\n', " ");
            Failure::usage(format!("{}, line {line}: {why}", path.display()))
        })
    }
}

/// There are passwords in it.
fn warn_if_others_can_read(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o044 != 0
    {
        tracing::info!("{}: others can read this file and the passwords in it", path.display());
    }
    #[cfg(not(unix))]
    let _ = path;
}

impl ShareEntry {
    fn share(self) -> Result<Share, String> {
        let source = match (self.path, self.memory, self.files_of) {
            (Some(path), false, None) => Source::Folder(path),
            (None, true, None) => Source::Memory,
            (None, false, Some(other)) => Source::FilesOf(other),
            _ => return Err(format!("share {:?}: either a path, memory = true or files-of", self.name)),
        };
        if self.guest && !self.users.is_empty() {
            return Err(format!("share {:?}: either guest or users", self.name));
        }
        Ok(Share {
            name: self.name,
            comment: self.comment,
            source,
            read_only: self.read_only,
            encrypt: self.encrypt,
            compress: self.compress,
            abe: self.hide_unreadable,
            guest: self.guest,
            users: self.users,
            change_notify: self.change_notify,
            streams: self.streams,
            continuously_available: self.continuous_availability,
        })
    }
}

impl UserEntry {
    fn user(self) -> Result<User, String> {
        let secret = match (self.password, self.nt_hash) {
            (Some(password), None) => Secret::Password(password),
            (None, Some(digits)) => match hash(&digits) {
                Some(hash) => Secret::NtHash(hash),
                None => return Err(format!("user {:?}: nt-hash is 32 hexadecimal digits", self.name)),
            },
            _ => return Err(format!("user {:?}: either password or nt-hash", self.name)),
        };
        Ok(User { name: self.name, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_arguments() {
        let arg = |text: &str| text.parse::<ShareArg>().unwrap();
        let share = arg("docs=/srv/docs:ro:encrypt");
        assert_eq!((share.name.as_str(), share.path.to_str()), ("docs", Some("/srv/docs")));
        assert!(share.read_only && share.encrypt && !share.abe);
        assert!(arg("docs=/srv/docs:abe").abe);
        assert!(arg("docs=/srv/docs:compress:ro").compress);
        let share = arg("docs=/srv/docs:ca:ro");
        assert!(share.continuously_available && share.read_only);
        let share = arg("d=C:\\docs:encrypt");
        assert_eq!(share.path.to_str(), Some("C:\\docs"));
        assert!(!share.read_only && share.encrypt);
        assert!("docs".parse::<ShareArg>().is_err());
        assert!("docs=:ro".parse::<ShareArg>().is_err());
    }

    #[test]
    fn user_arguments() {
        let UserArg(user) = "bob:a:b".parse().unwrap();
        assert!(matches!(user.secret, Secret::Password(password) if password == "a:b"));
        assert!("bob".parse::<UserArg>().is_err());
        assert!(":x".parse::<UserArg>().is_err());
        assert!("bob:0123456789abcdef0123456789ABCDEF".parse::<HashArg>().is_ok());
        assert!("bob:0123".parse::<HashArg>().is_err());
    }

    #[test]
    fn the_example_is_valid_and_says_everything() {
        let text = include_str!("../../../serve.example.toml");
        let file: ConfigFile = toml::from_str(text).unwrap();
        assert!(file.name.is_some() && file.listen.is_some() && file.runtime.is_some());
        assert!(file.min_dialect.is_some() && file.max_dialect.is_some());
        assert!(file.signing.is_some() && file.encryption.is_some() && file.state.is_some());
        assert!(file.share.len() >= 3 && file.user.len() >= 2);
        file.share.into_iter().for_each(|entry| drop(entry.share().unwrap()));
        file.user.into_iter().for_each(|entry| drop(entry.user().unwrap()));
    }
}
