//! Descriptors of what is made, [MS-DTYP] 2.5.3.4.

use alloc::vec::Vec;

use super::super::{AccessMask, Structure};
use super::{
    Ace, AceBody, AceFlags, Acl, SecurityDescriptor, SecurityDescriptorControl as Control, Sid, Token,
};

const INHERITABLE: AceFlags = AceFlags::OBJECT_INHERIT.union(AceFlags::CONTAINER_INHERIT);

/// Which of the two lists, and the flags that go with it.
struct Which {
    present: Control,
    defaulted: Control,
    auto_inherited: Control,
    protected: Control,
}

const DACL: Which = Which {
    present: Control::DACL_PRESENT,
    defaulted: Control::DACL_DEFAULTED,
    auto_inherited: Control::DACL_AUTO_INHERITED,
    protected: Control::DACL_PROTECTED,
};
const SACL: Which = Which {
    present: Control::SACL_PRESENT,
    defaulted: Control::SACL_DEFAULTED,
    auto_inherited: Control::SACL_AUTO_INHERITED,
    protected: Control::SACL_PROTECTED,
};

/// The descriptor of a new file or directory in a directory with the descriptor `parent`, encoded,
/// [MS-DTYP] 2.5.3.4.1. `creator` is what its maker wants.
///
/// Entries say that they are inherited only where the parent's list says that it takes part in that
/// ([`DACL_AUTO_INHERITED`]), as Windows has it. What has neither inherited nor was given a list
/// grants everything to its owner and to the system, and nothing to others.
///
/// [`DACL_AUTO_INHERITED`]: Control::DACL_AUTO_INHERITED
pub fn new_descriptor(
    parent: &SecurityDescriptor<'_>,
    creator: Option<&SecurityDescriptor<'_>>,
    container: bool,
    token: &Token,
) -> Vec<u8> {
    let owner = creator.and_then(|creator| creator.owner).unwrap_or(token.user());
    let group = creator.and_then(|creator| creator.group).unwrap_or(token.group());
    let heir = Heir { container, owner, group };
    let default = [
        Ace::allow(owner, AccessMask::FILE_ALL_ACCESS, AceFlags::empty()),
        Ace::allow(Sid::LOCAL_SYSTEM, AccessMask::FILE_ALL_ACCESS, AceFlags::empty()),
    ];
    let mut control = Control::empty();
    let list = |of: &SecurityDescriptor<'_>| of.control.contains(Control::DACL_PRESENT) || of.dacl.is_some();
    let given = creator.filter(|creator| list(creator));
    let dacl =
        heir.list(&DACL, parent, parent.dacl, given.map(|given| (given.control, given.dacl)), &mut control);
    let dacl = match dacl {
        Computed::List(aces) => Some(aces),
        Computed::Null => None,
        Computed::Nothing => Some(default.to_vec()),
    };
    let given = creator.filter(|creator| creator.sacl.is_some());
    let sacl =
        heir.list(&SACL, parent, parent.sacl, given.map(|given| (given.control, given.sacl)), &mut control);
    let sacl = match sacl {
        Computed::List(aces) => Some(aces),
        Computed::Null | Computed::Nothing => None,
    };
    control |= Control::DACL_PRESENT;
    SecurityDescriptor {
        resource_manager: 0,
        control,
        owner: Some(owner),
        group: Some(group),
        sacl: sacl.as_deref().map(acl),
        dacl: dacl.as_deref().map(acl),
    }
    .to_vec()
}

/// An access list of `aces`, with the revision that they need.
fn acl<'m>(aces: &'m [Ace<'m>]) -> Acl<'m> {
    let parts = aces.iter().any(|ace| matches!(ace.body, AceBody::Object { .. }));
    Acl { revision: if parts { Acl::REVISION_DS } else { Acl::REVISION }, ..Acl::new(aces) }
}

/// What became of a list.
enum Computed<'m> {
    List(Vec<Ace<'m>>),
    /// It grants everything.
    Null,
    /// Nobody said anything about it.
    Nothing,
}

/// What inherits.
struct Heir {
    container: bool,
    owner: Sid,
    group: Sid,
}

impl Heir {
    /// [MS-DTYP] 2.5.3.4.2.
    fn list<'m>(
        &self,
        which: &Which,
        parent: &SecurityDescriptor<'_>,
        from: Option<Acl<'m>>,
        given: Option<(Control, Option<Acl<'m>>)>,
        control: &mut Control,
    ) -> Computed<'m> {
        let takes_part = parent.control.contains(which.auto_inherited);
        if let Some((flags, list)) = given {
            *control |= flags & (which.protected | which.defaulted | which.auto_inherited);
            let Some(list) = list else { return Computed::Null };
            *control |= which.present;
            // Entries stay as they are given, also those that say that they are inherited: a copy of a
            // file brings them.
            let keep = |ace: Ace<'m>| self.resolve(ace, ace.flags.contains(AceFlags::INHERIT_ONLY));
            return Computed::List(list.aces.iter().map(keep).collect());
        }
        let mut aces = Vec::new();
        for ace in from.iter().flat_map(|list| list.aces.iter()) {
            self.inherit(ace, takes_part, &mut aces);
        }
        if aces.is_empty() {
            return Computed::Nothing;
        }
        *control |= which.present;
        control.set(which.auto_inherited, takes_part);
        Computed::List(aces)
    }

    /// [MS-DTYP] 2.5.3.4.4: what an entry of the parent becomes.
    fn inherit<'m>(&self, ace: Ace<'m>, takes_part: bool, into: &mut Vec<Ace<'m>>) {
        let mut mark = AceFlags::empty();
        mark.set(AceFlags::INHERITED, takes_part);
        mark |= ace.flags & (AceFlags::SUCCESSFUL_ACCESS | AceFlags::FAILED_ACCESS);
        let for_containers = ace.flags.contains(AceFlags::CONTAINER_INHERIT);
        let for_objects = ace.flags.contains(AceFlags::OBJECT_INHERIT);
        if !self.container {
            if for_objects {
                into.push(Ace { flags: mark, ..self.resolve(ace, false) });
            }
            return;
        }
        let passes_on =
            ace.flags.intersects(INHERITABLE) && !ace.flags.contains(AceFlags::NO_PROPAGATE_INHERIT);
        let onward = ace.flags & INHERITABLE | mark;
        let resolved = self.resolve(ace, false);
        if !for_containers {
            if passes_on {
                into.push(Ace { flags: onward | AceFlags::INHERIT_ONLY, ..ace });
            }
        } else if !passes_on {
            into.push(Ace { flags: mark, ..resolved });
        } else if resolved.body == ace.body {
            into.push(Ace { flags: onward, ..ace });
        } else {
            // What it means here is not what it means to those that inherit it from here.
            into.push(Ace { flags: mark, ..resolved });
            into.push(Ace { flags: onward | AceFlags::INHERIT_ONLY, ..ace });
        }
    }

    /// [MS-DTYP] 2.5.3.4.7: what stands for something else is replaced by it, unless it is for heirs.
    fn resolve<'m>(&self, mut ace: Ace<'m>, for_heirs: bool) -> Ace<'m> {
        if for_heirs {
            return ace;
        }
        if let AceBody::Basic { mask, sid, .. } | AceBody::Object { mask, sid, .. } = &mut ace.body {
            *mask = mask.expand_generic();
            match *sid {
                Sid::CREATOR_OWNER => *sid = self.owner,
                Sid::CREATOR_GROUP => *sid = self.group,
                _ => {}
            }
        }
        ace
    }
}

#[cfg(test)]
mod tests {
    use super::super::Privileges;
    use super::*;

    const ALICE: Sid = Sid::unix_user(1000);
    const STAFF: Sid = Sid::unix_group(50);
    const READ: AccessMask = AccessMask::FILE_READ_DATA;
    const OI: AceFlags = AceFlags::OBJECT_INHERIT;
    const CI: AceFlags = AceFlags::CONTAINER_INHERIT;
    const NP: AceFlags = AceFlags::NO_PROPAGATE_INHERIT;
    const IO: AceFlags = AceFlags::INHERIT_ONLY;
    const ID: AceFlags = AceFlags::INHERITED;
    const NONE: AceFlags = AceFlags::empty();

    fn made(
        parent: &SecurityDescriptor<'_>,
        creator: Option<&SecurityDescriptor<'_>>,
        container: bool,
        check: impl FnOnce(&SecurityDescriptor<'_>),
    ) {
        let token = Token::new(ALICE, STAFF, &[], Privileges::empty());
        let bytes = new_descriptor(parent, creator, container, &token);
        check(&SecurityDescriptor::decode(&bytes).unwrap());
    }

    fn heirs(parent: &[Ace<'_>], control: Control, container: bool) -> Vec<(Sid, AccessMask, AceFlags)> {
        let parent = SecurityDescriptor { control, dacl: Some(acl(parent)), ..SecurityDescriptor::default() };
        let mut out = Vec::new();
        made(&parent, None, container, |made| {
            assert_eq!((made.owner, made.group), (Some(ALICE), Some(STAFF)));
            let aces = made.dacl.unwrap().aces;
            out = aces.iter().map(|ace| (*ace.sid().unwrap(), ace.mask().unwrap(), ace.flags)).collect();
        });
        out
    }

    #[test]
    fn flags_say_who_inherits() {
        // Parent's flags, those of a directory made in it, those of a file.
        let rows = [
            (OI, Some(OI | IO), Some(NONE)),
            (OI | NP, None, Some(NONE)),
            (CI, Some(CI), None),
            (CI | NP, Some(NONE), None),
            (CI | OI, Some(CI | OI), Some(NONE)),
            (CI | OI | NP, Some(NONE), Some(NONE)),
            (CI | OI | IO, Some(CI | OI), Some(NONE)),
            (CI | OI | IO | NP, Some(NONE), Some(NONE)),
        ];
        for (flags, directory, file) in rows {
            let parent = [Ace::allow(Sid::EVERYONE, READ, flags)];
            for (container, expected) in [(true, directory), (false, file)] {
                let heirs = heirs(&parent, Control::empty(), container);
                match expected {
                    Some(expected) => assert_eq!(heirs, [(Sid::EVERYONE, READ, expected)], "{flags:?}"),
                    None => assert_eq!(heirs.len(), 2, "the default list: {flags:?}"),
                }
            }
        }
    }

    #[test]
    fn entries_are_marked_where_the_parent_takes_part() {
        let parent = [Ace::allow(Sid::EVERYONE, READ, OI | CI)];
        let auto = Control::DACL_AUTO_INHERITED;
        assert_eq!(heirs(&parent, auto, false), [(Sid::EVERYONE, READ, ID)]);
        assert_eq!(heirs(&parent, auto, true), [(Sid::EVERYONE, READ, OI | CI | ID)]);
        let parent = SecurityDescriptor { control: auto, dacl: Some(acl(&parent)), ..Default::default() };
        made(&parent, None, true, |made| assert!(made.control.contains(auto)));
    }

    #[test]
    fn creator_owner_becomes_the_owner_and_stays_for_heirs() {
        let parent = [Ace::allow(Sid::CREATOR_OWNER, READ, OI | CI), Ace::deny(Sid::CREATOR_GROUP, READ, OI)];
        assert_eq!(heirs(&parent, NONE_CONTROL, false), [(ALICE, READ, NONE), (STAFF, READ, NONE)]);
        let expected = [
            (ALICE, READ, NONE),
            (Sid::CREATOR_OWNER, READ, OI | CI | IO),
            (Sid::CREATOR_GROUP, READ, OI | IO),
        ];
        assert_eq!(heirs(&parent, NONE_CONTROL, true), expected);
    }

    const NONE_CONTROL: Control = Control::empty();

    #[test]
    fn generic_bits_become_what_they_are_short_for() {
        let parent = [Ace::allow(Sid::EVERYONE, AccessMask::GENERIC_READ, OI | CI)];
        let long = AccessMask::FILE_GENERIC_READ;
        assert_eq!(heirs(&parent, NONE_CONTROL, false), [(Sid::EVERYONE, long, NONE)]);
        let expected = [(Sid::EVERYONE, long, NONE), (Sid::EVERYONE, AccessMask::GENERIC_READ, OI | CI | IO)];
        assert_eq!(heirs(&parent, NONE_CONTROL, true), expected);
    }

    #[test]
    fn without_anything_to_inherit_the_owner_has_all() {
        let all = AccessMask::FILE_ALL_ACCESS;
        let expected = [(ALICE, all, NONE), (Sid::LOCAL_SYSTEM, all, NONE)];
        assert_eq!(heirs(&[Ace::allow(Sid::EVERYONE, READ, NONE)], NONE_CONTROL, false), expected);
        assert_eq!(heirs(&[], NONE_CONTROL, true), expected);
    }

    #[test]
    fn what_the_creator_gives_counts_instead() {
        let parent = [Ace::allow(Sid::EVERYONE, READ, OI | CI)];
        let parent = SecurityDescriptor { dacl: Some(acl(&parent)), ..Default::default() };
        let own = [Ace::allow(Sid::CREATOR_OWNER, AccessMask::GENERIC_READ, ID)];
        let creator = SecurityDescriptor {
            control: Control::DACL_PROTECTED,
            group: Some(Sid::BUILTIN_USERS),
            dacl: Some(acl(&own)),
            ..Default::default()
        };
        made(&parent, Some(&creator), false, |made| {
            assert_eq!((made.owner, made.group), (Some(ALICE), Some(Sid::BUILTIN_USERS)));
            assert!(made.control.contains(Control::DACL_PROTECTED));
            let aces: Vec<_> = made.dacl.unwrap().aces.iter().collect();
            assert_eq!(aces, [Ace::allow(ALICE, AccessMask::FILE_GENERIC_READ, ID)]);
        });
    }

    #[test]
    fn a_null_list_stays_one() {
        let parent = [Ace::allow(Sid::EVERYONE, READ, OI | CI)];
        let parent = SecurityDescriptor { dacl: Some(acl(&parent)), ..Default::default() };
        let creator = SecurityDescriptor { control: Control::DACL_PRESENT, ..Default::default() };
        made(&parent, Some(&creator), false, |made| assert!(made.has_null_dacl()));
    }

    #[test]
    fn audit_lists_are_inherited_too() {
        let audit = Ace {
            ace_type: super::super::AceType::SYSTEM_AUDIT,
            ..Ace::allow(Sid::EVERYONE, READ, OI | AceFlags::FAILED_ACCESS)
        };
        let sacl = [audit];
        let parent = SecurityDescriptor { sacl: Some(acl(&sacl)), ..Default::default() };
        made(&parent, None, false, |made| {
            let expected = Ace { flags: AceFlags::FAILED_ACCESS, ..audit };
            assert_eq!(made.sacl.unwrap().aces.iter().collect::<Vec<_>>(), [expected]);
        });
        made(&parent, None, true, |made| assert_eq!(made.sacl.unwrap().aces.len(), 1));
    }
}
