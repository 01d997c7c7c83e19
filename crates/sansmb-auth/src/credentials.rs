//! What the client authenticates with.

use alloc::string::String;
use core::fmt;

use sansmb::wire::FileTime;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::nt_hash;

/// A user's name and secret. Erased when dropped; printing it shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Credentials {
    /// The user's name as typed; case does not matter to NTLM. Empty for anonymous.
    pub user: String,
    /// The domain or the server's name, or empty. Case matters, because it is hashed as it stands.
    pub domain: String,
    /// The proof.
    pub secret: Secret,
}

impl Credentials {
    /// A user with a password.
    pub fn password(user: impl Into<String>, domain: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), domain: domain.into(), secret: Secret::Password(password.into()) }
    }

    /// A user with the MD4 of the password.
    pub fn nt_hash(user: impl Into<String>, domain: impl Into<String>, hash: [u8; 16]) -> Self {
        Self { user: user.into(), domain: domain.into(), secret: Secret::NtHash(hash) }
    }

    /// A guest: a name that the server is not expected to know, with an empty password.
    pub fn guest() -> Self {
        Self::password("Guest", "", "")
    }

    /// Nobody: the null session.
    pub fn anonymous() -> Self {
        Self { user: String::new(), domain: String::new(), secret: Secret::Anonymous }
    }

    /// Whether this asks for the null session.
    pub fn is_anonymous(&self) -> bool {
        self.secret == Secret::Anonymous
    }
}

/// How a user proves who he is.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub enum Secret {
    /// The password.
    Password(String),
    /// The MD4 of the password, as [`nt_hash`] makes it.
    NtHash([u8; 16]),
    /// No proof: ask for a null session.
    Anonymous,
}

impl Secret {
    /// The MD4 of the password; `None` for anonymous.
    pub(crate) fn hash(&self) -> Option<[u8; 16]> {
        match self {
            Self::Password(password) => Some(nt_hash(password)),
            Self::NtHash(hash) => Some(*hash),
            Self::Anonymous => None,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(..)",
            Self::NtHash(_) => "NtHash(..)",
            Self::Anonymous => "Anonymous",
        })
    }
}

/// What else a client's exchange needs.
#[derive(Clone, Default)]
pub struct ClientParams {
    /// The wall clock, for servers that do not send their own.
    pub now: FileTime,
    /// Fresh randomness: the client challenge and the exported session key are cut from it. Never
    /// use it for two exchanges.
    pub random: [u8; 32],
    /// The NetBIOS name of this computer; servers only log it.
    pub workstation: String,
    /// The service principal name of the server (`cifs/server.example`), where it is known.
    pub target_spn: Option<String>,
}

impl fmt::Debug for ClientParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientParams")
            .field("now", &self.now)
            .field("workstation", &self.workstation)
            .field("target_spn", &self.target_spn)
            .finish_non_exhaustive()
    }
}
