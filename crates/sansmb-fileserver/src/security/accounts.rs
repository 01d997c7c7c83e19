//! Users and groups as security identifiers, and back.
//!
//! There is no database of accounts. A user's identifier is computed from the name, so that descriptors
//! mean the same user after a restart and on another server of the same name.

use std::collections::BTreeMap;

use sansmb::{
    auth::{Identity, IdentityKind},
    wire::dtyp::{Privileges, Sid, Token},
};

use crate::text::{fold, same_name};

/// RID of the guest account, [MS-DTYP] 2.4.2.4.
pub(super) const RID_GUEST: u32 = 501;
/// RID of the group that local accounts have as their primary one.
pub(super) const RID_NONE: u32 = 513;
/// RIDs below are for what every machine has.
const FIRST_RID: u32 = 1000;
/// Administrators may do what Windows gives them as privileges.
const ADMINISTRATOR: Privileges = Privileges::all();

/// The accounts of a server.
#[derive(Debug)]
pub(crate) struct Accounts {
    server: String,
    machine: Sid,
    administrators: Vec<String>,
    /// Users whose names can be looked up, by number.
    known: BTreeMap<u32, String>,
}

impl Accounts {
    /// The accounts of a server called `name`: its `users`, as far as it can name them, and its
    /// `administrators`, who may do more than others.
    pub(crate) fn new(name: &str, machine: Option<Sid>, users: &[String], administrators: &[String]) -> Self {
        let mut accounts = Self {
            server: name.to_owned(),
            machine: machine.unwrap_or_else(|| machine_sid(name)),
            administrators: administrators.to_vec(),
            known: BTreeMap::new(),
        };
        for user in users.iter().chain(administrators) {
            let rid = accounts.user(user).rid().unwrap_or_default();
            accounts.known.entry(rid).or_insert_with(|| user.clone());
        }
        accounts
    }

    /// The name of the server, which is that of the domain of its accounts.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The identifier of the server, of which those of its accounts are made.
    pub(crate) fn machine(&self) -> Sid {
        self.machine
    }

    /// The name of a user, if it is known.
    pub(super) fn user_name(&self, rid: u32) -> Option<&str> {
        self.known.get(&rid).map(String::as_str)
    }

    /// Whether somebody is an administrator.
    pub(crate) fn is_administrator(&self, identity: &Identity) -> bool {
        identity.kind == IdentityKind::User
            && self.administrators.iter().any(|name| same_name(name, &identity.user))
    }

    /// The identifier of a user.
    pub(crate) fn user(&self, name: &str) -> Sid {
        let hash = hash(&fold(name));
        self.local(FIRST_RID + (hash % u64::from(u32::MAX - FIRST_RID)) as u32)
    }

    fn local(&self, rid: u32) -> Sid {
        self.machine.with_rid(rid).unwrap_or(self.machine)
    }

    /// What somebody who logged on is for access checks.
    pub(crate) fn token(&self, identity: &Identity) -> Token {
        let none = self.local(RID_NONE);
        match identity.kind {
            IdentityKind::User => {
                let mut groups =
                    vec![Sid::EVERYONE, Sid::NETWORK, Sid::AUTHENTICATED_USERS, Sid::BUILTIN_USERS];
                let administrator = self.is_administrator(identity);
                if administrator {
                    groups.push(Sid::BUILTIN_ADMINISTRATORS);
                }
                let privileges = if administrator { ADMINISTRATOR } else { Privileges::empty() };
                Token::new(self.user(&identity.user), none, &groups, privileges)
            }
            IdentityKind::Guest => {
                let groups = [Sid::EVERYONE, Sid::NETWORK, Sid::BUILTIN_GUESTS];
                Token::new(self.local(RID_GUEST), none, &groups, Privileges::empty())
            }
            IdentityKind::Anonymous => {
                let groups = [Sid::EVERYONE, Sid::NETWORK];
                Token::new(Sid::ANONYMOUS, Sid::ANONYMOUS, &groups, Privileges::empty())
            }
        }
    }
}

/// `S-1-5-21-...` for a server of that name.
fn machine_sid(name: &str) -> Sid {
    let (high, low) = (hash(&fold(name)), hash(&format!("{} ", fold(name))));
    Sid::new(5, &[21, (high >> 32) as u32, high as u32, low as u32]).unwrap_or(Sid::NULL)
}

/// A number that a text has for ever: FNV-1a with the bits mixed at the end, so that short names
/// differ in all of them.
fn hash(text: &str) -> u64 {
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (sum ^ sum >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::new("server", None, &[], &["root".into()])
    }

    fn identity(user: &str, kind: IdentityKind) -> Identity {
        Identity { user: user.into(), kind, ..Identity::default() }
    }

    #[test]
    fn identifiers_are_the_same_for_ever() {
        let accounts = accounts();
        assert_eq!(accounts.machine.to_string(), "S-1-5-21-2157574202-2954127947-1812238910");
        assert_eq!(accounts.user("alice"), accounts.user("ALICE"));
        assert_ne!(accounts.user("alice"), accounts.user("bob"));
        assert_eq!(accounts.user("alice").rid(), Some(973_617_674));
        let set = Accounts::new("x", Some(accounts.machine), &[], &[]);
        assert_eq!(set.user("alice"), accounts.user("alice"));
    }

    #[test]
    fn tokens_have_the_groups_of_their_kind() {
        let accounts = accounts();
        let user = accounts.token(&identity("Alice", IdentityKind::User));
        assert_eq!(user.user(), accounts.user("alice"));
        assert!(user.contains(&Sid::AUTHENTICATED_USERS) && user.contains(&Sid::BUILTIN_USERS));
        assert!(!user.contains(&Sid::BUILTIN_ADMINISTRATORS) && user.privileges().is_empty());
        let admin = accounts.token(&identity("ROOT", IdentityKind::User));
        assert!(admin.contains(&Sid::BUILTIN_ADMINISTRATORS) && !admin.privileges().is_empty());
        // Whoever only claims to be an administrator is none.
        let guest = accounts.token(&identity("root", IdentityKind::Guest));
        assert!(guest.contains(&Sid::EVERYONE) && guest.contains(&Sid::BUILTIN_GUESTS));
        assert!(!guest.contains(&Sid::AUTHENTICATED_USERS) && guest.privileges().is_empty());
        assert!(!guest.contains(&accounts.user("root")));
        let nobody = accounts.token(&identity("", IdentityKind::Anonymous));
        assert_eq!(nobody.user(), Sid::ANONYMOUS);
        assert!(!nobody.contains(&Sid::BUILTIN_GUESTS));
    }
}
