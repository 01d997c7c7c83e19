//! Who may do what, [MS-DTYP] 2.5.3.2.

use super::super::AccessMask;
use super::{AceBody, AceFlags, AceType, Privileges, SecurityDescriptor, Sid, Token};

/// What an owner may do without being named in the access list.
const OWNER_IMPLICIT: AccessMask = AccessMask::READ_CONTROL.union(AccessMask::WRITE_DAC);

/// The part of `desired` that `descriptor` grants to `token`, [MS-DTYP] 2.5.3.2. Generic bits stand
/// for what they are short for, in `desired` and in entries; MAXIMUM_ALLOWED is ignored: to learn the
/// maximum, ask for everything.
///
/// Every bit is decided by the first entry that has it and concerns the token. No access list, or a
/// null one, grants everything; an empty one nothing. Conditions are not evaluated: an entry that
/// grants under a condition grants nothing, one that denies under a condition denies.
pub fn granted_access(descriptor: &SecurityDescriptor<'_>, token: &Token, desired: AccessMask) -> AccessMask {
    let desired = desired.difference(AccessMask::MAXIMUM_ALLOWED).expand_generic();
    let mut granted = by_privilege(token) & desired;
    let mut open = desired.difference(granted | AccessMask::ACCESS_SYSTEM_SECURITY);
    let Some(dacl) = &descriptor.dacl else { return granted | open };
    let owns = descriptor.owner.is_some_and(|owner| token.contains(&owner));
    if owns {
        let limited = dacl
            .aces
            .iter()
            .any(|ace| ace.sid() == Some(&Sid::OWNER_RIGHTS) && !ace.flags.contains(AceFlags::INHERIT_ONLY));
        if !limited {
            granted |= OWNER_IMPLICIT & open;
            open.remove(OWNER_IMPLICIT);
        }
    }
    for ace in dacl.aces.iter() {
        if open.is_empty() {
            break;
        }
        if ace.flags.contains(AceFlags::INHERIT_ONLY) {
            continue;
        }
        let (mask, sid, whole) = match &ace.body {
            AceBody::Basic { mask, sid, .. } => (*mask, sid, true),
            // A part of an object that a file does not have.
            AceBody::Object { mask, sid, object_type, .. } => (*mask, sid, object_type.is_none()),
            AceBody::Raw(_) => continue,
        };
        if !(token.contains(sid) || owns && *sid == Sid::OWNER_RIGHTS) {
            continue;
        }
        let concerned = mask.expand_generic() & open;
        match ace.ace_type {
            AceType::ACCESS_ALLOWED => granted |= concerned,
            AceType::ACCESS_ALLOWED_OBJECT if whole => granted |= concerned,
            AceType::ACCESS_DENIED | AceType::ACCESS_DENIED_OBJECT => {}
            AceType::ACCESS_DENIED_CALLBACK | AceType::ACCESS_DENIED_CALLBACK_OBJECT => {}
            _ => continue,
        }
        open.remove(concerned);
    }
    granted
}

fn by_privilege(token: &Token) -> AccessMask {
    let mut access = AccessMask::empty();
    access.set(AccessMask::ACCESS_SYSTEM_SECURITY, token.privileges().contains(Privileges::SECURITY));
    access.set(AccessMask::WRITE_OWNER, token.privileges().contains(Privileges::TAKE_OWNERSHIP));
    access
}

#[cfg(test)]
mod tests {
    use super::super::{Ace, Acl, SecurityDescriptorControl};
    use super::*;

    const ALICE: Sid = Sid::unix_user(1000);
    const BOB: Sid = Sid::unix_user(1001);
    const STAFF: Sid = Sid::unix_group(50);
    const READ: AccessMask = AccessMask::FILE_READ_DATA;
    const WRITE: AccessMask = AccessMask::FILE_WRITE_DATA;
    const ALL: AccessMask = AccessMask::FILE_ALL_ACCESS;
    const HERE: AceFlags = AceFlags::empty();

    fn token(user: Sid) -> Token {
        Token::new(user, STAFF, &[Sid::EVERYONE], Privileges::empty())
    }

    fn check(aces: &[Ace<'_>], user: Sid, desired: AccessMask) -> AccessMask {
        let descriptor = SecurityDescriptor {
            owner: Some(ALICE),
            dacl: Some(Acl::new(aces)),
            ..SecurityDescriptor::default()
        };
        granted_access(&descriptor, &token(user), desired)
    }

    #[test]
    fn the_first_entry_that_has_a_bit_decides_it() {
        let deny_first = [Ace::deny(BOB, WRITE, HERE), Ace::allow(Sid::EVERYONE, READ | WRITE, HERE)];
        assert_eq!(check(&deny_first, BOB, READ | WRITE), READ);
        let allow_first = [deny_first[1], deny_first[0]];
        assert_eq!(check(&allow_first, BOB, READ | WRITE), READ | WRITE);
    }

    #[test]
    fn groups_count_as_users_do() {
        assert_eq!(check(&[Ace::allow(STAFF, READ, HERE)], BOB, READ | WRITE), READ);
        assert_eq!(
            check(&[Ace::deny(STAFF, READ, HERE), Ace::allow(BOB, READ, HERE)], BOB, READ),
            AccessMask::empty()
        );
    }

    #[test]
    fn an_empty_list_grants_nothing_and_none_at_all_everything() {
        assert_eq!(check(&[], BOB, ALL), AccessMask::empty());
        let none = SecurityDescriptor { owner: Some(ALICE), ..SecurityDescriptor::default() };
        assert_eq!(granted_access(&none, &token(BOB), ALL), ALL);
        let null = SecurityDescriptor { control: SecurityDescriptorControl::DACL_PRESENT, ..none };
        assert_eq!(granted_access(&null, &token(BOB), ALL), ALL);
    }

    #[test]
    fn owners_can_always_read_and_write_the_list() {
        assert_eq!(check(&[], ALICE, ALL), OWNER_IMPLICIT);
        let denied = [Ace::deny(Sid::EVERYONE, ALL, HERE)];
        assert_eq!(check(&denied, ALICE, ALL), OWNER_IMPLICIT);
    }

    #[test]
    fn owner_rights_replace_what_owners_can_do() {
        let rights = [Ace::allow(Sid::OWNER_RIGHTS, READ, HERE)];
        assert_eq!(check(&rights, ALICE, ALL), READ);
        assert_eq!(check(&rights, BOB, ALL), AccessMask::empty());
        let elsewhere = [Ace::allow(Sid::OWNER_RIGHTS, READ, AceFlags::INHERIT_ONLY)];
        assert_eq!(check(&elsewhere, ALICE, ALL), OWNER_IMPLICIT);
    }

    #[test]
    fn entries_for_heirs_do_not_count_here() {
        let flags = AceFlags::INHERIT_ONLY | AceFlags::OBJECT_INHERIT;
        assert_eq!(check(&[Ace::allow(BOB, ALL, flags)], BOB, ALL), AccessMask::empty());
    }

    #[test]
    fn generic_bits_are_short_for_others() {
        let aces = [Ace::allow(BOB, AccessMask::GENERIC_READ, HERE)];
        assert_eq!(check(&aces, BOB, AccessMask::GENERIC_ALL), AccessMask::FILE_GENERIC_READ);
        assert_eq!(check(&aces, BOB, AccessMask::MAXIMUM_ALLOWED | READ), READ);
    }

    #[test]
    fn conditions_never_help() {
        let conditional = |ace_type| Ace { ace_type, ..Ace::allow(BOB, READ, HERE) };
        let plain = Ace::allow(BOB, READ, HERE);
        assert_eq!(check(&[conditional(AceType::ACCESS_ALLOWED_CALLBACK)], BOB, READ), AccessMask::empty());
        let denies = [conditional(AceType::ACCESS_DENIED_CALLBACK), plain];
        assert_eq!(check(&denies, BOB, READ), AccessMask::empty());
        assert_eq!(check(&[conditional(AceType::SYSTEM_AUDIT), plain], BOB, READ), READ);
        assert_eq!(check(&[conditional(AceType(0x7F)), plain], BOB, READ), READ);
    }

    #[test]
    fn privileges_reach_beyond_the_list() {
        let admin = Token::new(BOB, STAFF, &[], Privileges::SECURITY | Privileges::TAKE_OWNERSHIP);
        let wish = ALL | AccessMask::ACCESS_SYSTEM_SECURITY;
        let empty = SecurityDescriptor { dacl: Some(Acl::new(&[])), ..SecurityDescriptor::default() };
        let expected = AccessMask::ACCESS_SYSTEM_SECURITY | AccessMask::WRITE_OWNER;
        assert_eq!(granted_access(&empty, &admin, wish), expected);
        let everything = SecurityDescriptor::default();
        assert_eq!(granted_access(&everything, &token(BOB), wish), ALL);
        let audits = [Ace::allow(BOB, AccessMask::ACCESS_SYSTEM_SECURITY, HERE)];
        assert_eq!(check(&audits, BOB, wish), AccessMask::empty());
    }

    #[test]
    fn owners_are_those_that_one_may_be() {
        let plain = token(BOB);
        assert!(plain.may_assign_owner(&BOB) && !plain.may_assign_owner(&ALICE));
        assert!(plain.may_assign_owner(&STAFF));
        let restorer = Token::new(BOB, STAFF, &[], Privileges::RESTORE);
        assert!(restorer.may_assign_owner(&ALICE));
    }
}
