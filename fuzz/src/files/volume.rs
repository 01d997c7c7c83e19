//! What clients ask about quotas, checksums and object IDs.

use sansmb::wire::{
    CtlCode, Structure,
    dtyp::Sid,
    fscc::{EntryWriter, GetQuotaEntry, QueryQuotaInfo, QuotaEntry},
};

/// Somebody who owns something, or nobody.
fn user(nth: u8) -> Vec<u8> {
    let known = [Sid::BUILTIN_ADMINISTRATORS, Sid::ANONYMOUS, Sid::unix_user(1), Sid::unix_user(2)];
    known[usize::from(nth) % known.len()].to_vec()
}

/// The input of a query.
pub(super) fn quota_query(low: u8, high: u8) -> Vec<u8> {
    let mut list = EntryWriter::new(usize::MAX);
    for nth in 0..low >> 6 {
        assert!(list.push(&GetQuotaEntry { sid: &user(high.wrapping_add(nth)) }));
    }
    let (mut sid_list, start) = (list.finish(), user(high));
    // One in sixteen does not make sense.
    if high >> 4 == 15 {
        sid_list.iter_mut().for_each(|byte| *byte ^= low);
    }
    let info = QueryQuotaInfo {
        return_single: low & 1 != 0,
        restart_scan: low & 2 != 0,
        sid_list: &sid_list,
        start_sid: if low & 4 != 0 { &start } else { &[] },
    };
    info.to_vec()
}

/// What is to be set.
pub(super) fn quota_set(who: u8, limit: u8) -> Vec<u8> {
    let limit = match limit {
        0..200 => u64::from(limit) << 8,
        200..240 => u64::MAX,
        _ => u64::MAX - u64::from(limit - 239),
    };
    QuotaEntry { threshold: 1, limit, sid: &user(who), ..Default::default() }.to_vec()
}

/// One of the control codes that hardly any number meets by chance, and what goes into it.
pub(super) fn control(code: u32, input: u8) -> (CtlCode, Vec<u8>) {
    let known = [
        (CtlCode::GET_INTEGRITY_INFORMATION, 0),
        (CtlCode::SET_INTEGRITY_INFORMATION, 8),
        (CtlCode::SET_INTEGRITY_INFORMATION_EX, 16),
        (CtlCode::CREATE_OR_GET_OBJECT_ID, 0),
        (CtlCode::GET_OBJECT_ID, 0),
        (CtlCode::SET_OBJECT_ID, 64),
        (CtlCode::SET_OBJECT_ID_EXTENDED, 48),
        (CtlCode::DELETE_OBJECT_ID, 0),
    ];
    match known.get(code as usize % 16) {
        Some(&(code, length)) => {
            let mut bytes = vec![0; if input > 250 { usize::from(input) } else { length }];
            if let Some(first) = bytes.first_mut() {
                *first = input % 4;
            }
            // The version of the extended form.
            if let (CtlCode::SET_INTEGRITY_INFORMATION_EX, Some(version)) = (code, bytes.get_mut(8)) {
                *version = 1;
            }
            (code, bytes)
        }
        None => (CtlCode(code), vec![1; input.into()]),
    }
}
