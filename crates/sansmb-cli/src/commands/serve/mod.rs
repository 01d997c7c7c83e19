//! `sansmb serve`: a file server in one command.

mod announce;
mod config;
mod interfaces;
mod state;

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    pin::pin,
    sync::Arc,
};

use sansmb::server::ServerConfig;
use sansmb_async::{
    Runtime,
    server::{Server, ServerHandle, settings},
};
use sansmb_auth::{AcceptorConfig, MapToGuest, SpnegoAcceptor, UserTable};
use sansmb_blocking::ThreadRuntime;
use sansmb_fileserver::{Access, FileServerConfig, ShareConfig, storage::Storage};
use sansmb_smol::SmolRuntime;
use sansmb_storage::{Memory, MemoryOptions};
use sansmb_tokio::TokioRuntime;

pub(crate) use self::config::{Encryption, HashArg, ShareArg, Signing, UserArg};
use self::config::{Plan, Secret, Share, Source};
use crate::{
    args::Serve,
    failure::{Failure, Result, io_words},
    interrupt::Interrupt,
    runtime::RuntimeKind,
};

pub(super) fn run(args: &Serve, interrupt: &Interrupt) -> Result<()> {
    let mut plan = Plan::new(args)?;
    let made_up = plan.users.is_empty().then(announce::made_up_user);
    plan.users.extend(made_up.clone());
    let addr = resolve(&plan.listen)?;
    let (server, mut files) = settings_of(&plan)?;
    files.interfaces = interfaces::reachable(addr);
    files.store = state::store(&plan)?;
    let serve = Serving { plan: &plan, made_up: made_up.is_some(), addr, interrupt };
    match plan.runtime {
        RuntimeKind::Tokio => plan.runtime.block_on(serve.on(&TokioRuntime, server, files)),
        RuntimeKind::Smol => plan.runtime.block_on(serve.on(&SmolRuntime::default(), server, files)),
        RuntimeKind::Blocking => plan.runtime.block_on(serve.on(&ThreadRuntime, server, files)),
    }
}

fn resolve(listen: &str) -> Result<SocketAddr> {
    match listen.to_socket_addrs().map(|mut addrs| addrs.next()) {
        Ok(Some(addr)) => Ok(addr),
        Ok(None) => Err(Failure::usage(format!("--listen {listen}: the name has no address"))),
        Err(error) => {
            let why = io_words(&error);
            Err(Failure::usage(format!("--listen {listen}: {why}; it is HOST:PORT, as in 127.0.0.1:4455")))
        }
    }
}

fn settings_of(plan: &Plan) -> Result<(ServerConfig, FileServerConfig)> {
    let mut users = UserTable::new();
    for user in &plan.users {
        match &user.secret {
            Secret::Password(password) => users.add_password(&user.name, password),
            Secret::NtHash(hash) => users.add_nt_hash(&user.name, *hash),
        }
    }
    let shares = share_configs(plan)?;
    let (mut server, mut files) = settings(&plan.name, users.clone(), shares);
    server.min_dialect = plan.min_dialect;
    server.max_dialect = plan.max_dialect;
    server.require_signing = plan.signing == Signing::Required;
    server.encryption = plan.encryption.into();
    files.comment = "sansmb".to_owned();
    files.administrators.clone_from(&plan.administrators);
    files.machine_sid = plan.machine_sid;
    if plan.lets_guests_in() {
        let mut acceptor = AcceptorConfig::new(&plan.name, Arc::new(users));
        acceptor.map_to_guest = MapToGuest::BadUser;
        acceptor.allow_anonymous = true;
        files.acceptor = Arc::new(SpnegoAcceptor::new(acceptor));
    }
    Ok((server, files))
}

/// The shares. Those that have the same files get the same storage, so that they know of one another's
/// opens and locks.
fn share_configs(plan: &Plan) -> Result<Vec<ShareConfig>> {
    let homes = plan.shares.iter().map(|share| home(plan, share)).collect::<Result<Vec<_>>>()?;
    let mut storages: BTreeMap<usize, Arc<dyn Storage>> = BTreeMap::new();
    let mut configs = Vec::new();
    for (share, home) in plan.shares.iter().zip(&homes) {
        let storage = match (storages.get(home), &share.source) {
            (Some(storage), _) => Arc::clone(storage),
            (None, Source::Folder(path)) => {
                let mut sharing = plan.shares.iter().zip(&homes).filter(|(_, other)| *other == home);
                folder(path, &share.name, sharing.all(|(share, _)| share.read_only))?
            }
            (None, _) => Arc::new(Memory::new(MemoryOptions::default())),
        };
        storages.insert(*home, Arc::clone(&storage));
        configs.push(share_config(plan, share, storage));
    }
    Ok(configs)
}

/// Which share has the files of this one: the first that names the folder.
fn home(plan: &Plan, share: &Share) -> Result<usize> {
    let found = match &share.source {
        Source::FilesOf(name) => {
            let of = |other: &&Share| other.name.to_lowercase() == name.to_lowercase();
            let other = plan.shares.iter().find(of);
            let other = other.filter(|other| !matches!(other.source, Source::FilesOf(_)));
            other.map(|other| home(plan, other)).transpose()?
        }
        Source::Folder(_) => plan.shares.iter().position(|other| other.source == share.source),
        Source::Memory => plan.shares.iter().position(|other| other.name == share.name),
    };
    found.ok_or_else(|| Failure::usage(format!("share {:?}: files-of names no share with files", share.name)))
}

fn share_config(plan: &Plan, share: &Share, storage: Arc<dyn Storage>) -> ShareConfig {
    let mut config = ShareConfig::new(&share.name, storage);
    config.comment.clone_from(&share.comment);
    config.path = shown_path(plan, share);
    config.read_only = share.read_only;
    config.encrypt = share.encrypt;
    config.compress = share.compress;
    config.change_notify = share.change_notify;
    config.named_streams = share.streams;
    config.access_based_enumeration = share.abe;
    config.continuously_available = share.continuously_available;
    config.access = match share.users.as_slice() {
        _ if share.guest || (plan.guest && share.users.is_empty()) => Access::Guests,
        [] => Access::Users,
        users => Access::List(users.to_vec()),
    };
    config
}

/// Where the files of a share are, as administrators see it: in the form of Windows.
fn shown_path(plan: &Plan, share: &Share) -> String {
    let source = home(plan, share).ok().and_then(|home| plan.shares.get(home)).map(|home| &home.source);
    let Some(Source::Folder(path)) = source else { return String::new() };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    format!("C:{}", path.to_string_lossy().replace('/', "\\"))
}

#[cfg(target_os = "linux")]
fn folder(path: &Path, label: &str, read_only: bool) -> Result<Arc<dyn Storage>> {
    let mut options = sansmb_storage::LocalOptions::default();
    options.read_only = read_only;
    options.label = label.to_owned();
    match sansmb_storage::LocalDir::open(path, options) {
        Ok(dir) => Ok(Arc::new(dir)),
        Err(error) => Err(Failure::refused(path.display(), io_words(&error))),
    }
}

#[cfg(not(target_os = "linux"))]
fn folder(path: &Path, _label: &str, _read_only: bool) -> Result<Arc<dyn Storage>> {
    Err(Failure::refused(path.display(), "folders can be served on Linux only; --memory works everywhere"))
}

struct Serving<'a> {
    plan: &'a Plan,
    made_up: bool,
    addr: SocketAddr,
    interrupt: &'a Interrupt,
}

impl Serving<'_> {
    async fn on<R: Runtime>(self, runtime: &R, server: ServerConfig, files: FileServerConfig) -> Result<()> {
        let cannot =
            |error| Failure::refused(format_args!("cannot listen on {}", self.plan.listen), io_words(&error));
        let server = Server::bind(runtime, self.addr, server, files).await.map_err(cannot)?;
        let addr = server.local_addr().map_err(cannot)?;
        announce::announce(self.plan, addr, self.made_up);
        let handle = server.handle();
        self.until_interrupted(handle, server.run()).await;
        Ok(())
    }

    async fn until_interrupted(&self, handle: ServerHandle, run: impl Future<Output = ()>) {
        let mut run = pin!(run);
        let (mut waiter, mut stopping) = (self.interrupt.waiter(), false);
        poll_fn(|cx| {
            if !stopping && waiter.poll(cx).is_ready() {
                stopping = true;
                announce::stopping(handle.stats().connections);
                handle.stop();
            }
            run.as_mut().poll(cx)
        })
        .await;
    }
}
