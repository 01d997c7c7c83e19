//! Translations of names and identifiers.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter};
use super::request::few;
use super::{LOOKUP_NAMES, LOOKUP_NAMES2, LOOKUP_SIDS};
use crate::wire::dtyp::Sid;
use crate::wire::{DecodeError, NtStatus, Utf16, open_enum};

open_enum! {
    /// SID_NAME_USE, [MS-LSAT] 2.2.13: what an identifier names.
    pub struct AccountKind: u16 {
        /// A user
        USER = 1,
        /// A group
        GROUP = 2,
        /// A domain
        DOMAIN = 3,
        /// A group of one machine
        ALIAS = 4,
        /// A group that every machine has
        WELL_KNOWN_GROUP = 5,
        /// Something that was deleted
        DELETED_ACCOUNT = 6,
        /// Nothing that could be
        INVALID = 7,
        /// Nothing that is known
        UNKNOWN = 8,
        /// A machine
        COMPUTER = 9,
        /// An integrity label
        LABEL = 10,
    }
}

/// LSAPR_TRUST_INFORMATION, [MS-LSAT] 2.2.11: a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferencedDomain<'m> {
    /// Name.
    pub name: Utf16<'m>,
    /// Identifier.
    pub sid: Option<Sid>,
}

/// LSAPR_TRANSLATED_NAME and LSAPR_TRANSLATED_NAME_EX, [MS-LSAT] 2.2.19 and 2.2.21: the name of an
/// identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslatedName<'m> {
    /// What it names.
    pub kind: AccountKind,
    /// Name, without the domain.
    pub name: Utf16<'m>,
    /// Which of the domains beside it, -1 for none.
    pub domain: i32,
    /// How it was found; not in the first form.
    pub flags: u32,
}

/// LSA_TRANSLATED_SID, LSAPR_TRANSLATED_SID_EX and LSAPR_TRANSLATED_SID_EX2, [MS-LSAT] 2.2.14, 2.2.23
/// and 2.2.25: the identifier of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslatedSid {
    /// What it names.
    pub kind: AccountKind,
    /// Within the domain, `u32::MAX` for the domain itself; in the first two forms.
    pub rid: u32,
    /// The whole identifier, in the third form.
    pub sid: Option<Sid>,
    /// Which of the domains beside it, -1 for none.
    pub domain: i32,
    /// How it was found; not in the first form.
    pub flags: u32,
}

/// The results of LsarLookupSids and its successors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupSidsResponse<'m> {
    /// Domains that names refer to; nothing if it did not work at all.
    pub domains: Option<Vec<ReferencedDomain<'m>>>,
    /// One for each identifier.
    pub names: Vec<TranslatedName<'m>>,
    /// How many were found.
    pub mapped: u32,
    /// Whether all, some or none were found.
    pub status: NtStatus,
}

impl<'m> LookupSidsResponse<'m> {
    /// The stub that answers a method.
    pub fn encode(&self, opnum: u16) -> Vec<u8> {
        let mut w = NdrWriter::new();
        put_domains(&mut w, self.domains.as_deref());
        put_translated_names(&mut w, &self.names, opnum);
        w.u32(self.mapped);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub that answers a method.
    pub fn decode(opnum: u16, stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let (domains, names) = (domains(&mut r)?, get_translated_names(&mut r, opnum)?);
        Ok(Self { domains, names, mapped: r.u32()?, status: NtStatus(r.u32()?) })
    }
}

/// The results of LsarLookupNames and its successors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupNamesResponse<'m> {
    /// Domains that identifiers refer to; nothing if it did not work at all.
    pub domains: Option<Vec<ReferencedDomain<'m>>>,
    /// One for each name.
    pub sids: Vec<TranslatedSid>,
    /// How many were found.
    pub mapped: u32,
    /// Whether all, some or none were found.
    pub status: NtStatus,
}

impl<'m> LookupNamesResponse<'m> {
    /// The stub that answers a method.
    pub fn encode(&self, opnum: u16) -> Vec<u8> {
        let mut w = NdrWriter::new();
        put_domains(&mut w, self.domains.as_deref());
        put_translated_sids(&mut w, &self.sids, opnum);
        w.u32(self.mapped);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub that answers a method.
    pub fn decode(opnum: u16, stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let (domains, sids) = (domains(&mut r)?, get_translated_sids(&mut r, opnum)?);
        Ok(Self { domains, sids, mapped: r.u32()?, status: NtStatus(r.u32()?) })
    }
}

/// LSAPR_REFERENCED_DOMAIN_LIST, [MS-LSAT] 2.2.12.
fn put_domains(w: &mut NdrWriter, domains: Option<&[ReferencedDomain<'_>]>) {
    w.pointer(domains.is_some());
    let Some(domains) = domains else { return };
    let domains = Some(domains).filter(|domains| !domains.is_empty());
    w.counted(domains);
    let domains = domains.unwrap_or_default();
    // MaxEntries, which nobody reads.
    w.u32(domains.len() as u32);
    if domains.is_empty() {
        return;
    }
    w.array(
        domains,
        |w, domain| {
            w.unicode_string(domain.name);
            w.pointer(domain.sid.is_some());
        },
        |w, domain| {
            w.unicode_buffer(domain.name);
            domain.sid.iter().for_each(|sid| w.sid(sid));
        },
    );
}

fn domains<'m>(r: &mut NdrReader<'m>) -> Result<Option<Vec<ReferencedDomain<'m>>>, DecodeError> {
    if !r.pointer()? {
        return Ok(None);
    }
    let (count, _max_entries) = (r.counted()?, r.u32()?);
    let Some(count) = count else { return Ok(Some(Vec::new())) };
    let fixed = |r: &mut NdrReader<'m>| Ok((r.unicode_string()?, r.pointer()?));
    let domain = |r: &mut NdrReader<'m>, (name, sid)| {
        Ok(ReferencedDomain { name: r.unicode_buffer(name)?, sid: r.sid_if(sid)? })
    };
    r.array(few(count)?, 12, fixed, domain).map(Some)
}

/// LSAPR_TRANSLATED_NAMES or LSAPR_TRANSLATED_NAMES_EX, as a method has it.
pub(super) fn put_translated_names(w: &mut NdrWriter, names: &[TranslatedName<'_>], opnum: u16) {
    let names = Some(names).filter(|names| !names.is_empty());
    w.counted(names);
    let Some(names) = names else { return };
    let fixed = |w: &mut NdrWriter, name: &TranslatedName<'_>| {
        w.u16(name.kind.0);
        w.unicode_string(name.name);
        w.u32(name.domain as u32);
        if opnum != LOOKUP_SIDS {
            w.u32(name.flags);
        }
    };
    w.array(names, fixed, |w, name| w.unicode_buffer(name.name));
}

pub(super) fn get_translated_names<'m>(
    r: &mut NdrReader<'m>,
    opnum: u16,
) -> Result<Vec<TranslatedName<'m>>, DecodeError> {
    let Some(count) = r.counted()? else { return Ok(Vec::new()) };
    let flagged = opnum != LOOKUP_SIDS;
    let fixed = |r: &mut NdrReader<'m>| {
        // Like all structures with pointers, it begins at a multiple of 4.
        let (kind, length) = (r.u32()? as u16, r.unicode_string()?);
        let (domain, flags) = (r.u32()? as i32, if flagged { r.u32()? } else { 0 });
        Ok((length, TranslatedName { kind: AccountKind(kind), name: Utf16::default(), domain, flags }))
    };
    let name = |r: &mut NdrReader<'m>, (length, name)| {
        Ok(TranslatedName { name: r.unicode_buffer(length)?, ..name })
    };
    r.array(few(count)?, if flagged { 20 } else { 16 }, fixed, name)
}

/// LSAPR_TRANSLATED_SIDS, LSAPR_TRANSLATED_SIDS_EX or LSAPR_TRANSLATED_SIDS_EX2, as a method has it.
pub(super) fn put_translated_sids(w: &mut NdrWriter, sids: &[TranslatedSid], opnum: u16) {
    let sids = Some(sids).filter(|sids| !sids.is_empty());
    w.counted(sids);
    let Some(sids) = sids else { return };
    let whole = has_whole(opnum);
    let fixed = |w: &mut NdrWriter, sid: &TranslatedSid| {
        w.u16(sid.kind.0);
        if whole {
            w.pointer(sid.sid.is_some());
        } else {
            w.u32(sid.rid);
        }
        w.u32(sid.domain as u32);
        if opnum != LOOKUP_NAMES {
            w.u32(sid.flags);
        }
    };
    w.array(sids, fixed, |w, sid| sid.sid.iter().filter(|_| whole).for_each(|sid| w.sid(sid)));
}

pub(super) fn get_translated_sids(
    r: &mut NdrReader<'_>,
    opnum: u16,
) -> Result<Vec<TranslatedSid>, DecodeError> {
    let Some(count) = r.counted()? else { return Ok(Vec::new()) };
    let (whole, flagged) = (has_whole(opnum), opnum != LOOKUP_NAMES);
    let fixed = |r: &mut NdrReader<'_>| {
        let kind = AccountKind(r.u32()? as u16);
        let (rid, present) = if whole { (0, r.pointer()?) } else { (r.u32()?, false) };
        let (domain, flags) = (r.u32()? as i32, if flagged { r.u32()? } else { 0 });
        Ok((present, TranslatedSid { kind, rid, sid: None, domain, flags }))
    };
    let sid = |r: &mut NdrReader<'_>, (present, sid)| Ok(TranslatedSid { sid: r.sid_if(present)?, ..sid });
    r.array(few(count)?, if flagged { 16 } else { 12 }, fixed, sid)
}

/// Whether a method gives whole identifiers.
fn has_whole(opnum: u16) -> bool {
    !matches!(opnum, LOOKUP_NAMES | LOOKUP_NAMES2)
}
