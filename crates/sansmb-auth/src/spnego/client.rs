//! The initiator.

use alloc::vec::Vec;

use sansmb::auth::{AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step};

use super::token::{self, NTLMSSP, NegState, NegTokenResp, Token};
use crate::{
    ClientParams, Credentials, NtlmClient,
    ntlm::{Security, Side},
};

/// The client's side of SPNEGO with NTLM as its one mechanism.
///
/// The first token to [`Mechanism::step`] is the security buffer of the NEGOTIATE response, which
/// may be empty. The last one is that of the SESSION_SETUP response that says STATUS_SUCCESS; it too
/// may be empty, and it may lack a `mechListMIC`: a server that let us in as guest has no key to
/// make one with. One that does not match is an error.
#[derive(Debug)]
pub struct SpnegoClient {
    ntlm: NtlmClient,
    /// What we offer, as `mechListMIC` covers it.
    mech_list: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Negotiating,
    Authenticating { identity: Identity, session_key: SessionKey, security: Security },
    Finished,
}

impl SpnegoClient {
    /// A client that has not spoken yet.
    pub fn new(credentials: Credentials, params: ClientParams) -> Self {
        Self {
            ntlm: NtlmClient::new(credentials, params),
            mech_list: token::ntlm_mech_list(),
            state: State::Start,
        }
    }

    fn start(&mut self, hint: &[u8]) -> Result<Step, AuthError> {
        if !hint.is_empty() {
            match Token::parse(hint)? {
                Token::Init(init) if init.ntlm_position()?.is_some() => {}
                Token::Init(_) => return Err(AuthError::NoMechanism),
                _ => return Err(AuthError::Unexpected("NegTokenInit2")),
            }
        }
        self.state = State::Negotiating;
        Ok(Step::Send(token::build_init(&self.mech_list, &self.ntlm.negotiate())))
    }

    fn answer(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let resp = parse_resp(token)?;
        if resp.state == Some(NegState::AcceptCompleted) {
            return Err(AuthError::Unexpected("accept-completed before the client authenticated"));
        }
        let challenge = resp.response_token.ok_or(AuthError::Unexpected("NegTokenResp without challenge"))?;
        let answer = self.ntlm.answer(challenge)?;
        // A null session protects nothing, and not every server has a key for it.
        let wants_mic =
            answer.identity.kind != IdentityKind::Anonymous || resp.state == Some(NegState::RequestMic);
        let mic = answer.security.sign(Side::Client, &self.mech_list).filter(|_| wants_mic);
        let reply = NegTokenResp {
            response_token: Some(&answer.token),
            mech_list_mic: mic.as_ref().map(|mic| mic.as_slice()),
            ..NegTokenResp::default()
        };
        let token = reply.build();
        self.state = State::Authenticating {
            session_key: answer.session_key(),
            identity: answer.identity,
            security: answer.security,
        };
        Ok(Step::Send(token))
    }

    fn finish(
        &self,
        token: &[u8],
        identity: Identity,
        session_key: SessionKey,
        security: &Security,
    ) -> Result<Step, AuthError> {
        if !token.is_empty() {
            let resp = parse_resp(token)?;
            if resp.state.is_some_and(|state| state != NegState::AcceptCompleted) {
                return Err(AuthError::Unexpected("negState after the client authenticated"));
            }
            if let Some(mic) = resp.mech_list_mic
                && !security.verify(Side::Server, &self.mech_list, mic)
            {
                return Err(AuthError::LogonFailure);
            }
        }
        Ok(Step::Done { token: Vec::new(), identity, session_key })
    }
}

impl Mechanism for SpnegoClient {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match core::mem::replace(&mut self.state, State::Finished) {
            State::Start => self.start(token),
            State::Negotiating => self.answer(token),
            State::Authenticating { identity, session_key, security } => {
                self.finish(token, identity, session_key, &security)
            }
            State::Finished => Err(AuthError::Unexpected("token after the end")),
        }
    }
}

fn parse_resp(token: &[u8]) -> Result<NegTokenResp<'_>, AuthError> {
    let Token::Resp(resp) = Token::parse(token)? else {
        return Err(AuthError::Unexpected("NegTokenResp"));
    };
    if resp.state == Some(NegState::Reject) {
        return Err(AuthError::LogonFailure);
    }
    if resp.supported_mech.is_some_and(|mech| mech != NTLMSSP) {
        return Err(AuthError::NoMechanism);
    }
    Ok(resp)
}
