//! Who may log on: the server's accounts.

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    nt_hash,
    text::{upcase_utf16le, utf16le},
};

/// One account. Erased when dropped; printing it shows no hash.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Account {
    /// The MD4 of the password in UTF-16LE.
    pub nt_hash: [u8; 16],
    /// The user's name in its own spelling.
    pub user: String,
    /// The domain, or empty for that of the server.
    pub domain: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// Finds accounts. It is called once for every log-on and must not block for long.
pub trait CredentialLookup: fmt::Debug + Send + Sync {
    /// The account of `user`, whose name is compared without regard to case. `domain` is what the
    /// client claims, often its own name; a server that is not in a domain ignores it.
    fn nt_hash(&self, user: &str, domain: &str) -> Option<Account>;
}

/// Accounts in memory, for any domain.
#[derive(Clone, Default)]
pub struct UserTable {
    /// By upper-cased name.
    accounts: BTreeMap<Vec<u8>, Account>,
}

impl UserTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or replaces the one of that name.
    pub fn add_password(&mut self, user: &str, password: &str) {
        self.add_nt_hash(user, nt_hash(password));
    }

    /// The same with the MD4 of the password.
    pub fn add_nt_hash(&mut self, user: &str, nt_hash: [u8; 16]) {
        let account = Account { nt_hash, user: user.to_owned(), domain: String::new() };
        self.accounts.insert(upcase_utf16le(&utf16le(user)), account);
    }

    /// The users' names, as they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.accounts.values().map(|account| account.user.as_str())
    }
}

impl fmt::Debug for UserTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserTable").field("accounts", &self.accounts.len()).finish()
    }
}

impl CredentialLookup for UserTable {
    fn nt_hash(&self, user: &str, _domain: &str) -> Option<Account> {
        self.accounts.get(&upcase_utf16le(&utf16le(user))).cloned()
    }
}
