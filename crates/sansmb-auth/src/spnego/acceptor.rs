//! The acceptor.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use sansmb::{
    auth::{Acceptor, AuthError, IdentityKind, Mechanism, Step},
    wire::FileTime,
};

use super::token::{self, NTLMSSP, NegState, NegTokenInit, NegTokenResp, Token};
use crate::{
    AcceptorConfig,
    ntlm::{self, Accepted, NtlmServer, Side},
};

/// The longest MechTypeList that is taken; real ones stay below 100 bytes. It is kept until the
/// exchange ends, so the bound limits what a half-open session costs.
const MAX_MECH_LIST: usize = 1024;

/// Accepts SPNEGO with NTLM in it, and bare NTLMSSP.
#[derive(Clone, Debug)]
pub struct SpnegoAcceptor {
    config: Arc<AcceptorConfig>,
}

impl SpnegoAcceptor {
    /// An acceptor for any number of exchanges.
    pub fn new(config: AcceptorConfig) -> Self {
        Self { config: Arc::new(config) }
    }
}

impl Acceptor for SpnegoAcceptor {
    fn hint(&self) -> Vec<u8> {
        token::build_hint()
    }

    fn accept(&self, now: FileTime, random: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(SpnegoServer {
            ntlm: NtlmServer::new(self.config.clone(), now, random),
            state: State::Start,
        })
    }
}

/// One exchange.
///
/// ```text
///         NegTokenInit with NTLM's token           NegTokenResp
/// Start --------------------------------> Challenged ---------> Finished
///   |  \ NegTokenInit without        NegTokenResp ^
///   |   `------------------> Selected ------------'
///   `--- bare NTLMSSP ---> Raw --- bare NTLMSSP ---> Finished
/// ```
#[derive(Debug)]
struct SpnegoServer {
    ntlm: NtlmServer,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    /// NTLM was selected; its first token is still to come.
    Selected(Offer),
    Challenged(Offer),
    Raw,
    Finished,
}

/// What the client offered.
#[derive(Debug)]
struct Offer {
    mech_list: Vec<u8>,
    /// The client would rather have had another mechanism, so it must prove that nobody changed its
    /// list, RFC 4178 section 5.
    mic_required: bool,
}

impl SpnegoServer {
    fn start(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match Token::parse(token)? {
            Token::Raw(negotiate) => {
                let challenge = self.ntlm.challenge(negotiate)?;
                self.state = State::Raw;
                Ok(Step::Send(challenge))
            }
            Token::Init(init) => self.select(&init),
            Token::Resp(_) => Err(AuthError::Unexpected("NegTokenResp")),
        }
    }

    fn select(&mut self, init: &NegTokenInit<'_>) -> Result<Step, AuthError> {
        if init.mech_list.len() > MAX_MECH_LIST {
            return Err(AuthError::Malformed("MechTypeList is too long", MAX_MECH_LIST));
        }
        let position = init.ntlm_position()?.ok_or(AuthError::NoMechanism)?;
        let offer = Offer { mech_list: init.mech_list.to_vec(), mic_required: position != 0 };
        let state = if offer.mic_required { NegState::RequestMic } else { NegState::AcceptIncomplete };
        // The token belongs to the first mechanism of the list. Some clients send NTLM's anyway.
        let negotiate = init
            .mech_token
            .filter(|token| !token.is_empty() && (position == 0 || token.starts_with(ntlm::SIGNATURE)));
        let challenge = negotiate.map(|token| self.ntlm.challenge(token)).transpose()?;
        let reply = NegTokenResp {
            state: Some(state),
            supported_mech: Some(NTLMSSP),
            response_token: challenge.as_deref(),
            mech_list_mic: None,
        };
        self.state = if challenge.is_some() { State::Challenged(offer) } else { State::Selected(offer) };
        Ok(Step::Send(reply.build()))
    }

    fn challenge(&mut self, token: &[u8], offer: Offer) -> Result<Step, AuthError> {
        let resp = parse_resp(token)?;
        let challenge = self.ntlm.challenge(response_token(&resp)?)?;
        self.state = State::Challenged(offer);
        let reply = NegTokenResp {
            state: Some(NegState::AcceptIncomplete),
            response_token: Some(&challenge),
            ..NegTokenResp::default()
        };
        Ok(Step::Send(reply.build()))
    }

    fn finish(&mut self, token: &[u8], offer: &Offer) -> Result<Step, AuthError> {
        let resp = parse_resp(token)?;
        let accepted = self.ntlm.authenticate(response_token(&resp)?)?;
        let mic = mech_list_mic(&accepted, offer, resp.mech_list_mic)?;
        let reply = NegTokenResp {
            state: Some(NegState::AcceptCompleted),
            mech_list_mic: mic.as_ref().map(|mic| mic.as_slice()),
            ..NegTokenResp::default()
        };
        let session_key = accepted.session_key();
        Ok(Step::Done { token: reply.build(), identity: accepted.identity, session_key })
    }
}

/// Checks the client's `mechListMIC` and makes the server's.
fn mech_list_mic(
    accepted: &Accepted,
    offer: &Offer,
    theirs: Option<&[u8]>,
) -> Result<Option<[u8; 16]>, AuthError> {
    let security = accepted.security.as_ref();
    let verified = match (theirs, security) {
        (Some(mic), Some(security)) => security.verify(Side::Client, &offer.mech_list, mic),
        _ => false,
    };
    if verified {
        return Ok(security.and_then(|security| security.sign(Side::Server, &offer.mech_list)));
    }
    match accepted.identity.kind {
        // Nothing was proved, so there is nothing that a changed list could weaken, and for a guest
        // no key to check with.
        IdentityKind::Guest | IdentityKind::Anonymous => Ok(None),
        IdentityKind::User if theirs.is_none() && !offer.mic_required => Ok(None),
        IdentityKind::User => Err(AuthError::LogonFailure),
    }
}

impl Mechanism for SpnegoServer {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match core::mem::replace(&mut self.state, State::Finished) {
            State::Start => self.start(token),
            State::Selected(offer) => self.challenge(token, offer),
            State::Challenged(offer) => self.finish(token, &offer),
            State::Raw => self.ntlm.step(token),
            State::Finished => Err(AuthError::Unexpected("token after the end")),
        }
    }
}

fn parse_resp(token: &[u8]) -> Result<NegTokenResp<'_>, AuthError> {
    match Token::parse(token)? {
        Token::Resp(resp) => Ok(resp),
        _ => Err(AuthError::Unexpected("NegTokenResp")),
    }
}

fn response_token<'a>(resp: &NegTokenResp<'a>) -> Result<&'a [u8], AuthError> {
    resp.response_token
        .filter(|token| !token.is_empty())
        .ok_or(AuthError::Unexpected("NegTokenResp without responseToken"))
}
