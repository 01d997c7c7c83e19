//! What the local security authority answers about its policy.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter};
use super::request::{put_revision, revision};
use super::{OPEN_POLICY3, PolicyClass, PolicyHandle};
use crate::wire::dtyp::Sid;
use crate::wire::{DecodeError, Guid, NtStatus, Utf16};

/// The results of LsarOpenPolicy and its successors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenPolicyResponse {
    /// The policy, zeros if it did not work.
    pub handle: PolicyHandle,
    /// What the server can do, in LsarOpenPolicy3.
    pub features: u32,
    /// Whether it worked.
    pub status: NtStatus,
}

impl OpenPolicyResponse {
    /// The stub that answers a method.
    pub fn encode(&self, opnum: u16) -> Vec<u8> {
        let mut w = NdrWriter::new();
        if opnum == OPEN_POLICY3 {
            put_revision(&mut w, 1, self.features);
        }
        self.handle.encode(&mut w);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub that answers a method.
    pub fn decode(opnum: u16, stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let features = if opnum == OPEN_POLICY3 { revision(&mut r)?.1 } else { 0 };
        Ok(Self { handle: PolicyHandle::decode(&mut r)?, features, status: NtStatus(r.u32()?) })
    }
}

/// The results of LsarClose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseResponse {
    /// Zeros if it worked.
    pub handle: PolicyHandle,
    /// Whether it worked.
    pub status: NtStatus,
}

impl CloseResponse {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        self.handle.encode(&mut w);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        Ok(Self { handle: PolicyHandle::decode(&mut r)?, status: NtStatus(r.u32()?) })
    }
}

/// LSAPR_POLICY_INFORMATION, [MS-LSAD] 2.2.4.2, as far as it is about domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyInformation<'m> {
    /// For PRIMARY_DOMAIN, ACCOUNT_DOMAIN and LOCAL_ACCOUNT_DOMAIN.
    Domain {
        /// Name of the domain, or of a workgroup.
        name: Utf16<'m>,
        /// Identifier of the domain; a workgroup has none.
        sid: Option<Sid>,
    },
    /// For PD_ACCOUNT.
    Account {
        /// Nothing.
        name: Utf16<'m>,
    },
    /// For SERVER_ROLE.
    Role {
        /// 2 backup, 3 primary.
        role: u16,
    },
    /// For DNS_DOMAIN and DNS_DOMAIN_INT.
    DnsDomain {
        /// Name of the domain, or of a workgroup.
        name: Utf16<'m>,
        /// Its name in DNS.
        dns_name: Utf16<'m>,
        /// That of its forest.
        forest: Utf16<'m>,
        /// Names the domain.
        guid: Guid,
        /// Identifier of the domain; a workgroup has none.
        sid: Option<Sid>,
    },
}

/// The results of LsarQueryInformationPolicy and its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryPolicyResponse<'m> {
    /// What was asked for.
    pub class: PolicyClass,
    /// What the answer is, if it worked.
    pub information: Option<PolicyInformation<'m>>,
    /// Whether it worked.
    pub status: NtStatus,
}

impl<'m> QueryPolicyResponse<'m> {
    /// The stub. Information has to be of the form that belongs to its class.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.pointer(self.information.is_some());
        if let Some(information) = &self.information {
            w.u16(self.class.0);
            information.encode(&mut w);
        }
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub that answers a question about `class`.
    pub fn decode(class: PolicyClass, stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let information = if r.pointer()? {
            let tag = r.u16()?;
            if tag != class.0 {
                return Err(DecodeError::value("LSAPR_POLICY_INFORMATION", 4, tag.into()));
            }
            Some(PolicyInformation::decode(&mut r, class)?)
        } else {
            None
        };
        Ok(Self { class, information, status: NtStatus(r.u32()?) })
    }
}

impl<'m> PolicyInformation<'m> {
    fn encode(&self, w: &mut NdrWriter) {
        match self {
            Self::Domain { name, sid } => {
                w.unicode_string(*name);
                w.pointer(sid.is_some());
                w.unicode_buffer(*name);
                sid.iter().for_each(|sid| w.sid(sid));
            }
            Self::Account { name } => {
                w.unicode_string(*name);
                w.unicode_buffer(*name);
            }
            // Every arm begins where the longest numbers of any could.
            Self::Role { role } => w.u32((*role).into()),
            Self::DnsDomain { name, dns_name, forest, guid, sid } => {
                let names = [*name, *dns_name, *forest];
                names.into_iter().for_each(|name| w.unicode_string(name));
                w.bytes(&guid.0);
                w.pointer(sid.is_some());
                names.into_iter().for_each(|name| w.unicode_buffer(name));
                sid.iter().for_each(|sid| w.sid(sid));
            }
        }
    }

    fn decode(r: &mut NdrReader<'m>, class: PolicyClass) -> Result<Self, DecodeError> {
        Ok(match class {
            PolicyClass::PRIMARY_DOMAIN | PolicyClass::ACCOUNT_DOMAIN | PolicyClass::LOCAL_ACCOUNT_DOMAIN => {
                let (name, sid) = (r.unicode_string()?, r.pointer()?);
                Self::Domain { name: r.unicode_buffer(name)?, sid: r.sid_if(sid)? }
            }
            PolicyClass::PD_ACCOUNT => {
                let name = r.unicode_string()?;
                Self::Account { name: r.unicode_buffer(name)? }
            }
            PolicyClass::SERVER_ROLE => Self::Role { role: r.u32()? as u16 },
            PolicyClass::DNS_DOMAIN | PolicyClass::DNS_DOMAIN_INT => {
                let (name, dns_name, forest) =
                    (r.unicode_string()?, r.unicode_string()?, r.unicode_string()?);
                let (guid, sid) = (Guid(r.bytes()?), r.pointer()?);
                Self::DnsDomain {
                    name: r.unicode_buffer(name)?,
                    dns_name: r.unicode_buffer(dns_name)?,
                    forest: r.unicode_buffer(forest)?,
                    guid,
                    sid: r.sid_if(sid)?,
                }
            }
            other => return Err(DecodeError::value("LSAPR_POLICY_INFORMATION", 4, other.0.into())),
        })
    }
}

/// The results of LsarEnumerateTrustedDomains and its successor, of a server that trusts no domains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnumerateTrustedDomainsResponse {
    /// Where to go on.
    pub context: u32,
    /// NO_MORE_ENTRIES, or why not.
    pub status: NtStatus,
}

impl EnumerateTrustedDomainsResponse {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.u32(self.context);
        w.counted::<()>(None);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub of an answer without domains.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let context = r.u32()?;
        r.expect(0)?;
        r.expect(0)?;
        Ok(Self { context, status: NtStatus(r.u32()?) })
    }
}

/// The results of LsarGetUserName.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetUserNameResponse<'m> {
    /// Who asks, if it worked.
    pub user: Option<Utf16<'m>>,
    /// Their domain, if that was asked for: nothing inside if it did not work.
    pub domain: Option<Option<Utf16<'m>>>,
    /// Whether it worked.
    pub status: NtStatus,
}

impl<'m> GetUserNameResponse<'m> {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        put_name(&mut w, self.user);
        w.pointer(self.domain.is_some());
        if let Some(domain) = self.domain {
            put_name(&mut w, domain);
        }
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let user = name(&mut r)?;
        let domain = if r.pointer()? { Some(name(&mut r)?) } else { None };
        Ok(Self { user, domain, status: NtStatus(r.u32()?) })
    }
}

fn put_name(w: &mut NdrWriter, name: Option<Utf16<'_>>) {
    w.pointer(name.is_some());
    if let Some(name) = name {
        w.unicode_string(name);
        w.unicode_buffer(name);
    }
}

fn name<'m>(r: &mut NdrReader<'m>) -> Result<Option<Utf16<'m>>, DecodeError> {
    if !r.pointer()? {
        return Ok(None);
    }
    let length = r.unicode_string()?;
    r.unicode_buffer(length).map(Some)
}
