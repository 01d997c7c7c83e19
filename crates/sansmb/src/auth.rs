//! The seam to authentication: a mechanism is one method that is fed tokens.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::wire::FileTime;

/// One side of one authentication exchange (SPNEGO, NTLM, Kerberos, ..).
pub trait Mechanism: fmt::Debug + Send {
    /// Takes the peer's token (empty where the peer has not spoken yet, or has sent none) and says
    /// what comes next. After [`Step::Done`] or an error it is not called again.
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError>;
}

/// What a [`Mechanism`] wants.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Send this token; the exchange goes on.
    Send(Vec<u8>),
    /// Ask somebody else (a KDC, say) and feed the answer to the next [`Mechanism::step`].
    Need(Need),
    /// The exchange is over.
    Done {
        /// A last token for the peer, empty when there is none.
        token: Vec<u8>,
        /// Who the peer is (server side) or whom we are known as (client side).
        identity: Identity,
        /// The key that both sides now share; empty for anonymous, and on the server for a guest. A
        /// client learns from the protocol around it that it is a guest, and then has no use for it.
        session_key: SessionKey,
    },
}

/// A question that a [`Mechanism`] has to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Whom to ask, as a URL (`tcp://kdc:88`).
    pub from: String,
    /// What to send there.
    pub message: Vec<u8>,
}

/// Who authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The user's name, in the spelling of the account data base where there is one.
    pub user: String,
    /// The domain, or empty.
    pub domain: String,
    /// What kind of log-on it is.
    pub kind: IdentityKind,
    /// Until when it holds, where the mechanism says so: afterwards the client has to authenticate
    /// again.
    pub expires: Option<FileTime>,
}

impl Identity {
    /// Whether both are the same account, whose secret was verified: names count without regard to
    /// case. Guests and anonymous users are nobody in particular.
    pub fn is_same_account(&self, other: &Self) -> bool {
        let fold = |s: &str| -> String { s.chars().flat_map(char::to_uppercase).collect() };
        self.kind == IdentityKind::User
            && other.kind == IdentityKind::User
            && fold(&self.user) == fold(&other.user)
            && fold(&self.domain) == fold(&other.domain)
    }
}

/// What kind of log-on an [`Identity`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityKind {
    /// A user whose secret was verified.
    #[default]
    User,
    /// Somebody let in as guest: nothing was verified and no key is shared that is worth the name.
    Guest,
    /// Nobody: the null session.
    Anonymous,
}

/// A session key: erased when dropped, never printed.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SessionKey(Vec<u8>);

impl SessionKey {
    /// Wraps the key.
    pub fn new(key: Vec<u8>) -> Self {
        Self(key)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// Why an authentication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A token does not parse: what of it, and where.
    #[error("malformed authentication token: {0} at offset {1}")]
    Malformed(&'static str, usize),
    /// The user is unknown, the secret wrong or a message integrity code does not match. The three
    /// are one error so that nobody can probe for users.
    #[error("user name or password is not right")]
    LogonFailure,
    /// The peer offers no mechanism that we have.
    #[error("no authentication mechanism in common")]
    NoMechanism,
    /// The peer sent a token that does not belong here.
    #[error("authentication token out of order: {0}")]
    Unexpected(&'static str),
}

/// Makes the server's side of an exchange, once for every session set-up.
pub trait Acceptor: fmt::Debug + Send + Sync {
    /// The token that NEGOTIATE carries to tell clients the mechanisms; may be empty.
    fn hint(&self) -> Vec<u8>;
    /// A new exchange. `now` and `random` are what the mechanism may use of time and randomness.
    fn accept(&self, now: FileTime, random: [u8; 32]) -> Box<dyn Mechanism>;
}
