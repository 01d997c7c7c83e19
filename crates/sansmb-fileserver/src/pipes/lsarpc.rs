//! The local security authority, [MS-LSAT] and [MS-LSAD]: what the security page of a file asks.

use std::collections::BTreeMap;

use sansmb::{
    auth::IdentityKind,
    rpc::{
        FaultStatus, RpcCall,
        lsarpc::{
            CloseResponse, EnumerateTrustedDomainsResponse, GetUserNameResponse, LOOKUP_NAMES4, LOOKUP_SIDS3,
            LookupLevel, LsaRequest, OPEN_POLICY3, OpenPolicyResponse, PolicyAccess, PolicyClass,
            PolicyHandle, PolicyInformation, QueryPolicyResponse,
        },
    },
    wire::{Guid, NtStatus, Utf16, Utf16Buf},
};

use super::{
    lookup::{names, sids},
    service::{Site, WORKGROUP},
};

/// Most policies that a client can have open on one pipe.
const MAX_POLICIES: usize = 64;
/// Whatever the first half of a handle's name is: the second half counts.
const HANDLE: [u8; 8] = *b"LsaPolic";
/// PolicyServerRolePrimary, [MS-LSAD] 2.2.4.9.
const PRIMARY: u16 = 3;

/// The policies that a client has open on one pipe, and what it may do with each.
#[derive(Debug, Default)]
pub(super) struct Policies {
    open: BTreeMap<u64, PolicyAccess>,
    last: u64,
}

impl Policies {
    /// Answers one call.
    pub(super) fn answer(&mut self, site: &Site<'_>, call: &RpcCall) -> Result<Vec<u8>, FaultStatus> {
        let request = LsaRequest::decode(call.opnum, &call.stub).map_err(|_| FaultStatus::BAD_STUB_DATA)?;
        Ok(match request.ok_or(FaultStatus::OP_RNG_ERROR)? {
            LsaRequest::Close { handle } => {
                let key = self.find(&handle)?.0;
                self.open.remove(&key);
                CloseResponse { handle: PolicyHandle::default(), status: NtStatus::SUCCESS }.encode()
            }
            LsaRequest::OpenPolicy { opnum, attributes, access, version, .. } => {
                let opened = match version {
                    // [MS-LSAD] 3.1.4.4.9.
                    _ if opnum == OPEN_POLICY3 && version != 1 => Err(NtStatus::NOT_SUPPORTED),
                    _ if attributes.root_directory => Err(NtStatus::INVALID_PARAMETER),
                    _ => self.open(site, access),
                };
                let (handle, status) = match opened {
                    Ok(handle) => (handle, NtStatus::SUCCESS),
                    Err(status) => (PolicyHandle::default(), status),
                };
                OpenPolicyResponse { handle, features: 0, status }.encode(opnum)
            }
            LsaRequest::QueryPolicy { handle, class, .. } => {
                let access = self.find(&handle)?.1;
                query(site, access, class)
            }
            LsaRequest::EnumerateTrustedDomains { handle, context, .. } => {
                let access = self.find(&handle)?.1;
                let status = match access.contains(PolicyAccess::VIEW_LOCAL_INFORMATION) {
                    true => NtStatus::NO_MORE_ENTRIES,
                    false => NtStatus::ACCESS_DENIED,
                };
                EnumerateTrustedDomainsResponse { context, status }.encode()
            }
            LsaRequest::GetUserName { domain, .. } => user_name(site, domain),
            LsaRequest::LookupSids { opnum, handle, sids: asked, level, .. } => {
                sids(site, self.may_look(&handle, level, opnum == LOOKUP_SIDS3)?, &asked, opnum)
            }
            LsaRequest::LookupNames { opnum, handle, names: asked, level, .. } => {
                names(site, self.may_look(&handle, level, opnum == LOOKUP_NAMES4)?, &asked, opnum)
            }
        })
    }

    /// The policy that a handle names, and what its client may do with it. One that was not given out
    /// on this pipe never gets to the service, [MS-RPCE] 3.3.1.5.
    fn find(&self, handle: &PolicyHandle) -> Result<(u64, PolicyAccess), FaultStatus> {
        let mismatch = FaultStatus::CONTEXT_MISMATCH;
        let key = match handle.uuid.0.split_first_chunk::<8>() {
            Some((&HANDLE, key)) if handle.attributes == 0 => key.try_into().map_err(|_| mismatch)?,
            _ => return Err(mismatch),
        };
        let key = u64::from_le_bytes(key);
        self.open.get(&key).map(|access| (key, *access)).ok_or(mismatch)
    }

    /// [MS-LSAD] 3.1.4.4.1.
    fn open(&mut self, site: &Site<'_>, desired: PolicyAccess) -> Result<PolicyHandle, NtStatus> {
        let allowed = match site.caller.kind {
            // Names are not for strangers.
            IdentityKind::Anonymous => return Err(NtStatus::ACCESS_DENIED),
            _ if site.administrator => PolicyAccess::ALL,
            _ => PolicyAccess::EXECUTE,
        };
        if desired.is_empty() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let maximum = desired.contains(PolicyAccess::MAXIMUM_ALLOWED);
        let desired = desired.expand_generic() - PolicyAccess::MAXIMUM_ALLOWED;
        if !allowed.contains(desired) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if self.open.len() >= MAX_POLICIES {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        self.last += 1;
        self.open.insert(self.last, if maximum { allowed } else { desired });
        let mut uuid = Guid::default();
        let (first, second) = uuid.0.split_at_mut(HANDLE.len());
        first.copy_from_slice(&HANDLE);
        second.copy_from_slice(&self.last.to_le_bytes());
        Ok(PolicyHandle { attributes: 0, uuid })
    }

    /// Whether a client may translate something, or the status it gets. Methods for domain controllers
    /// have no handle, [MS-LSAT] 3.1.4.5, and other machines know but one level, 3.1.4.10.
    fn may_look(
        &self,
        handle: &PolicyHandle,
        level: LookupLevel,
        controllers: bool,
    ) -> Result<Result<(), NtStatus>, FaultStatus> {
        if controllers {
            return Ok(Err(NtStatus::INVALID_SERVER_STATE));
        }
        let access = self.find(handle)?.1;
        Ok(match level {
            _ if !access.contains(PolicyAccess::LOOKUP_NAMES) => Err(NtStatus::ACCESS_DENIED),
            LookupLevel::WORKSTATION => Ok(()),
            _ => Err(NtStatus::INVALID_PARAMETER),
        })
    }
}

/// [MS-LSAD] 3.1.4.4.3, for a machine in a workgroup.
fn query(site: &Site<'_>, access: PolicyAccess, class: PolicyClass) -> Vec<u8> {
    let (server, workgroup) = (Utf16Buf::new(site.accounts.server()), Utf16Buf::new(WORKGROUP));
    let needed = match class {
        PolicyClass::AUDIT_LOG | PolicyClass::AUDIT_EVENTS | PolicyClass::AUDIT_FULL_QUERY => {
            PolicyAccess::VIEW_AUDIT_INFORMATION
        }
        PolicyClass::PD_ACCOUNT => PolicyAccess::GET_PRIVATE_INFORMATION,
        _ => PolicyAccess::VIEW_LOCAL_INFORMATION,
    };
    let answer = match class {
        PolicyClass::MODIFICATION | PolicyClass::AUDIT_FULL_SET => Err(NtStatus::INVALID_PARAMETER),
        PolicyClass(class) if !(1..=15).contains(&class) => Err(NtStatus::INVALID_PARAMETER),
        _ if !access.contains(needed) => Err(NtStatus::ACCESS_DENIED),
        PolicyClass::PRIMARY_DOMAIN => {
            Ok(PolicyInformation::Domain { name: workgroup.as_utf16(), sid: None })
        }
        PolicyClass::ACCOUNT_DOMAIN | PolicyClass::LOCAL_ACCOUNT_DOMAIN => {
            Ok(PolicyInformation::Domain { name: server.as_utf16(), sid: Some(site.accounts.machine()) })
        }
        PolicyClass::PD_ACCOUNT => Ok(PolicyInformation::Account { name: Utf16::default() }),
        PolicyClass::SERVER_ROLE => Ok(PolicyInformation::Role { role: PRIMARY }),
        PolicyClass::DNS_DOMAIN | PolicyClass::DNS_DOMAIN_INT => Ok(PolicyInformation::DnsDomain {
            name: workgroup.as_utf16(),
            dns_name: Utf16::default(),
            forest: Utf16::default(),
            guid: Guid::default(),
            sid: None,
        }),
        // Nothing is audited or replicated, and there is no account in a domain.
        _ => Err(NtStatus::NOT_IMPLEMENTED),
    };
    let (information, status) = match answer {
        Ok(information) => (Some(information), NtStatus::SUCCESS),
        Err(status) => (None, status),
    };
    QueryPolicyResponse { class, information, status }.encode()
}

/// [MS-LSAT] 3.1.4.4.
fn user_name(site: &Site<'_>, wants_domain: bool) -> Vec<u8> {
    let known = site.account(&site.caller_sid);
    let (user, domain) = match &known {
        Some(account) => (account.name.as_str(), account.domain.name.as_str()),
        None => (site.caller.user.as_str(), site.accounts.server()),
    };
    let (user, domain) = (Utf16Buf::new(user), Utf16Buf::new(domain));
    GetUserNameResponse {
        user: Some(user.as_utf16()),
        domain: wants_domain.then_some(Some(domain.as_utf16())),
        status: NtStatus::SUCCESS,
    }
    .encode()
}
