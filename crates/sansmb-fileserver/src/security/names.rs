//! Names of security identifiers, and identifiers of names, [MS-LSAT] 3.1.1.1.

use sansmb::{rpc::lsarpc::AccountKind, wire::dtyp::Sid};

use super::accounts::{Accounts, RID_GUEST, RID_NONE};
use crate::text::same_name;

/// A principal that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) kind: AccountKind,
    pub(crate) name: String,
    pub(crate) sid: Sid,
    pub(crate) domain: Domain,
}

/// What a principal belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) sid: Sid,
}

/// A domain that every Windows has, and who is in it.
struct WellKnown {
    name: &'static str,
    authority: u64,
    /// Sub-authorities of the domain.
    base: &'static [u32],
    /// What the domain's own identifier is called.
    own_name: Option<&'static str>,
    kind: AccountKind,
    members: &'static [(u32, &'static str)],
}

/// [MS-LSAT] 3.1.1.1.1 and [MS-DTYP] 2.4.2.4, in the spelling of Windows.
const WELL_KNOWN: [WellKnown; 9] = [
    WellKnown::groups("", 0, &[], None, &[(0, "NULL SID")]),
    WellKnown::groups("", 1, &[], None, &[(0, "Everyone")]),
    WellKnown::groups("", 2, &[], None, &[(0, "LOCAL"), (1, "CONSOLE LOGON")]),
    WellKnown::groups(
        "",
        3,
        &[],
        None,
        &[
            (0, "CREATOR OWNER"),
            (1, "CREATOR GROUP"),
            (2, "CREATOR OWNER SERVER"),
            (3, "CREATOR GROUP SERVER"),
            (4, "OWNER RIGHTS"),
        ],
    ),
    WellKnown::groups(
        "NT AUTHORITY",
        5,
        &[],
        Some("NT Pseudo Domain"),
        &[
            (1, "DIALUP"),
            (2, "NETWORK"),
            (3, "BATCH"),
            (4, "INTERACTIVE"),
            (6, "SERVICE"),
            (7, "ANONYMOUS LOGON"),
            (8, "PROXY"),
            (9, "ENTERPRISE DOMAIN CONTROLLERS"),
            (10, "SELF"),
            (11, "Authenticated Users"),
            (12, "RESTRICTED"),
            (13, "TERMINAL SERVER USER"),
            (14, "REMOTE INTERACTIVE LOGON"),
            (15, "This Organization"),
            (17, "IUSR"),
            (18, "SYSTEM"),
            (19, "LOCAL SERVICE"),
            (20, "NETWORK SERVICE"),
            (33, "WRITE RESTRICTED"),
            (1000, "Other Organization"),
        ],
    ),
    WellKnown::groups(
        "NT AUTHORITY",
        5,
        &[64],
        None,
        &[(10, "NTLM Authentication"), (14, "SChannel Authentication"), (21, "Digest Authentication")],
    ),
    WellKnown {
        kind: AccountKind::ALIAS,
        ..WellKnown::groups(
            "BUILTIN",
            5,
            &[32],
            Some("BUILTIN"),
            &[
                (544, "Administrators"),
                (545, "Users"),
                (546, "Guests"),
                (547, "Power Users"),
                (551, "Backup Operators"),
                (552, "Replicator"),
                (555, "Remote Desktop Users"),
                (556, "Network Configuration Operators"),
                (558, "Performance Monitor Users"),
                (559, "Performance Log Users"),
                (562, "Distributed COM Users"),
                (573, "Event Log Readers"),
                (580, "Remote Management Users"),
            ],
        )
    },
    WellKnown::groups("", 7, &[], Some("Internet$"), &[]),
    WellKnown {
        kind: AccountKind::LABEL,
        ..WellKnown::groups(
            "Mandatory Label",
            16,
            &[],
            Some("Mandatory Label"),
            &[
                (0x0000, "Untrusted Mandatory Level"),
                (0x1000, "Low Mandatory Level"),
                (0x2000, "Medium Mandatory Level"),
                (0x2100, "Medium Plus Mandatory Level"),
                (0x3000, "High Mandatory Level"),
                (0x4000, "System Mandatory Level"),
                (0x5000, "Protected Process Mandatory Level"),
            ],
        )
    },
];

/// Users and groups of Unix, by number: name of the domain, its sub-authority, what is in it.
const UNIX: [(&str, u32, AccountKind); 2] =
    [("Unix User", 1, AccountKind::USER), ("Unix Group", 2, AccountKind::GROUP)];
const UNIX_AUTHORITY: u64 = 22;

impl WellKnown {
    const fn groups(
        name: &'static str,
        authority: u64,
        base: &'static [u32],
        own_name: Option<&'static str>,
        members: &'static [(u32, &'static str)],
    ) -> Self {
        Self { name, authority, base, own_name, kind: AccountKind::WELL_KNOWN_GROUP, members }
    }

    fn domain(&self) -> Domain {
        Domain { name: self.name.to_owned(), sid: domain_sid(self.authority, self.base) }
    }

    fn account(&self, &(rid, name): &(u32, &str)) -> Account {
        let domain = self.domain();
        let sid = domain.sid.with_rid(rid).unwrap_or(domain.sid);
        Account { kind: self.kind, name: name.to_owned(), sid, domain }
    }

    /// The domain as an account of its own.
    fn own(&self) -> Option<Account> {
        let Domain { sid, .. } = self.domain();
        let name = self.own_name?.to_owned();
        Some(Account { kind: AccountKind::DOMAIN, name: name.clone(), sid, domain: Domain { name, sid } })
    }
}

fn domain_sid(authority: u64, base: &[u32]) -> Sid {
    Sid::new(authority, base).unwrap_or(Sid::NULL)
}

/// A domain's identifier and the number in it.
fn split(sid: &Sid) -> Option<(Sid, u32)> {
    let (rid, base) = sid.sub_authorities().split_last()?;
    Some((Sid::new(sid.authority(), base)?, *rid))
}

impl Accounts {
    /// The domain of the server's own accounts.
    pub(crate) fn domain(&self) -> Domain {
        Domain { name: self.server().to_owned(), sid: self.machine() }
    }

    /// Who has an identifier.
    pub(crate) fn account(&self, sid: &Sid) -> Option<Account> {
        if let Some(domain) = self.domains().find(|domain| domain.sid == *sid) {
            return Some(domain);
        }
        let (base, rid) = split(sid)?;
        if base == self.machine() {
            return self.local_account(rid);
        }
        if let Some((name, _, kind)) = unix_domain(&base) {
            let domain = Domain { name: name.to_owned(), sid: base };
            return Some(Account { kind, name: rid.to_string(), sid: *sid, domain });
        }
        let domain = WELL_KNOWN
            .iter()
            .find(|known| known.authority == base.authority() && known.base == base.sub_authorities())?;
        let member = domain.members.iter().find(|(number, _)| *number == rid)?;
        Some(domain.account(member))
    }

    /// The domain of an identifier that nobody has.
    pub(crate) fn domain_of(&self, sid: &Sid) -> Option<(Domain, u32)> {
        let (base, rid) = split(sid)?;
        let domain = self.domains().find(|domain| domain.sid == base)?;
        Some((domain.domain, rid))
    }

    /// Who has a name: `NAME` or `DOMAIN\NAME`, without regard to case.
    pub(crate) fn named(&self, name: &str) -> Option<Account> {
        match name.split_once('\\') {
            Some((domain, name)) => self.qualified(domain, name),
            None => self.isolated(name),
        }
    }

    fn qualified(&self, domain: &str, name: &str) -> Option<Account> {
        if same_name(domain, self.server()) {
            return self.local_named(name);
        }
        if let Some((_, number, _)) = UNIX.into_iter().find(|(unix, ..)| same_name(unix, domain)) {
            let rid = name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse().ok())??;
            return self.account(&domain_sid(UNIX_AUTHORITY, &[number]).with_rid(rid)?);
        }
        let known = WELL_KNOWN.iter().filter(|known| !known.name.is_empty());
        known.filter(|known| same_name(known.name, domain)).find_map(|known| known.member(name))
    }

    fn isolated(&self, name: &str) -> Option<Account> {
        let domain = || self.domains().find(|domain| same_name(&domain.name, name));
        let known = WELL_KNOWN.iter().find_map(|known| known.member(name));
        known.or_else(|| self.local_named(name)).or_else(domain)
    }

    /// The domain that a name says, of which nobody has it.
    pub(crate) fn domain_named(&self, name: &str) -> Option<Domain> {
        let (domain, _) = name.split_once('\\')?;
        self.domains().find(|known| same_name(&known.name, domain)).map(|known| known.domain)
    }

    /// Domains as accounts of their own.
    fn domains(&self) -> impl Iterator<Item = Account> {
        let Domain { name, sid } = self.domain();
        let own =
            Account { kind: AccountKind::DOMAIN, name: name.clone(), sid, domain: Domain { name, sid } };
        let unix = UNIX.into_iter().map(|(name, number, _)| {
            let (name, sid) = (name.to_owned(), domain_sid(UNIX_AUTHORITY, &[number]));
            Account { kind: AccountKind::DOMAIN, name: name.clone(), sid, domain: Domain { name, sid } }
        });
        WELL_KNOWN.iter().filter_map(WellKnown::own).chain(unix).chain([own])
    }

    fn local_account(&self, rid: u32) -> Option<Account> {
        let (kind, name) = match rid {
            RID_GUEST => (AccountKind::USER, "Guest"),
            RID_NONE => (AccountKind::GROUP, "None"),
            _ => (AccountKind::USER, self.user_name(rid)?),
        };
        let domain = self.domain();
        let sid = domain.sid.with_rid(rid)?;
        Some(Account { kind, name: name.to_owned(), sid, domain })
    }

    fn local_named(&self, name: &str) -> Option<Account> {
        let rid = match name {
            _ if same_name(name, "Guest") => RID_GUEST,
            _ if same_name(name, "None") => RID_NONE,
            _ => self.user(name).rid()?,
        };
        // Two names can have one number: then only one of them is known.
        self.local_account(rid).filter(|account| same_name(&account.name, name))
    }
}

impl WellKnown {
    fn member(&self, name: &str) -> Option<Account> {
        let member = self.members.iter().find(|(_, member)| same_name(member, name))?;
        Some(self.account(member))
    }
}

fn unix_domain(base: &Sid) -> Option<(&'static str, u32, AccountKind)> {
    let [number] = base.sub_authorities() else { return None };
    UNIX.into_iter().find(|(_, unix, _)| base.authority() == UNIX_AUTHORITY && unix == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::new("SERVER", None, &["alice".into(), "Bob".into()], &["root".into()])
    }

    #[test]
    fn whoever_has_a_name_has_an_identifier_and_back() {
        let accounts = accounts();
        for (name, sid) in [
            ("Everyone", "S-1-1-0"),
            (r"NT AUTHORITY\SYSTEM", "S-1-5-18"),
            ("authenticated users", "S-1-5-11"),
            (r"builtin\administrators", "S-1-5-32-544"),
            ("BUILTIN", "S-1-5-32"),
            ("CREATOR OWNER", "S-1-3-0"),
            ("NTLM Authentication", "S-1-5-64-10"),
            ("High Mandatory Level", "S-1-16-12288"),
            (r"Unix User\1000", "S-1-22-1-1000"),
            (r"unix group\0", "S-1-22-2-0"),
        ] {
            let account = accounts.named(name).expect(name);
            assert_eq!(account.sid.to_string(), sid, "{name}");
            assert_eq!(accounts.account(&account.sid), Some(account));
        }
        for name in ["ALICE", r"server\bob", "root", "guest", "None", "Server"] {
            let account = accounts.named(name).expect(name);
            assert_eq!(account.domain, accounts.domain());
            assert_eq!(accounts.account(&account.sid), Some(account));
        }
        assert_eq!(accounts.named("bob").unwrap().sid, accounts.user("BOB"));
    }

    #[test]
    fn others_have_neither() {
        let accounts = accounts();
        for name in ["", r"\", "carol", r"OTHER\alice", r"Unix User\+1", r"Unix User\x", r"\Everyone", "1000"]
        {
            assert_eq!(accounts.named(name), None, "{name}");
        }
        let unknown = accounts.user("carol");
        assert_eq!(accounts.account(&unknown), None);
        assert_eq!(accounts.domain_of(&unknown), Some((accounts.domain(), unknown.rid().unwrap())));
        assert_eq!(accounts.domain_of(&"S-1-5-21-1-2-3-4".parse().unwrap()), None);
    }
}
