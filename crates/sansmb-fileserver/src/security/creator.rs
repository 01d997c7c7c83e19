//! What a storage asks while it makes, names or changes something: plain data and pure functions, so
//! that no other request comes between the question and the deed.

use std::sync::Arc;

use bytes::Bytes;
use sansmb::wire::{
    AccessMask, NtStatus, SecurityInformation, Structure,
    dtyp::{
        Ace, AceBody, AceFlags, Acl, SecurityDescriptor, SecurityDescriptorControl as Control, Token,
        new_descriptor,
    },
};

use super::stored::{Assigned, MAX_DESCRIPTOR, Security};

/// Who puts a name into a directory, and what they want for it.
#[derive(Debug, Clone)]
pub struct Creator {
    /// Who.
    pub token: Arc<Token>,
    /// The descriptor that they want, which was found to be well-formed.
    pub wanted: Option<Bytes>,
    /// They replace something that only the directory can let them remove.
    pub replaces: bool,
}

impl Creator {
    /// Whether they may put a file or directory into a directory, [MS-FSA] 2.1.5.1.1: otherwise
    /// [`NtStatus::ACCESS_DENIED`].
    pub fn may_add(&self, parent: &Security, directory: bool) -> Result<(), NtStatus> {
        let mut needed =
            if directory { AccessMask::FILE_ADD_SUBDIRECTORY } else { AccessMask::FILE_ADD_FILE };
        needed.set(AccessMask::FILE_DELETE_CHILD, self.replaces);
        if parent.granted(&self.token, needed).contains(needed) {
            Ok(())
        } else {
            Err(NtStatus::ACCESS_DENIED)
        }
    }

    /// What is kept with a new file or directory in a directory, if they may make one,
    /// [MS-FSA] 2.1.5.1.1.
    pub fn assign(&self, parent: &Security, directory: bool) -> Result<Assigned, NtStatus> {
        self.may_add(parent, directory)?;
        if parent.stored.is_none() && self.wanted.is_none() {
            return Ok(Assigned::Owner(self.token.user()));
        }
        let wanted = self.wanted.as_deref().map(SecurityDescriptor::decode);
        let wanted = wanted.transpose().map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?;
        let bytes = parent.with_descriptor(true, AccessMask::FILE_ALL_ACCESS, |parent| {
            new_descriptor(parent, wanted.as_ref(), directory, &self.token)
        });
        if bytes.len() > MAX_DESCRIPTOR {
            Err(NtStatus::INVALID_ACL)
        } else {
            Ok(Assigned::Descriptor(bytes.into()))
        }
    }
}

/// Parts of a descriptor that replace those that a file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityChange {
    /// Which parts.
    pub parts: SecurityInformation,
    /// A descriptor that has them, which was found to be well-formed.
    pub descriptor: Bytes,
}

impl SecurityChange {
    /// The descriptor of a file from now on, [MS-FSA] 2.1.5.17.
    pub fn apply(&self, current: &Security, directory: bool) -> Result<Bytes, NtStatus> {
        let given =
            SecurityDescriptor::decode(&self.descriptor).map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?;
        let bytes = current
            .with_descriptor(directory, AccessMask::FILE_ALL_ACCESS, |current| self.merge(current, &given));
        if bytes.len() > MAX_DESCRIPTOR { Err(NtStatus::INVALID_ACL) } else { Ok(bytes.into()) }
    }

    fn merge(&self, current: &SecurityDescriptor<'_>, given: &SecurityDescriptor<'_>) -> Vec<u8> {
        let parts = self.parts;
        let mut new = *current;
        let mut control = current.control;
        if parts.contains(SecurityInformation::OWNER) {
            new.owner = given.owner;
            copy(&mut control, given.control, Control::OWNER_DEFAULTED);
        }
        if parts.contains(SecurityInformation::GROUP) {
            new.group = given.group;
            copy(&mut control, given.control, Control::GROUP_DEFAULTED);
        }
        let (mut dacl, mut sacl) = (Vec::new(), Vec::new());
        if parts.contains(SecurityInformation::DACL) {
            new.dacl = given.dacl.map(|list| concrete(&list, &mut dacl));
            control |= Control::DACL_PRESENT;
            copy(&mut control, given.control, Control::DACL_DEFAULTED | Control::DACL_PROTECTED);
            // Whoever wants the list to count as inherited has to ask for it, [MS-DTYP] 2.4.6.
            let asked = Control::DACL_AUTO_INHERITED | Control::DACL_COMPUTED_INHERITANCE_REQUIRED;
            control.set(Control::DACL_AUTO_INHERITED, given.control.contains(asked));
        }
        if parts.contains(SecurityInformation::PROTECTED_DACL) {
            control |= Control::DACL_PROTECTED;
        } else if parts.contains(SecurityInformation::UNPROTECTED_DACL) {
            control.remove(Control::DACL_PROTECTED);
        }
        if parts.contains(SecurityInformation::SACL) {
            new.sacl = given.sacl.map(|list| concrete(&list, &mut sacl));
            control.set(Control::SACL_PRESENT, new.sacl.is_some());
            copy(&mut control, given.control, Control::SACL_DEFAULTED | Control::SACL_PROTECTED);
            let asked = Control::SACL_AUTO_INHERITED | Control::SACL_COMPUTED_INHERITANCE_REQUIRED;
            control.set(Control::SACL_AUTO_INHERITED, given.control.contains(asked));
        }
        if parts.contains(SecurityInformation::PROTECTED_SACL) {
            control |= Control::SACL_PROTECTED;
        } else if parts.contains(SecurityInformation::UNPROTECTED_SACL) {
            control.remove(Control::SACL_PROTECTED);
        }
        new.control = control;
        new.to_vec()
    }
}

fn copy(control: &mut Control, from: Control, bits: Control) {
    control.remove(bits);
    *control |= from & bits;
}

/// A list with what generic bits are short for, in the entries that count here.
fn concrete<'a, 'm: 'a>(list: &Acl<'m>, aces: &'a mut Vec<Ace<'m>>) -> Acl<'a> {
    aces.extend(list.aces.iter().map(|mut ace| {
        if let AceBody::Basic { mask, .. } | AceBody::Object { mask, .. } = &mut ace.body
            && !ace.flags.contains(AceFlags::INHERIT_ONLY)
        {
            *mask = mask.expand_generic();
        }
        ace
    }));
    Acl { revision: list.revision, ..Acl::new(aces) }
}
