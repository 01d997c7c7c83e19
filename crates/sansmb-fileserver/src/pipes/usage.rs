//! Who uses the server, for its administrators: [MS-SRVS] 3.1.4.1, 3.1.4.2, 3.1.4.4 and 3.1.4.5, and what
//! [MS-SMB2] 3.3.4.17 to 3.3.4.20 say of sessions, tree connects and opens.
//!
//! A machine is named by its ClientGuid, since addresses are the drivers' business. A tree connect is known by
//! what is open through it.

use std::collections::BTreeMap;

use sansmb::{
    auth::IdentityKind,
    rpc::{
        FaultStatus,
        srvsvc::{
            ConnectionInfo, FileCloseResponse, FileInfo, FilePermissions, NetStatus, SessionInfo,
            SessionUserFlags, ShareKind, SrvsvcRequest, UsageInfo, UsageKind, UsageResponse,
        },
    },
    wire::{AccessMask, SessionId, TreeId, Utf16, Utf16Buf},
};

use super::service::{Site, part};
use crate::{
    close::CloseReply,
    opens::{Object, Open, OpenId},
    server::FileServer,
    session::Session,
    shares::IPC_NAME,
    text::{fold, same_name},
};

/// Longest name that a client may ask for, in UTF-16 units without the NUL.
const MAX_QUALIFIER: usize = 1023;

/// One use of the server.
#[derive(Debug)]
pub(super) struct Use {
    /// The machine.
    client: Utf16Buf,
    user: Utf16Buf,
    what: What,
}

#[derive(Debug)]
enum What {
    Connection { tree: TreeId, kind: ShareKind, share: Utf16Buf, opens: u32, seconds: u32 },
    File { id: OpenId, permissions: FilePermissions, locks: u32, path: Utf16Buf },
    Session { opens: u32, seconds: u32, idle: u32, flags: SessionUserFlags },
}

impl Use {
    /// In the form that clients see. `by_client`: connections of one machine, not to one share.
    fn info(&self, by_client: bool) -> UsageInfo<'_> {
        let (client, user) = (self.client.as_utf16(), self.user.as_utf16());
        match &self.what {
            What::Connection { tree, kind, share, opens, seconds } => UsageInfo::Connection(ConnectionInfo {
                id: tree.0,
                kind: *kind,
                opens: *opens,
                users: 1,
                seconds: *seconds,
                user,
                net_name: if by_client { share.as_utf16() } else { client },
            }),
            What::File { id, permissions, locks, path } => UsageInfo::File(FileInfo {
                id: number(*id),
                permissions: *permissions,
                locks: *locks,
                path: path.as_utf16(),
                user,
            }),
            What::Session { opens, seconds, idle, flags } => UsageInfo::Session(SessionInfo {
                client,
                user,
                opens: *opens,
                seconds: *seconds,
                idle: *idle,
                flags: *flags,
                ..Default::default()
            }),
        }
    }

    fn is_by(&self, user: &str) -> bool {
        same_name(user, &self.user.as_utf16().to_text_lossy())
    }

    fn is_from(&self, client: &str) -> bool {
        same_name(client, &self.client.as_utf16().to_text_lossy())
    }

    fn is_on(&self, name: &str) -> bool {
        matches!(&self.what, What::Connection { share, .. } if same_name(name, &share.as_utf16().to_text_lossy()))
    }

    fn is_beneath(&self, base: &str) -> bool {
        let What::File { path, .. } = &self.what else { return false };
        let (path, base) = (fold(&path.as_utf16().to_text_lossy()), fold(base.trim_end_matches('\\')));
        path.strip_prefix(&*base).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
    }
}

/// The number by which administrators know an open.
fn number(id: OpenId) -> u32 {
    id.0 as u32
}

/// Answers a method that lists uses, which `site` has for an administrator.
pub(super) fn answer(
    site: &Site<'_>,
    kind: UsageKind,
    qualifier: Option<Utf16<'_>>,
    user: Option<Utf16<'_>>,
    (level, preferred_length, resume): (u32, u32, Option<u32>),
) -> Vec<u8> {
    let given =
        |text: Option<Utf16<'_>>| text.filter(|text| !text.is_empty()).map(|text| text.to_text_lossy());
    let too_long = |text: Option<Utf16<'_>>| text.is_some_and(|text| text.len() / 2 > MAX_QUALIFIER);
    let long = too_long(qualifier) || too_long(user);
    let (qualifier, user) = (given(qualifier), given(user));
    let machine = qualifier.as_deref().and_then(|name| name.strip_prefix(r"\\"));
    let refused = match (kind, &qualifier) {
        _ if !site.administrator => Some(NetStatus::ACCESS_DENIED),
        _ if !kind.is_level(level) => Some(NetStatus::INVALID_LEVEL),
        _ if long => Some(NetStatus::INVALID_PARAMETER),
        (UsageKind::Connections, None) => Some(NetStatus::INVALID_PARAMETER),
        (UsageKind::Connections, Some(name)) if machine.is_none() && !is_share(site, name) => {
            Some(NetStatus::NET_NAME_NOT_FOUND)
        }
        (UsageKind::Sessions, Some(_)) if machine.is_none() => Some(NetStatus::INVALID_COMPUTER),
        _ => None,
    };
    if let Some(status) = refused {
        return UsageResponse::refused(kind, level, status).encode();
    }
    let fits = |one: &&Use| {
        let placed = match (kind, &qualifier, machine) {
            (_, None, _) => true,
            (UsageKind::Files, Some(base), _) => one.is_beneath(base),
            (_, _, Some(machine)) => one.is_from(machine),
            (_, Some(name), None) => one.is_on(name),
        };
        placed && user.as_deref().is_none_or(|user| one.is_by(user))
    };
    let uses: Vec<&Use> = site.usage.iter().filter(fits).collect();
    if kind == UsageKind::Sessions && uses.is_empty() {
        let status = match (&qualifier, &user) {
            (Some(_), _) => Some(NetStatus::CLIENT_NAME_NOT_FOUND),
            (None, Some(_)) => Some(NetStatus::USER_NOT_FOUND),
            (None, None) => None,
        };
        if let Some(status) = status {
            return UsageResponse::refused(kind, level, status).encode();
        }
    }
    let list: Vec<UsageInfo<'_>> = uses.iter().map(|one| one.info(machine.is_some())).collect();
    let size = |info: &UsageInfo<'_>| kind.row_len(level) + info.texts_len(kind, level);
    let (part, resume_handle, status) = part(&list, resume, preferred_length, size);
    let total_entries = list.len().saturating_sub(resume.unwrap_or_default() as usize) as u32;
    UsageResponse { kind, level, list: part.to_vec(), total_entries, resume_handle, status }.encode()
}

fn is_share(site: &Site<'_>, name: &str) -> bool {
    same_name(name, IPC_NAME) || site.shares.find(name).is_some()
}

impl FileServer {
    /// All uses of a kind, in the same order at every call.
    pub(super) fn usage(&self, kind: UsageKind) -> Vec<Use> {
        match kind {
            UsageKind::Sessions => self.session_uses(),
            UsageKind::Files => self.opens.iter().map(|(id, open)| self.file_use(*id, open)).collect(),
            UsageKind::Connections => self.connection_uses(),
        }
    }

    fn session_uses(&self) -> Vec<Use> {
        let known = self.sessions.values().filter_map(|s| Some((s, s.identity.as_ref()?)));
        known
            .map(|(session, identity)| {
                let mut flags = SessionUserFlags::empty();
                flags.set(SessionUserFlags::GUEST, identity.kind == IdentityKind::Guest);
                let what = What::Session {
                    opens: session.opens.len() as u32,
                    seconds: self.seconds(session),
                    idle: seconds(self.now.mono.since(session.used)),
                    flags,
                };
                self.of(Some(session), what)
            })
            .collect()
    }

    fn connection_uses(&self) -> Vec<Use> {
        let mut trees: BTreeMap<(SessionId, TreeId), (&str, ShareKind, u32)> = BTreeMap::new();
        for open in self.opens.values() {
            let (share, kind) = match &open.object {
                Object::File(file) => (file.share.config.name.as_str(), ShareKind::DISK_TREE),
                Object::Pipe(_) => (IPC_NAME, ShareKind::SPECIAL_IPC),
            };
            trees.entry((open.session, open.tree)).or_insert((share, kind, 0)).2 += 1;
        }
        // Opens without a session have no tree connect either.
        let connected = trees
            .into_iter()
            .filter_map(|((session, tree), rest)| Some((self.sessions.get(&session)?, tree, rest)));
        connected
            .map(|(session, tree, (share, kind, opens))| {
                let (share, seconds) = (Utf16Buf::new(share), self.seconds(session));
                self.of(Some(session), What::Connection { tree, kind, share, opens, seconds })
            })
            .collect()
    }

    fn file_use(&self, id: OpenId, open: &Open) -> Use {
        let (path, locks) = match &open.object {
            Object::File(file) => {
                let config = &file.share.config;
                let mut path = match config.path.is_empty() {
                    true => format!(r"\{}", config.name),
                    false => config.path.clone(),
                };
                for name in &file.path.0 {
                    path.push('\\');
                    path.push_str(name);
                }
                if let Some(stream) = &file.stream {
                    path = format!("{path}:{stream}");
                }
                (path, file.locks as u32)
            }
            Object::Pipe(pipe) => (format!(r"\PIPE\{}", pipe.service.pipe()), 0),
        };
        let permissions = permissions(open.granted);
        let what = What::File { id, permissions, locks, path: Utf16Buf::new(&path) };
        let mut one = self.of(self.sessions.get(&open.session), what);
        if let (true, Some(owner)) = (one.user.as_utf16().is_empty(), &open.lasting.made.owner) {
            one.user = Utf16Buf::new(&owner.user);
        }
        one
    }

    fn of(&self, session: Option<&Session>, what: What) -> Use {
        let user = session.and_then(|session| session.identity.as_ref()).map_or("", |who| &who.user);
        let client = session.map(|session| session.client_guid.to_string()).unwrap_or_default();
        Use { client: Utf16Buf::new(&client), user: Utf16Buf::new(user), what }
    }

    fn seconds(&self, session: &Session) -> u32 {
        seconds(self.now.mono.since(session.since))
    }

    /// NetrFileClose: closes something for an administrator, [MS-SMB2] 3.3.4.17.
    pub(super) fn close_for(&mut self, administrator: bool, stub: &[u8]) -> Result<Vec<u8>, FaultStatus> {
        let request = SrvsvcRequest::decode(sansmb::rpc::srvsvc::FILE_CLOSE, stub);
        let Ok(Some(SrvsvcRequest::FileClose { id: wanted, .. })) = request else {
            return Err(FaultStatus::BAD_STUB_DATA);
        };
        let mut opens = self.opens.iter();
        let status = if !administrator {
            NetStatus::ACCESS_DENIED
        } else if let Some((&id, _)) =
            opens.find(|(id, open)| number(**id) == wanted && open.closing.is_none())
        {
            self.begin_close(id, CloseReply::Nobody);
            NetStatus::SUCCESS
        } else {
            NetStatus::FILE_ID_NOT_FOUND
        };
        Ok(FileCloseResponse { status }.encode())
    }
}

fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn permissions(granted: AccessMask) -> FilePermissions {
    let mut permissions = FilePermissions::empty();
    for (access, permission) in [
        (AccessMask::FILE_READ_DATA, FilePermissions::READ),
        (AccessMask::FILE_WRITE_DATA, FilePermissions::WRITE),
        (AccessMask::FILE_APPEND_DATA, FilePermissions::CREATE),
        (AccessMask::FILE_EXECUTE, FilePermissions::EXECUTE),
        (AccessMask::DELETE, FilePermissions::DELETE),
        (AccessMask::FILE_WRITE_ATTRIBUTES, FilePermissions::ATTRIBUTES),
        (AccessMask::WRITE_DAC, FilePermissions::PERMISSIONS),
    ] {
        permissions.set(permission, granted.contains(access));
    }
    permissions
}
