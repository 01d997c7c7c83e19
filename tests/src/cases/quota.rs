//! Quotas out of their fields, and back.

use sansmb::wire::{dtyp::Sid, fscc::*, *};

use super::{
    fields::Given,
    values::{Value, show_list},
};

/// The identifier of a user as `S-1-5-...`.
impl Value for Sid {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// The input of QUERY_INFO: `users`, or `start`; with `single` and `restart`.
pub(super) fn query(given: &mut Given) -> Result<Vec<u8>, String> {
    let mut list = EntryWriter::new(usize::MAX);
    for user in given.list::<Sid>("users")?.unwrap_or_default() {
        if !list.push(&GetQuotaEntry { sid: &user.to_vec() }) {
            return Err("too many users".into());
        }
    }
    let start = given.take::<Sid>("start")?.map(|user| user.to_vec()).unwrap_or_default();
    let info = QueryQuotaInfo {
        return_single: given.flag("single"),
        restart_scan: given.flag("restart"),
        sid_list: &list.finish(),
        start_sid: &start,
    };
    Ok(info.to_vec())
}

/// The buffer of SET_INFO: `user` and what is set for them.
pub(super) fn limits(given: &mut Given) -> Result<Vec<u8>, String> {
    let user: Sid = given.need("user")?;
    let (threshold, limit) = (given.or("threshold", u64::MAX)?, given.or("limit", u64::MAX)?);
    Ok(QuotaEntry { threshold, limit, sid: &user.to_vec(), ..Default::default() }.to_vec())
}

/// `USER/USED/THRESHOLD/LIMIT` for each user, with commas between.
pub(super) fn show(buffer: &[u8]) -> Result<String, DecodeError> {
    let mut all = Vec::new();
    for entry in QuotaEntries::new(buffer) {
        let entry = entry?;
        let (threshold, limit) = (entry.threshold.cast_signed(), entry.limit.cast_signed());
        all.push(format!("{}/{}/{threshold}/{limit}", Sid::decode(entry.sid)?, entry.used));
    }
    Ok(show_list(all))
}
