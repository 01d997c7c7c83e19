//! The client's side, [MS-NLMP] 3.1.5.1.

use alloc::vec::Vec;

use sansmb::auth::{AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step};
use zeroize::{Zeroize, Zeroizing};

use super::{
    av::{self, Pairs},
    flags::NegotiateFlags,
    keys::{self, Security},
    message::{self, Authenticate, Challenge, MIC_AT, MIC_END},
};
use crate::{ClientParams, Credentials, hash::rc4k, text::utf16le};

/// Bare NTLMSSP, for servers and protocols without SPNEGO.
///
/// The AUTHENTICATE message comes with [`Step::Done`]: NTLM itself says no more, whether the server
/// agrees is for the protocol around it to find out.
#[derive(Debug)]
pub struct NtlmClient {
    credentials: Credentials,
    params: ClientParams,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    /// Holds the NEGOTIATE message.
    Negotiating(Vec<u8>),
    Finished,
}

/// What the challenge was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) token: Vec<u8>,
    pub(crate) identity: Identity,
    pub(crate) security: Security,
}

impl Answer {
    /// What SMB2 takes as session key.
    pub(crate) fn session_key(&self) -> SessionKey {
        match self.identity.kind {
            IdentityKind::User => SessionKey::new(self.security.exported().to_vec()),
            IdentityKind::Guest | IdentityKind::Anonymous => SessionKey::default(),
        }
    }
}

impl NtlmClient {
    /// A client that has not spoken yet.
    pub fn new(credentials: Credentials, params: ClientParams) -> Self {
        Self { credentials, params, state: State::Start }
    }

    /// The first message.
    pub(crate) fn negotiate(&mut self) -> Vec<u8> {
        let token = message::build_negotiate();
        self.state = State::Negotiating(token.clone());
        token
    }

    /// The last message.
    pub(crate) fn answer(&mut self, challenge: &[u8]) -> Result<Answer, AuthError> {
        let State::Negotiating(negotiate) = core::mem::replace(&mut self.state, State::Finished) else {
            return Err(AuthError::Unexpected("CHALLENGE_MESSAGE"));
        };
        let parsed = Challenge::parse(challenge)?;
        if !parsed.flags.contains(NegotiateFlags::UNICODE) {
            return Err(AuthError::Unexpected("challenge without NTLMSSP_NEGOTIATE_UNICODE"));
        }
        let pairs = Pairs::parse(parsed.target_info, parsed.target_info_at)?;
        let flags = parsed.flags & NegotiateFlags::CLIENT;
        let user = utf16le(&self.credentials.user);
        let domain = utf16le(&self.credentials.domain);
        let workstation = utf16le(&self.params.workstation);

        let responses = match self.credentials.secret.hash() {
            Some(hash) => {
                let hash = Zeroizing::new(hash);
                self.respond(&parsed, pairs, &Zeroizing::new(keys::response_key(&hash, &user, &domain)))?
            }
            None => Responses::anonymous(),
        };
        let (exported, encrypted) = self.exchange_key(flags, &responses.base_key);
        let message = Authenticate {
            flags: if responses.nt.is_empty() { flags | NegotiateFlags::ANONYMOUS } else { flags },
            lm_response: &responses.lm,
            nt_response: &responses.nt,
            nt_response_at: 0,
            domain: if responses.nt.is_empty() { &[] } else { &domain },
            user: if responses.nt.is_empty() { &[] } else { &user },
            workstation: &workstation,
            encrypted_session_key: &encrypted,
            has_mic_field: true,
        };
        let mut token = message.build()?;
        if responses.with_mic {
            let mic = keys::mic(&exported, &negotiate, challenge, &[&token]);
            if let Some(field) = token.get_mut(MIC_AT..MIC_END) {
                field.copy_from_slice(&mic);
            }
        }
        let identity = if responses.nt.is_empty() {
            Identity { kind: IdentityKind::Anonymous, ..Identity::default() }
        } else {
            Identity {
                user: self.credentials.user.clone(),
                domain: self.credentials.domain.clone(),
                kind: IdentityKind::User,
                expires: None,
            }
        };
        Ok(Answer { token, identity, security: Security::new(*exported, flags) })
    }

    /// The responses of NTLMv2, [MS-NLMP] 3.1.5.1.2 and 3.3.2.
    fn respond(
        &self,
        challenge: &Challenge<'_>,
        pairs: Pairs<'_>,
        response_key: &[u8; 16],
    ) -> Result<Responses, AuthError> {
        let server_time: Option<[u8; 8]> = pairs.find(av::TIMESTAMP).and_then(|time| time.try_into().ok());
        let time = server_time.unwrap_or(self.params.now.0.to_le_bytes());
        let with_mic = server_time.is_some();
        let mut av_pairs = Vec::with_capacity(challenge.target_info.len() + 64);
        for (id, value) in pairs.iter() {
            // These are the client's own to say.
            let own = [av::FLAGS, av::SINGLE_HOST, av::TARGET_NAME, av::CHANNEL_BINDINGS];
            if !own.contains(&id) {
                av::push(&mut av_pairs, id, value)?;
            }
        }
        let flags = pairs.flags() & !av::FLAG_MIC | if with_mic { av::FLAG_MIC } else { 0 };
        if flags != 0 {
            av::push(&mut av_pairs, av::FLAGS, &flags.to_le_bytes())?;
        }
        if !challenge.target_info.is_empty() {
            // SMB2 has no channel to bind to: zeros say so.
            av::push(&mut av_pairs, av::CHANNEL_BINDINGS, &[0; 16])?;
            let spn = self.params.target_spn.as_deref().unwrap_or_default();
            av::push(&mut av_pairs, av::TARGET_NAME, &utf16le(spn))?;
        }
        av::end(&mut av_pairs);

        let client_challenge = self.client_challenge();
        let temp = keys::client_challenge(&time, &client_challenge, &av_pairs);
        let proof = keys::nt_proof(response_key, &challenge.server_challenge, &temp);
        let lm = if server_time.is_some() {
            [0; 24]
        } else {
            keys::lm_response(response_key, &challenge.server_challenge, &client_challenge)
        };
        Ok(Responses {
            lm: lm.to_vec(),
            nt: [proof.as_slice(), &temp].concat(),
            base_key: Zeroizing::new(keys::session_base_key(response_key, &proof)),
            with_mic,
        })
    }

    /// ExportedSessionKey and EncryptedRandomSessionKey.
    fn exchange_key(
        &self,
        flags: NegotiateFlags,
        key_exchange_key: &[u8; 16],
    ) -> (Zeroizing<[u8; 16]>, Vec<u8>) {
        let signs = flags.intersects(NegotiateFlags::SIGN | NegotiateFlags::SEAL);
        if !(signs && flags.contains(NegotiateFlags::KEY_EXCH)) {
            return (Zeroizing::new(*key_exchange_key), Vec::new());
        }
        let mut exported = Zeroizing::new([0; 16]);
        exported.copy_from_slice(&self.params.random[8..24]);
        let mut encrypted = exported.to_vec();
        rc4k(key_exchange_key, &mut encrypted);
        (exported, encrypted)
    }

    fn client_challenge(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.params.random;
        [a, b, c, d, e, f, g, h]
    }
}

impl Mechanism for NtlmClient {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        if matches!(self.state, State::Start) {
            return Ok(Step::Send(self.negotiate()));
        }
        let answer = self.answer(token)?;
        let session_key = answer.session_key();
        Ok(Step::Done { token: answer.token, identity: answer.identity, session_key })
    }
}

impl Drop for NtlmClient {
    fn drop(&mut self) {
        self.params.random.zeroize();
    }
}

struct Responses {
    lm: Vec<u8>,
    nt: Vec<u8>,
    base_key: Zeroizing<[u8; 16]>,
    with_mic: bool,
}

impl Responses {
    fn anonymous() -> Self {
        Self { lm: [0].to_vec(), nt: Vec::new(), base_key: Zeroizing::new([0; 16]), with_mic: false }
    }
}
