//! What clients ask of the local security authority.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter};
use super::lookup::{get_translated_names, get_translated_sids, put_translated_names, put_translated_sids};
use super::*;
use crate::wire::{DecodeError, Utf16, dtyp::Sid};

/// LSAPR_OBJECT_ATTRIBUTES, [MS-LSAD] 2.2.2.4: nothing in it matters, but that one part must not be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectAttributes {
    /// It names a root, which servers refuse.
    pub root_directory: bool,
}

/// The arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LsaRequest<'m> {
    /// LsarClose.
    Close {
        /// What.
        handle: PolicyHandle,
    },
    /// LsarOpenPolicy, LsarOpenPolicy2, LsarOpenPolicy3.
    OpenPolicy {
        /// Which of them.
        opnum: u16,
        /// The server that the client means; not in the first.
        system: Option<Utf16<'m>>,
        /// Nothing that matters.
        attributes: ObjectAttributes,
        /// What the client wants to do.
        access: PolicyAccess,
        /// The form of what the client says about itself, in the third.
        version: u32,
    },
    /// LsarQueryInformationPolicy, LsarQueryInformationPolicy2.
    QueryPolicy {
        /// Which of them.
        opnum: u16,
        /// The policy.
        handle: PolicyHandle,
        /// What about it.
        class: PolicyClass,
    },
    /// LsarEnumerateTrustedDomains, LsarEnumerateTrustedDomainsEx.
    EnumerateTrustedDomains {
        /// Which of them.
        opnum: u16,
        /// The policy.
        handle: PolicyHandle,
        /// Where an earlier answer ended.
        context: u32,
        /// About how many bytes the answer should have.
        preferred_length: u32,
    },
    /// LsarGetUserName.
    GetUserName {
        /// The server that the client means.
        system: Option<Utf16<'m>>,
        /// The name of the domain is wanted, too.
        domain: bool,
    },
    /// LsarLookupSids, LsarLookupSids2, LsarLookupSids3.
    LookupSids {
        /// Which of them.
        opnum: u16,
        /// The policy; not in the third.
        handle: PolicyHandle,
        /// What to translate. A pointer to nothing is no identifier.
        sids: Vec<Option<Sid>>,
        /// Where to look.
        level: LookupLevel,
        /// Flags; not in the first.
        options: u32,
        /// What the client understands: 1 or 2.
        revision: u32,
    },
    /// LsarLookupNames, LsarLookupNames2, LsarLookupNames3, LsarLookupNames4.
    LookupNames {
        /// Which of them.
        opnum: u16,
        /// The policy; not in the fourth.
        handle: PolicyHandle,
        /// What to translate.
        names: Vec<Utf16<'m>>,
        /// Where to look.
        level: LookupLevel,
        /// Flags; not in the first.
        options: u32,
        /// What the client understands: 1 or 2.
        revision: u32,
    },
}

impl<'m> LsaRequest<'m> {
    /// The method.
    pub fn opnum(&self) -> u16 {
        match self {
            Self::Close { .. } => CLOSE,
            Self::GetUserName { .. } => GET_USER_NAME,
            Self::OpenPolicy { opnum, .. }
            | Self::QueryPolicy { opnum, .. }
            | Self::EnumerateTrustedDomains { opnum, .. }
            | Self::LookupSids { opnum, .. }
            | Self::LookupNames { opnum, .. } => *opnum,
        }
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let out = &mut w;
        match self {
            Self::Close { handle } => handle.encode(out),
            Self::OpenPolicy { opnum, system, attributes, access, version } => {
                match *opnum {
                    OPEN_POLICY => out.pointer(false),
                    _ => out.unique_string(*system),
                }
                attributes.encode(out);
                out.u32(access.bits());
                if *opnum == OPEN_POLICY3 {
                    put_revision(out, *version, 0);
                }
            }
            Self::QueryPolicy { handle, class, .. } => {
                handle.encode(out);
                out.u16(class.0);
            }
            Self::EnumerateTrustedDomains { handle, context, preferred_length, .. } => {
                handle.encode(out);
                out.u32(*context);
                out.u32(*preferred_length);
            }
            Self::GetUserName { system, domain } => {
                out.unique_string(*system);
                out.pointer(false);
                out.pointer(*domain);
                if *domain {
                    out.pointer(false);
                }
            }
            Self::LookupSids { opnum, handle, sids, level, options, revision } => {
                if *opnum != LOOKUP_SIDS3 {
                    handle.encode(out);
                }
                out.counted(Some(sids));
                out.array(
                    sids,
                    |w, sid| w.pointer(sid.is_some()),
                    |w, sid| sid.iter().for_each(|sid| w.sid(sid)),
                );
                put_translated_names(out, &[], *opnum);
                put_scope(out, *level, *options, *revision, *opnum != LOOKUP_SIDS);
            }
            Self::LookupNames { opnum, handle, names, level, options, revision } => {
                if *opnum != LOOKUP_NAMES4 {
                    handle.encode(out);
                }
                out.u32(names.len() as u32);
                out.array(names, |w, name| w.unicode_string(*name), |w, name| w.unicode_buffer(*name));
                put_translated_sids(out, &[], *opnum);
                put_scope(out, *level, *options, *revision, *opnum != LOOKUP_NAMES);
            }
        }
        w.finish()
    }

    /// Parses the stub of a call, or gives `None` for a method that is not known.
    pub fn decode(opnum: u16, stub: &'m [u8]) -> Result<Option<Self>, DecodeError> {
        let mut r = NdrReader::new(stub);
        let r = &mut r;
        Ok(Some(match opnum {
            CLOSE => Self::Close { handle: PolicyHandle::decode(r)? },
            OPEN_POLICY | OPEN_POLICY2 | OPEN_POLICY3 => {
                let system = match opnum {
                    OPEN_POLICY => {
                        // The first character of a name, since somebody forgot to say that it is a string.
                        if r.pointer()? {
                            r.u16()?;
                        }
                        None
                    }
                    _ => r.unique_string()?,
                };
                let attributes = ObjectAttributes::decode(r)?;
                let access = PolicyAccess::from_bits_retain(r.u32()?);
                let version = if opnum == OPEN_POLICY3 { revision(r)?.0 } else { 0 };
                Self::OpenPolicy { opnum, system, attributes, access, version }
            }
            QUERY_POLICY | QUERY_POLICY2 => {
                let (handle, class) = (PolicyHandle::decode(r)?, PolicyClass(r.u16()?));
                Self::QueryPolicy { opnum, handle, class }
            }
            ENUMERATE_TRUSTED_DOMAINS | ENUMERATE_TRUSTED_DOMAINS_EX => {
                let (handle, context, preferred_length) = (PolicyHandle::decode(r)?, r.u32()?, r.u32()?);
                Self::EnumerateTrustedDomains { opnum, handle, context, preferred_length }
            }
            GET_USER_NAME => {
                let system = r.unique_string()?;
                skip_name(r)?;
                let domain = r.pointer()?;
                if domain {
                    skip_name(r)?;
                }
                Self::GetUserName { system, domain }
            }
            LOOKUP_SIDS | LOOKUP_SIDS2 | LOOKUP_SIDS3 => {
                let handle =
                    if opnum == LOOKUP_SIDS3 { PolicyHandle::default() } else { PolicyHandle::decode(r)? };
                let sids = match r.counted()? {
                    Some(count) => r.array(few(count)?, 4, NdrReader::pointer, NdrReader::sid_if)?,
                    None => Vec::new(),
                };
                get_translated_names(r, opnum)?;
                let (level, options, revision) = scope(r, opnum != LOOKUP_SIDS)?;
                Self::LookupSids { opnum, handle, sids, level, options, revision }
            }
            LOOKUP_NAMES | LOOKUP_NAMES2 | LOOKUP_NAMES3 | LOOKUP_NAMES4 => {
                let handle =
                    if opnum == LOOKUP_NAMES4 { PolicyHandle::default() } else { PolicyHandle::decode(r)? };
                let count = few(r.u32()?)?;
                let names = r.array(count, 8, NdrReader::unicode_string, NdrReader::unicode_buffer)?;
                get_translated_sids(r, opnum)?;
                let (level, options, revision) = scope(r, opnum != LOOKUP_NAMES)?;
                Self::LookupNames { opnum, handle, names, level, options, revision }
            }
            _ => return Ok(None),
        }))
    }
}

/// A number of names or identifiers that a call may have.
pub(super) fn few(count: u32) -> Result<u32, DecodeError> {
    if count <= MAX_LOOKUPS { Ok(count) } else { Err(DecodeError::value("LSA lookup", 0, count.into())) }
}

/// A pointer to an RPC_UNICODE_STRING that is for the answer, whatever it says.
fn skip_name(r: &mut NdrReader<'_>) -> Result<(), DecodeError> {
    if r.pointer()? {
        let length = r.unicode_string()?;
        r.unicode_buffer(length)?;
    }
    Ok(())
}

/// Where to look, a count that is for the answer, and what newer methods have beside it.
fn scope(r: &mut NdrReader<'_>, newer: bool) -> Result<(LookupLevel, u32, u32), DecodeError> {
    let (level, _mapped) = (LookupLevel(r.u16()?), r.u32()?);
    Ok(if newer { (level, r.u32()?, r.u32()?) } else { (level, 0, 1) })
}

fn put_scope(w: &mut NdrWriter, level: LookupLevel, options: u32, revision: u32, newer: bool) {
    w.u16(level.0);
    w.u32(0);
    if newer {
        w.u32(options);
        w.u32(revision);
    }
}

/// LSAPR_REVISION_INFO behind its version: what a client or server can do.
pub(super) fn revision(r: &mut NdrReader<'_>) -> Result<(u32, u32), DecodeError> {
    let version = r.u32()?;
    r.expect(version)?;
    // There is but one form.
    if version != 1 {
        return Ok((version, 0));
    }
    let (_revision, features) = (r.u32()?, r.u32()?);
    Ok((version, features))
}

pub(super) fn put_revision(w: &mut NdrWriter, version: u32, features: u32) {
    w.u32(version);
    w.u32(version);
    if version == 1 {
        w.u32(1);
        w.u32(features);
    }
}

impl PolicyHandle {
    pub(super) fn decode(r: &mut NdrReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { attributes: r.u32()?, uuid: Guid(r.bytes()?) })
    }

    pub(super) fn encode(&self, w: &mut NdrWriter) {
        w.u32(self.attributes);
        w.bytes(&self.uuid.0);
    }
}

impl ObjectAttributes {
    /// Length of the structure in the memory of a 32-bit client.
    const LENGTH: u32 = 24;

    fn decode(r: &mut NdrReader<'_>) -> Result<Self, DecodeError> {
        let _length = r.u32()?;
        let root_directory = r.pointer()?;
        // Names and descriptors have no use here, and nobody sends them.
        r.expect(0)?;
        let _attributes = r.u32()?;
        r.expect(0)?;
        let quality = r.pointer()?;
        if root_directory {
            r.bytes::<1>()?;
        }
        if quality {
            let (_length, _impersonation) = (r.u32()?, r.u16()?);
            r.bytes::<2>()?;
        }
        Ok(Self { root_directory })
    }

    fn encode(&self, w: &mut NdrWriter) {
        w.u32(Self::LENGTH);
        w.pointer(self.root_directory);
        (0..4).for_each(|_| w.u32(0));
        if self.root_directory {
            w.bytes(&[0]);
        }
    }
}
