//! Translations between names and security identifiers, [MS-LSAT] 3.1.4.5 and 3.1.4.9.

use sansmb::{
    rpc::lsarpc::{
        AccountKind, LookupNamesResponse, LookupSidsResponse, ReferencedDomain, TranslatedName, TranslatedSid,
    },
    wire::{NtStatus, Utf16, Utf16Buf, dtyp::Sid},
};

use super::service::Site;
use crate::{
    security::{Account, Domain},
    text::same_name,
};

/// In place of a domain's number: none.
const NO_DOMAIN: i32 = -1;
/// In place of a number within a domain: the domain itself.
const DOMAIN_ITSELF: u32 = u32::MAX;

/// Domains that answers refer to, each once.
#[derive(Default)]
struct Domains {
    list: Vec<(Utf16Buf, Sid)>,
}

impl Domains {
    /// The number of a domain. There are as many as the server knows of: a dozen.
    fn number(&mut self, domain: &Domain) -> i32 {
        let name = Utf16Buf::new(&domain.name);
        let known = self.list.iter().position(|(known, sid)| *known == name && *sid == domain.sid);
        let number = known.unwrap_or_else(|| {
            self.list.push((name, domain.sid));
            self.list.len() - 1
        });
        number as i32
    }

    fn referenced(&self) -> Vec<ReferencedDomain<'_>> {
        self.list
            .iter()
            .map(|(name, sid)| ReferencedDomain { name: name.as_utf16(), sid: Some(*sid) })
            .collect()
    }
}

impl Site<'_> {
    /// Who has an identifier. The caller is known even where other users are not.
    pub(super) fn account(&self, sid: &Sid) -> Option<Account> {
        let known = self.accounts.account(sid);
        known.or_else(|| (*sid == self.caller_sid).then(|| self.caller_account()))
    }

    fn named(&self, name: &str) -> Option<Account> {
        let known = self.accounts.named(name);
        known.or_else(|| {
            let caller = self.caller_account();
            let (domain, name) = name.split_once('\\').unwrap_or((&caller.domain.name, name));
            let same = same_name(name, &caller.name) && same_name(domain, &caller.domain.name);
            (same && caller.sid == self.accounts.user(name)).then_some(caller)
        })
    }

    fn caller_account(&self) -> Account {
        let (name, sid) = (self.caller.user.clone(), self.caller_sid);
        Account { kind: AccountKind::USER, name, sid, domain: self.accounts.domain() }
    }
}

/// Whether all, some or none were found.
fn status(mapped: usize, asked: usize) -> NtStatus {
    match mapped {
        _ if mapped == asked => NtStatus::SUCCESS,
        0 => NtStatus::NONE_MAPPED,
        _ => NtStatus::SOME_NOT_MAPPED,
    }
}

/// Answers LsarLookupSids and its successors.
pub(super) fn sids(
    site: &Site<'_>,
    allowed: Result<(), NtStatus>,
    asked: &[Option<Sid>],
    opnum: u16,
) -> Vec<u8> {
    let whole: Option<Vec<Sid>> = asked.iter().copied().collect();
    let asked = match (allowed, whole) {
        (Err(status), _) => return LookupSidsResponse { status, ..Default::default() }.encode(opnum),
        (_, None) => {
            let status = NtStatus::INVALID_PARAMETER;
            return LookupSidsResponse { status, ..Default::default() }.encode(opnum);
        }
        (_, Some(asked)) => asked,
    };
    let mut domains = Domains::default();
    let mut mapped = 0;
    let found: Vec<(AccountKind, Utf16Buf, i32)> = asked
        .iter()
        .map(|sid| match (site.account(sid), site.accounts.domain_of(sid)) {
            (Some(account), _) => {
                mapped += 1;
                (account.kind, Utf16Buf::new(&account.name), domains.number(&account.domain))
            }
            // Who asks gets something to show.
            (None, Some((domain, rid))) => {
                (AccountKind::UNKNOWN, Utf16Buf::new(&format!("{rid:08X}")), domains.number(&domain))
            }
            (None, None) => (AccountKind::UNKNOWN, Utf16Buf::new(&sid.to_string()), NO_DOMAIN),
        })
        .collect();
    let names = found
        .iter()
        .map(|(kind, name, domain)| TranslatedName {
            kind: *kind,
            name: name.as_utf16(),
            domain: *domain,
            flags: 0,
        })
        .collect();
    let (domains, status) = (Some(domains.referenced()), status(mapped, asked.len()));
    LookupSidsResponse { domains, names, mapped: mapped as u32, status }.encode(opnum)
}

/// Answers LsarLookupNames and its successors.
pub(super) fn names(
    site: &Site<'_>,
    allowed: Result<(), NtStatus>,
    asked: &[Utf16<'_>],
    opnum: u16,
) -> Vec<u8> {
    if let Err(status) = allowed {
        return LookupNamesResponse { status, ..Default::default() }.encode(opnum);
    }
    let mut domains = Domains::default();
    let mut mapped = 0;
    let sids: Vec<TranslatedSid> = asked
        .iter()
        .map(|name| {
            let name = name.to_text_lossy();
            let mut sid =
                TranslatedSid { kind: AccountKind::UNKNOWN, rid: 0, sid: None, domain: NO_DOMAIN, flags: 0 };
            if let Some(account) = site.named(&name) {
                mapped += 1;
                sid.kind = account.kind;
                sid.rid = match account.kind {
                    AccountKind::DOMAIN => DOMAIN_ITSELF,
                    _ => account.sid.rid().unwrap_or(DOMAIN_ITSELF),
                };
                sid.sid = Some(account.sid);
                sid.domain = domains.number(&account.domain);
            } else if let Some(domain) = site.accounts.domain_named(&name) {
                sid.domain = domains.number(&domain);
            }
            sid
        })
        .collect();
    let (domains, status) = (Some(domains.referenced()), status(mapped, asked.len()));
    LookupNamesResponse { domains, sids, mapped: mapped as u32, status }.encode(opnum)
}
