//! The services behind the pipes.

use std::collections::{BTreeMap, BTreeSet};

use sansmb::{
    auth::{Identity, IdentityKind},
    rpc::{FaultStatus, RpcCall, RpcServer, SyntaxId, lsarpc as lsa, srvsvc as srv, wkssvc as wks},
    time::FileTime,
    wire::dtyp::Sid,
};

use super::{lsarpc::Policies, srvsvc, usage::Use, wkssvc};
use crate::{
    config::FileServerConfig,
    security::Accounts,
    shares::Shares,
    text::{fold, same_name},
};

/// The workgroup that a server says it belongs to, which is in no domain.
pub(super) const WORKGROUP: &str = "WORKGROUP";
/// PLATFORM_ID_NT.
pub(super) const PLATFORM: u32 = 500;
/// The version of Windows that clients are told.
pub(super) const VERSION: (u32, u32) = (10, 0);

static SRVSVC: [SyntaxId; 1] = [srv::INTERFACE];
static WKSSVC: [SyntaxId; 1] = [wks::INTERFACE];
static LSARPC: [SyntaxId; 1] = [lsa::INTERFACE];

/// What listens on a pipe, with what it has to remember of its client.
#[derive(Debug)]
pub(super) enum Service {
    Srvsvc,
    Wkssvc,
    Lsarpc(Policies),
}

/// What the services know, and who asks.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) config: &'a FileServerConfig,
    pub(super) shares: &'a Shares,
    pub(super) accounts: &'a Accounts,
    pub(super) caller: &'a Identity,
    /// The identifier of the caller.
    pub(super) caller_sid: Sid,
    pub(super) administrator: bool,
    /// Users who are logged on, by folded name; for administrators only.
    pub(super) users: BTreeMap<String, &'a Identity>,
    /// How many use each share, of those who have something open there; for administrators only.
    pub(super) uses: BTreeMap<String, u32>,
    /// What the call lists of who uses the server; for administrators only.
    pub(super) usage: Vec<Use>,
    pub(super) wall: FileTime,
}

impl Service {
    /// What listens on the pipe of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            _ if same_name(name, srv::PIPE) => Some(Self::Srvsvc),
            _ if same_name(name, wks::PIPE) => Some(Self::Wkssvc),
            _ if same_name(name, lsa::PIPE) => Some(Self::Lsarpc(Policies::default())),
            _ => None,
        }
    }

    /// The name of its pipe.
    pub(super) fn pipe(&self) -> &'static str {
        match self {
            Self::Srvsvc => srv::PIPE,
            Self::Wkssvc => wks::PIPE,
            Self::Lsarpc(_) => lsa::PIPE,
        }
    }

    /// The server's end of a new pipe.
    pub(super) fn server(&self) -> RpcServer {
        match self {
            Self::Srvsvc => RpcServer::new(r"\PIPE\srvsvc", &SRVSVC),
            Self::Wkssvc => RpcServer::new(r"\PIPE\wkssvc", &WKSSVC),
            Self::Lsarpc(_) => RpcServer::new(r"\PIPE\lsarpc", &LSARPC),
        }
    }

    /// Answers one call.
    pub(super) fn answer(&mut self, site: &Site<'_>, call: &RpcCall) -> Result<Vec<u8>, FaultStatus> {
        match self {
            Self::Srvsvc => srvsvc::answer(site, call),
            Self::Wkssvc => wkssvc::answer(site, call),
            Self::Lsarpc(policies) => policies.answer(site, call),
        }
    }
}

/// The users among those who are logged on, each once.
pub(super) fn users<'a>(identities: impl Iterator<Item = &'a Identity>) -> BTreeMap<String, &'a Identity> {
    let users = identities.filter(|identity| identity.kind == IdentityKind::User);
    users.map(|identity| (fold(&identity.user), identity)).collect()
}

/// A part of a list that is fetched in parts: elements from `resume` on with about `room` bytes, of
/// which `size` says what one takes, and where to go on. One comes in any case, so that every call
/// gets further.
pub(super) fn part<T>(
    list: &[T],
    resume: Option<u32>,
    room: u32,
    size: impl Fn(&T) -> usize,
) -> (&[T], Option<u32>, srv::NetStatus) {
    let start = resume.unwrap_or_default() as usize;
    let rest = list.get(start..).unwrap_or_default();
    let mut room = room as usize;
    let fitting = rest
        .iter()
        .take_while(|element| room.checked_sub(size(element)).inspect(|left| room = *left).is_some());
    let count = fitting.count().max(1).min(rest.len());
    let more = count < rest.len();
    let next = resume.map(|_| if more { (start + count) as u32 } else { 0 });
    let status = if more { srv::NetStatus::MORE_DATA } else { srv::NetStatus::SUCCESS };
    (rest.get(..count).unwrap_or_default(), next, status)
}

/// How many different things `keys` has of each name.
pub(super) fn count<K: Ord>(keys: impl Iterator<Item = (String, K)>) -> BTreeMap<String, u32> {
    let different: BTreeSet<(String, K)> = keys.collect();
    let mut counts = BTreeMap::new();
    for (name, _) in different {
        *counts.entry(name).or_default() += 1;
    }
    counts
}
