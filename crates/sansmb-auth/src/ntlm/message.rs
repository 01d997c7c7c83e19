//! The three messages, [MS-NLMP] 2.2.1.

use alloc::{borrow::ToOwned, vec::Vec};

use sansmb::auth::AuthError;

use super::flags::NegotiateFlags;

/// How every message begins.
pub(crate) const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Where the MIC of an AUTHENTICATE message is, where it has one.
pub(crate) const MIC_AT: usize = 72;
/// Where it ends.
pub(crate) const MIC_END: usize = MIC_AT + 16;

/// A made-up version 6.1 with NTLMSSP_REVISION_W2K3, [MS-NLMP] 2.2.2.10. It serves debugging only.
const VERSION: [u8; 8] = [6, 1, 0, 0, 0, 0, 0, 0x0f];

const NEGOTIATE: u32 = 1;
const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;

/// The client's NEGOTIATE_MESSAGE, without names.
pub(crate) fn build_negotiate() -> Vec<u8> {
    let mut builder = Builder::new(NEGOTIATE, 40);
    builder.set(12, &NegotiateFlags::CLIENT.bits().to_le_bytes());
    builder.set(32, &VERSION);
    builder.out
}

/// The flags of a NEGOTIATE_MESSAGE; its names are in a character set nobody knows.
pub(crate) fn parse_negotiate(message: &[u8]) -> Result<NegotiateFlags, AuthError> {
    let view = View::new(message, NEGOTIATE, 16, "NEGOTIATE_MESSAGE")?;
    Ok(NegotiateFlags::from_bits_retain(view.u32(12)?))
}

/// CHALLENGE_MESSAGE.
#[derive(Debug)]
pub(crate) struct Challenge<'m> {
    pub(crate) flags: NegotiateFlags,
    pub(crate) server_challenge: [u8; 8],
    /// UTF-16LE.
    pub(crate) target_name: &'m [u8],
    pub(crate) target_info: &'m [u8],
    /// Where `target_info` begins.
    pub(crate) target_info_at: usize,
}

impl<'m> Challenge<'m> {
    pub(crate) fn parse(message: &'m [u8]) -> Result<Self, AuthError> {
        let view = View::new(message, CHALLENGE, 32, "CHALLENGE_MESSAGE")?;
        let flags = NegotiateFlags::from_bits_retain(view.u32(20)?);
        let target_name = view.field(12, "TargetName")?;
        let target_info = if flags.contains(NegotiateFlags::TARGET_INFO) {
            view.field(40, "TargetInfo")?
        } else {
            Field::EMPTY
        };
        Ok(Self {
            flags,
            server_challenge: view.array(24)?,
            target_name: target_name.bytes,
            target_info: target_info.bytes,
            target_info_at: target_info.at,
        })
    }

    pub(crate) fn build(&self) -> Result<Vec<u8>, AuthError> {
        let mut builder = Builder::new(CHALLENGE, 56);
        builder.set(20, &self.flags.bits().to_le_bytes());
        builder.set(24, &self.server_challenge);
        if self.flags.contains(NegotiateFlags::VERSION) {
            builder.set(48, &VERSION);
        }
        builder.field(12, self.target_name)?;
        builder.field(40, self.target_info)?;
        Ok(builder.out)
    }
}

/// AUTHENTICATE_MESSAGE. Names are UTF-16LE.
#[derive(Debug)]
pub(crate) struct Authenticate<'m> {
    pub(crate) flags: NegotiateFlags,
    pub(crate) lm_response: &'m [u8],
    pub(crate) nt_response: &'m [u8],
    /// Where `nt_response` begins.
    pub(crate) nt_response_at: usize,
    pub(crate) domain: &'m [u8],
    pub(crate) user: &'m [u8],
    pub(crate) workstation: &'m [u8],
    pub(crate) encrypted_session_key: &'m [u8],
    /// Whether no payload lies where the MIC would be.
    pub(crate) has_mic_field: bool,
}

impl<'m> Authenticate<'m> {
    pub(crate) fn parse(message: &'m [u8]) -> Result<Self, AuthError> {
        let view = View::new(message, AUTHENTICATE, 64, "AUTHENTICATE_MESSAGE")?;
        let lm = view.field(12, "LmChallengeResponse")?;
        let nt = view.field(20, "NtChallengeResponse")?;
        let domain = view.name(28, "DomainName")?;
        let user = view.name(36, "UserName")?;
        let workstation = view.name(44, "Workstation")?;
        let key = view.field(52, "EncryptedRandomSessionKey")?;
        let fields = [lm, nt, domain, user, workstation, key];
        let has_mic_field = message.len() >= MIC_END
            && fields.iter().all(|field| field.bytes.is_empty() || field.at >= MIC_END);
        Ok(Self {
            flags: NegotiateFlags::from_bits_retain(view.u32(60)?),
            lm_response: lm.bytes,
            nt_response: nt.bytes,
            nt_response_at: nt.at,
            domain: domain.bytes,
            user: user.bytes,
            workstation: workstation.bytes,
            encrypted_session_key: key.bytes,
            has_mic_field,
        })
    }

    /// With a MIC field of zeros.
    pub(crate) fn build(&self) -> Result<Vec<u8>, AuthError> {
        let mut builder = Builder::new(AUTHENTICATE, MIC_END);
        builder.set(60, &self.flags.bits().to_le_bytes());
        if self.flags.contains(NegotiateFlags::VERSION) {
            builder.set(64, &VERSION);
        }
        builder.field(28, self.domain)?;
        builder.field(36, self.user)?;
        builder.field(44, self.workstation)?;
        builder.field(12, self.lm_response)?;
        builder.field(20, self.nt_response)?;
        builder.field(52, self.encrypted_session_key)?;
        Ok(builder.out)
    }
}

/// A message that is long enough for its fixed part.
#[derive(Clone, Copy)]
struct View<'m>(&'m [u8]);

#[derive(Clone, Copy)]
struct Field<'m> {
    bytes: &'m [u8],
    at: usize,
}

impl Field<'_> {
    const EMPTY: Self = Self { bytes: &[], at: 0 };
}

impl<'m> View<'m> {
    fn new(message: &'m [u8], kind: u32, least: usize, what: &'static str) -> Result<Self, AuthError> {
        let view = Self(message);
        if message.len() < least || !message.starts_with(SIGNATURE) {
            return Err(AuthError::Malformed(what, 0));
        }
        if view.u32(8)? != kind {
            return Err(AuthError::Unexpected(what));
        }
        Ok(view)
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], AuthError> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().ok_or(AuthError::Malformed("NTLM message", at))
    }

    fn u32(self, at: usize) -> Result<u32, AuthError> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// The payload that the length and offset at `at` point to.
    fn field(self, at: usize, what: &'static str) -> Result<Field<'m>, AuthError> {
        let length = usize::from(u16::from_le_bytes(self.array(at)?));
        if length == 0 {
            return Ok(Field::EMPTY);
        }
        let bad = AuthError::Malformed(what, at);
        let start = usize::try_from(self.u32(at + 4)?).map_err(|_| bad)?;
        let end = start.checked_add(length).ok_or(bad)?;
        let bytes = self.0.get(start..end).ok_or(bad)?;
        Ok(Field { bytes, at: start })
    }

    /// A field of UTF-16LE.
    fn name(self, at: usize, what: &'static str) -> Result<Field<'m>, AuthError> {
        let field = self.field(at, what)?;
        if field.bytes.len().is_multiple_of(2) { Ok(field) } else { Err(AuthError::Malformed(what, at)) }
    }
}

struct Builder {
    out: Vec<u8>,
}

impl Builder {
    fn new(kind: u32, fixed: usize) -> Self {
        let mut out = SIGNATURE.as_slice().to_owned();
        out.resize(fixed, 0);
        let mut builder = Self { out };
        builder.set(8, &kind.to_le_bytes());
        builder
    }

    /// Writes into the fixed part.
    fn set(&mut self, at: usize, bytes: &[u8]) {
        self.out[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Appends payload and points the field at `at` to it.
    fn field(&mut self, at: usize, bytes: &[u8]) -> Result<(), AuthError> {
        let too_long = AuthError::Unexpected("name too long for NTLM");
        let length = u16::try_from(bytes.len()).map_err(|_| too_long)?;
        let offset = u32::try_from(self.out.len()).map_err(|_| too_long)?;
        self.set(at, &length.to_le_bytes());
        self.set(at + 2, &length.to_le_bytes());
        self.set(at + 4, &offset.to_le_bytes());
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}
