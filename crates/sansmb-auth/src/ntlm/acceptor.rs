//! The server's side, [MS-NLMP] 3.2.5.1.

use alloc::{
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use sansmb::{
    auth::{Acceptor, AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step},
    wire::{FileTime, Utf16},
};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::{
    av::{self, Pairs},
    flags::NegotiateFlags,
    keys::{self, Security},
    message::{self, Authenticate, Challenge, MIC_AT, MIC_END},
};
use crate::{CredentialLookup, hash::rc4k, text::utf16le};

/// The longest NEGOTIATE message that is taken; real ones stay below 200 bytes. It is kept until
/// the exchange ends, so the bound limits what a half-open session costs.
const MAX_NEGOTIATE: usize = 2048;

/// How a server presents itself and whom it lets in.
#[derive(Clone, Debug)]
pub struct AcceptorConfig {
    /// The server's NetBIOS name. Clients want it not to be empty.
    pub netbios_name: String,
    /// The NetBIOS name of its domain or, outside of one, of itself.
    pub netbios_domain: String,
    /// Its name in DNS, or empty.
    pub dns_name: String,
    /// Its domain in DNS, or empty.
    pub dns_domain: String,
    /// When a log-on that fails makes a guest.
    pub map_to_guest: MapToGuest,
    /// Whether null sessions are let in.
    pub allow_anonymous: bool,
    /// The accounts.
    pub users: Arc<dyn CredentialLookup>,
}

impl AcceptorConfig {
    /// A server of that NetBIOS name outside of any domain, with neither guests nor null sessions.
    pub fn new(netbios_name: impl Into<String>, users: Arc<dyn CredentialLookup>) -> Self {
        let netbios_name = netbios_name.into();
        Self {
            netbios_domain: netbios_name.clone(),
            netbios_name,
            dns_name: String::new(),
            dns_domain: String::new(),
            map_to_guest: MapToGuest::Never,
            allow_anonymous: false,
            users,
        }
    }
}

/// When a log-on that fails makes a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapToGuest {
    /// Never.
    #[default]
    Never,
    /// When there is no such user. This tells anybody who asks which users exist.
    BadUser,
    /// When there is no such user or the password is wrong.
    BadPassword,
}

/// Accepts bare NTLMSSP.
#[derive(Clone, Debug)]
pub struct NtlmAcceptor {
    config: Arc<AcceptorConfig>,
}

impl NtlmAcceptor {
    /// An acceptor for any number of exchanges.
    pub fn new(config: AcceptorConfig) -> Self {
        Self { config: Arc::new(config) }
    }
}

impl Acceptor for NtlmAcceptor {
    fn hint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn accept(&self, now: FileTime, random: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(NtlmServer::new(self.config.clone(), now, random))
    }
}

/// One exchange.
#[derive(Debug)]
pub(crate) struct NtlmServer {
    config: Arc<AcceptorConfig>,
    now: FileTime,
    server_challenge: [u8; 8],
    /// Stands in for the hash of a user who does not exist.
    nobody: Zeroizing<[u8; 16]>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Challenged { negotiate: Vec<u8>, challenge: Vec<u8>, flags: NegotiateFlags },
    Finished,
}

/// A client that was let in.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) identity: Identity,
    /// What both sides know; `None` for a guest, whose password nobody checked.
    pub(crate) security: Option<Security>,
}

impl Accepted {
    /// What SMB2 takes as session key.
    pub(crate) fn session_key(&self) -> SessionKey {
        match (&self.security, self.identity.kind) {
            (Some(security), IdentityKind::User) => SessionKey::new(security.exported().to_vec()),
            _ => SessionKey::default(),
        }
    }

    fn without_name(kind: IdentityKind, security: Option<Security>) -> Self {
        Self { identity: Identity { kind, ..Identity::default() }, security }
    }
}

impl NtlmServer {
    pub(crate) fn new(config: Arc<AcceptorConfig>, now: FileTime, mut random: [u8; 32]) -> Self {
        let mut server_challenge = [0; 8];
        server_challenge.copy_from_slice(&random[..8]);
        let mut nobody = Zeroizing::new([0; 16]);
        nobody.copy_from_slice(&random[8..24]);
        random.zeroize();
        Self { config, now, server_challenge, nobody, state: State::Start }
    }

    /// Answers a NEGOTIATE message.
    pub(crate) fn challenge(&mut self, negotiate: &[u8]) -> Result<Vec<u8>, AuthError> {
        let State::Start = core::mem::replace(&mut self.state, State::Finished) else {
            return Err(AuthError::Unexpected("NEGOTIATE_MESSAGE"));
        };
        if negotiate.len() > MAX_NEGOTIATE {
            return Err(AuthError::Malformed("NEGOTIATE_MESSAGE is too long", MAX_NEGOTIATE));
        }
        let asked = message::parse_negotiate(negotiate)?;
        if !asked.contains(NegotiateFlags::UNICODE) {
            return Err(AuthError::Unexpected("client without NTLMSSP_NEGOTIATE_UNICODE"));
        }
        let flags = NegotiateFlags::SERVER | asked & NegotiateFlags::OPTIONAL;
        let challenge = Challenge {
            flags,
            server_challenge: self.server_challenge,
            target_name: &utf16le(&self.config.netbios_name),
            target_info: &self.target_info()?,
            target_info_at: 0,
        };
        let challenge = challenge.build()?;
        self.state = State::Challenged { negotiate: negotiate.to_vec(), challenge: challenge.clone(), flags };
        Ok(challenge)
    }

    fn target_info(&self) -> Result<Vec<u8>, AuthError> {
        let mut out = Vec::new();
        for (id, name) in [
            (av::NB_DOMAIN_NAME, &self.config.netbios_domain),
            (av::NB_COMPUTER_NAME, &self.config.netbios_name),
            (av::DNS_DOMAIN_NAME, &self.config.dns_domain),
            (av::DNS_COMPUTER_NAME, &self.config.dns_name),
        ] {
            // Samba sends empty names too, so every client can take them.
            av::push(&mut out, id, &utf16le(name))?;
        }
        av::push(&mut out, av::TIMESTAMP, &self.now.0.to_le_bytes())?;
        av::end(&mut out);
        Ok(out)
    }

    /// Judges an AUTHENTICATE message. The age of its timestamp does not matter: the challenge is
    /// fresh, so nothing can be replayed, and clients with a wrong clock get in.
    pub(crate) fn authenticate(&mut self, token: &[u8]) -> Result<Accepted, AuthError> {
        let State::Challenged { negotiate, challenge, flags } =
            core::mem::replace(&mut self.state, State::Finished)
        else {
            return Err(AuthError::Unexpected("AUTHENTICATE_MESSAGE"));
        };
        let message = Authenticate::parse(token)?;
        let flags = flags & message.flags;
        if message.encrypted_session_key.len() > 16 {
            return Err(AuthError::Malformed("EncryptedRandomSessionKey", 52));
        }
        if message.user.is_empty()
            && message.nt_response.is_empty()
            && matches!(message.lm_response, [] | [0])
        {
            return self.anonymous(&message, flags);
        }

        let response = Response::parse(&message)?;
        let verdict = self.verify(&message, &response)?;
        let Some(base_key) = verdict.base_key else {
            let guest = match self.config.map_to_guest {
                MapToGuest::Never => false,
                MapToGuest::BadUser => !verdict.known,
                MapToGuest::BadPassword => true,
            };
            if guest {
                return Ok(Accepted::without_name(IdentityKind::Guest, None));
            }
            return Err(AuthError::LogonFailure);
        };
        let exported = exported_key(&message, flags, base_key)?;
        if response.promises_mic {
            check_mic(&exported, &negotiate, &challenge, token, message.has_mic_field)?;
        }
        Ok(Accepted { identity: verdict.identity, security: Some(Security::new(*exported, flags)) })
    }

    fn anonymous(&self, message: &Authenticate<'_>, flags: NegotiateFlags) -> Result<Accepted, AuthError> {
        if !self.config.allow_anonymous {
            return Err(AuthError::LogonFailure);
        }
        // A null session may come without a key; then nothing can be signed.
        let security = exported_key(message, flags, Zeroizing::new([0; 16])).ok();
        let security = security.map(|exported| Security::new(*exported, flags));
        Ok(Accepted::without_name(IdentityKind::Anonymous, security))
    }

    /// Compares the response with what the account gives. A user who does not exist costs the
    /// same work as one whose password is wrong.
    fn verify(&self, message: &Authenticate<'_>, response: &Response<'_>) -> Result<Verdict, AuthError> {
        let user = text(message.user, "UserName")?;
        let domain = text(message.domain, "DomainName")?;
        let account = self.config.users.nt_hash(&user, &domain);
        let known = account.is_some();
        let hash = Zeroizing::new(account.as_ref().map_or(*self.nobody, |account| account.nt_hash));

        // Some clients leave the domain out of the hash, [MS-NLMP] 3.2.5.1.2.
        let mut base_key = Zeroizing::new([0; 16]);
        let mut matches = Choice::from(0);
        for domain in [message.domain, &[]] {
            let key = Zeroizing::new(keys::response_key(&hash, message.user, domain));
            let proof = keys::nt_proof(&key, &self.server_challenge, response.temp);
            let this = proof.ct_eq(&response.proof);
            let this_key = Zeroizing::new(keys::session_base_key(&key, &proof));
            for (out, byte) in base_key.iter_mut().zip(this_key.iter()) {
                out.conditional_assign(byte, this);
            }
            matches |= this;
        }
        let matches = matches & Choice::from(u8::from(known && response.is_v2));
        let identity = account.map(|account| Identity {
            user: account.user.clone(),
            domain: if account.domain.is_empty() {
                self.config.netbios_domain.clone()
            } else {
                account.domain.clone()
            },
            kind: IdentityKind::User,
            expires: None,
        });
        Ok(Verdict {
            known,
            base_key: bool::from(matches).then_some(base_key),
            identity: identity.unwrap_or_default(),
        })
    }
}

impl Mechanism for NtlmServer {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        if matches!(self.state, State::Start) {
            return self.challenge(token).map(Step::Send);
        }
        let accepted = self.authenticate(token)?;
        let session_key = accepted.session_key();
        Ok(Step::Done { token: Vec::new(), identity: accepted.identity, session_key })
    }
}

struct Verdict {
    known: bool,
    /// SessionBaseKey where the response is right.
    base_key: Option<Zeroizing<[u8; 16]>>,
    identity: Identity,
}

/// NtChallengeResponse taken apart.
struct Response<'m> {
    /// False for everything that is no NTLMv2 response: none at all, LM, NTLMv1. Those never match.
    is_v2: bool,
    proof: [u8; 16],
    temp: &'m [u8],
    /// MsvAvFlags says that there is a MIC.
    promises_mic: bool,
}

impl<'m> Response<'m> {
    /// Where AvPairs begins in an NTLMv2_RESPONSE, [MS-NLMP] 2.2.2.7 and 2.2.2.8.
    const AV_PAIRS: usize = 16 + 28;
    /// The length of an NTLMv1 response.
    const V1: usize = 24;

    fn parse(message: &Authenticate<'m>) -> Result<Self, AuthError> {
        let response = message.nt_response;
        if response.is_empty() || response.len() == Self::V1 {
            return Ok(Self { is_v2: false, proof: [0; 16], temp: &[], promises_mic: false });
        }
        let bad = AuthError::Malformed("NtChallengeResponse", message.nt_response_at);
        let (proof, temp) = response.split_first_chunk::<16>().ok_or(bad)?;
        let pairs = response.get(Self::AV_PAIRS..).ok_or(bad)?;
        if !temp.starts_with(&[1, 1]) {
            return Err(bad);
        }
        let pairs = Pairs::parse(pairs, message.nt_response_at + Self::AV_PAIRS)?;
        let promises_mic = pairs.flags() & av::FLAG_MIC != 0;
        Ok(Self { is_v2: true, proof: *proof, temp, promises_mic })
    }
}

/// ExportedSessionKey, [MS-NLMP] 3.2.5.1.2.
fn exported_key(
    message: &Authenticate<'_>,
    flags: NegotiateFlags,
    base_key: Zeroizing<[u8; 16]>,
) -> Result<Zeroizing<[u8; 16]>, AuthError> {
    let signs = flags.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL);
    match <[u8; 16]>::try_from(message.encrypted_session_key) {
        // Who sends a key without SIGN and SEAL means it nevertheless.
        Ok(key) if flags.contains(NegotiateFlags::KEY_EXCH) => {
            let mut key = Zeroizing::new(key);
            rc4k(&base_key, key.as_mut_slice());
            Ok(key)
        }
        Err(_) if signs && flags.contains(NegotiateFlags::KEY_EXCH) => {
            Err(AuthError::Malformed("EncryptedRandomSessionKey", 52))
        }
        _ => Ok(base_key),
    }
}

fn check_mic(
    exported: &[u8; 16],
    negotiate: &[u8],
    challenge: &[u8],
    token: &[u8],
    present: bool,
) -> Result<(), AuthError> {
    let head = token.get(..MIC_AT);
    let mic = token.get(MIC_AT..MIC_END);
    let tail = token.get(MIC_END..);
    let (true, Some(head), Some(mic), Some(tail)) = (present, head, mic, tail) else {
        return Err(AuthError::LogonFailure);
    };
    let expected = keys::mic(exported, negotiate, challenge, &[head, &[0; 16], tail]);
    if bool::from(expected.ct_eq(mic)) { Ok(()) } else { Err(AuthError::LogonFailure) }
}

fn text(bytes: &[u8], what: &'static str) -> Result<String, AuthError> {
    let view = Utf16::new(bytes, what, 0).map_err(|_| AuthError::Malformed(what, 0))?;
    Ok(view.to_text_lossy().to_string())
}
