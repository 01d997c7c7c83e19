//! NegTokenInit, NegTokenInit2 and NegTokenResp, RFC 4178 section 4.2 and [MS-SPNG] 2.2.1.

use alloc::vec::Vec;

use sansmb::auth::AuthError;

use crate::{
    der::{Reader, encode, tag},
    ntlm,
};

/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.3.6.1.4.1.311.2.2.10
pub(crate) const NTLMSSP: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
/// What [MS-SPNG] 2.2.1 wants as hintName.
const HINT_NAME: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// A token of any kind.
#[derive(Debug)]
pub(crate) enum Token<'a> {
    Init(NegTokenInit<'a>),
    Resp(NegTokenResp<'a>),
    /// NTLMSSP without SPNEGO.
    Raw(&'a [u8]),
}

/// NegTokenInit or NegTokenInit2. What is of no use (reqFlags, hints, a MIC nobody can check yet)
/// is skipped.
#[derive(Debug, Default)]
pub(crate) struct NegTokenInit<'a> {
    /// MechTypeList with its tag and length: this is what mechListMIC covers.
    pub(crate) mech_list: &'a [u8],
    pub(crate) mech_token: Option<&'a [u8]>,
}

/// negState.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NegState {
    AcceptCompleted = 0,
    AcceptIncomplete = 1,
    Reject = 2,
    RequestMic = 3,
}

/// NegTokenResp.
#[derive(Debug, Default)]
pub(crate) struct NegTokenResp<'a> {
    pub(crate) state: Option<NegState>,
    pub(crate) supported_mech: Option<&'a [u8]>,
    pub(crate) response_token: Option<&'a [u8]>,
    pub(crate) mech_list_mic: Option<&'a [u8]>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(token: &'a [u8]) -> Result<Self, AuthError> {
        if token.starts_with(ntlm::SIGNATURE) {
            return Ok(Self::Raw(token));
        }
        let mut element = Reader::new(token).element("SPNEGO token")?;
        if element.tag == tag::GSS {
            let mut inside = element.reader();
            let mechanism = inside.expect(tag::OID, "SPNEGO mechanism")?;
            if mechanism.content != SPNEGO {
                return Err(AuthError::NoMechanism);
            }
            element = inside.element("SPNEGO token")?;
        }
        const INIT: u8 = tag::context(0);
        const RESP: u8 = tag::context(1);
        match element.tag {
            INIT => {
                let sequence = element.only(tag::SEQUENCE, "NegTokenInit")?;
                NegTokenInit::parse(sequence.reader()).map(Self::Init)
            }
            RESP => {
                let sequence = element.only(tag::SEQUENCE, "NegTokenResp")?;
                NegTokenResp::parse(sequence.reader()).map(Self::Resp)
            }
            _ => Err(AuthError::Malformed("SPNEGO token", 0)),
        }
    }
}

impl<'a> NegTokenInit<'a> {
    fn parse(mut fields: Reader<'a>) -> Result<Self, AuthError> {
        const MECH_TYPES: u8 = tag::context(0);
        const MECH_TOKEN: u8 = tag::context(2);
        let mut init = Self::default();
        while !fields.is_empty() {
            let field = fields.element("NegTokenInit")?;
            match field.tag {
                MECH_TYPES => init.mech_list = field.only(tag::SEQUENCE, "MechTypeList")?.whole,
                MECH_TOKEN => init.mech_token = Some(field.only(tag::OCTET_STRING, "mechToken")?.content),
                _ => {}
            }
        }
        Ok(init)
    }

    /// Where in the list of mechanisms NTLM stands.
    pub(crate) fn ntlm_position(&self) -> Result<Option<usize>, AuthError> {
        if self.mech_list.is_empty() {
            return Ok(None);
        }
        let mut mechs = Reader::new(self.mech_list).expect(tag::SEQUENCE, "MechTypeList")?.reader();
        let mut position = 0;
        while !mechs.is_empty() {
            if mechs.expect(tag::OID, "MechType")?.content == NTLMSSP {
                return Ok(Some(position));
            }
            position += 1;
        }
        Ok(None)
    }
}

impl<'a> NegTokenResp<'a> {
    fn parse(mut fields: Reader<'a>) -> Result<Self, AuthError> {
        const STATE: u8 = tag::context(0);
        const SUPPORTED_MECH: u8 = tag::context(1);
        const RESPONSE_TOKEN: u8 = tag::context(2);
        const MECH_LIST_MIC: u8 = tag::context(3);
        let mut resp = Self::default();
        while !fields.is_empty() {
            let at = fields.at();
            let field = fields.element("NegTokenResp")?;
            match field.tag {
                STATE => {
                    resp.state = Some(match field.only(tag::ENUMERATED, "negState")?.content {
                        [0] => NegState::AcceptCompleted,
                        [1] => NegState::AcceptIncomplete,
                        [2] => NegState::Reject,
                        [3] => NegState::RequestMic,
                        _ => return Err(AuthError::Malformed("negState", at)),
                    });
                }
                SUPPORTED_MECH => resp.supported_mech = Some(field.only(tag::OID, "supportedMech")?.content),
                RESPONSE_TOKEN => {
                    resp.response_token = Some(field.only(tag::OCTET_STRING, "responseToken")?.content);
                }
                MECH_LIST_MIC => {
                    resp.mech_list_mic = Some(field.only(tag::OCTET_STRING, "mechListMIC")?.content);
                }
                _ => {}
            }
        }
        // Ancient peers repeat the token where the MIC should be.
        if resp.mech_list_mic == resp.response_token {
            resp.mech_list_mic = None;
        }
        Ok(resp)
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let state = self.state.map(|state| encode(tag::ENUMERATED, &[&[state as u8]]));
        let fields = [
            (0, state),
            (1, self.supported_mech.map(|mech| encode(tag::OID, &[mech]))),
            (2, self.response_token.map(|token| encode(tag::OCTET_STRING, &[token]))),
            (3, self.mech_list_mic.map(|mic| encode(tag::OCTET_STRING, &[mic]))),
        ];
        let mut content = Vec::new();
        for (number, field) in fields {
            if let Some(field) = field {
                content.extend(encode(tag::context(number), &[&field]));
            }
        }
        encode(tag::context(1), &[&encode(tag::SEQUENCE, &[&content])])
    }
}

/// The MechTypeList that names NTLM alone.
pub(crate) fn ntlm_mech_list() -> Vec<u8> {
    encode(tag::SEQUENCE, &[&encode(tag::OID, &[NTLMSSP])])
}

/// The client's first token.
pub(crate) fn build_init(mech_list: &[u8], mech_token: &[u8]) -> Vec<u8> {
    let token = encode(tag::context(2), &[&encode(tag::OCTET_STRING, &[mech_token])]);
    frame(&[&encode(tag::context(0), &[mech_list]), &token])
}

/// The server's NegTokenInit2 for NEGOTIATE.
pub(crate) fn build_hint() -> Vec<u8> {
    let name = encode(tag::context(0), &[&encode(tag::GENERAL_STRING, &[HINT_NAME])]);
    let hints = encode(tag::context(3), &[&encode(tag::SEQUENCE, &[&name])]);
    frame(&[&encode(tag::context(0), &[&ntlm_mech_list()]), &hints])
}

fn frame(fields: &[&[u8]]) -> Vec<u8> {
    let init = encode(tag::context(0), &[&encode(tag::SEQUENCE, fields)]);
    encode(tag::GSS, &[&encode(tag::OID, &[SPNEGO]), &init])
}
