//! Descriptors as storages keep them, and what files have that keep none.

use bytes::Bytes;
use sansmb::wire::{
    AccessMask, Structure,
    dtyp::{Ace, AceFlags, Acl, SecurityDescriptor, SecurityDescriptorControl, Sid, Token, granted_access},
};

/// Longest descriptor that is taken: as long as an access list can be, and the rest beside it.
pub const MAX_DESCRIPTOR: usize = 64 << 10;

/// What a storage knows about who may do what with a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// The descriptor that is kept with the file, in the self-relative form of [MS-DTYP] 2.4.6.
    pub stored: Option<Bytes>,
    /// Who owns a file that has no descriptor.
    pub owner: Option<Box<Sid>>,
    /// What Unix says of it, where there is Unix.
    pub unix: Option<Unix>,
}

/// What is kept with something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    /// Who owns it: all that there is to say in a directory without a descriptor.
    Owner(Sid),
    /// A descriptor.
    Descriptor(Bytes),
}

/// Who has a file in a Unix file system, and what the server's own process can do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unix {
    /// Number of the user who owns it.
    pub uid: u32,
    /// Number of its group.
    pub gid: u32,
    /// Its data can be read.
    pub readable: bool,
    /// Its data can be written.
    pub writable: bool,
}

impl Security {
    /// That of something new.
    pub fn assigned(assigned: Option<Assigned>, unix: Option<Unix>) -> Self {
        match assigned {
            Some(Assigned::Descriptor(bytes)) => Self { stored: Some(bytes), owner: None, unix },
            Some(Assigned::Owner(owner)) => Self { stored: None, owner: Some(owner.into()), unix },
            None => Self { stored: None, owner: None, unix },
        }
    }

    /// The part of `desired` that `token` may do. A file without a descriptor is everybody's, as far as
    /// Unix lets the server; one whose descriptor does not parse is nobody's.
    pub(crate) fn granted(&self, token: &Token, desired: AccessMask) -> AccessMask {
        let nothing = || {
            let nobody = SecurityDescriptor { dacl: Some(Acl::new(&[])), ..Default::default() };
            granted_access(&nobody, token, desired)
        };
        match self.stored.as_deref().map(SecurityDescriptor::decode) {
            None => {
                let mut access = self.everyone();
                if self.owner.as_deref().is_some_and(|owner| token.contains(owner)) {
                    access |= AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
                }
                desired.expand_generic() & access | nothing()
            }
            Some(Ok(descriptor)) => granted_access(&descriptor, token, desired),
            Some(Err(_)) => nothing(),
        }
    }

    /// Who owns it: whose quota it counts against.
    pub fn owner(&self) -> Sid {
        let owner = self.with_descriptor(false, AccessMask::empty(), |descriptor| descriptor.owner);
        owner.unwrap_or(Sid::BUILTIN_ADMINISTRATORS)
    }

    /// That of something that nobody may do anything with.
    pub(crate) fn nobodys() -> Self {
        Self { stored: Some(Bytes::new()), ..Self::default() }
    }

    /// What everybody may do with a file that has no descriptor of its own.
    fn everyone(&self) -> AccessMask {
        match self.unix {
            Some(Unix { writable: false, readable: false, .. }) => {
                AccessMask::FILE_READ_ATTRIBUTES | AccessMask::READ_CONTROL | AccessMask::SYNCHRONIZE
            }
            Some(Unix { writable: false, .. }) => {
                AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE
            }
            Some(Unix { readable: false, .. }) => {
                AccessMask::FILE_ALL_ACCESS.difference(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE)
            }
            _ => AccessMask::FILE_ALL_ACCESS,
        }
    }

    /// Gives `then` the descriptor: the one that is kept or, without one, one that says what
    /// [`Security::granted`] does. `maximal` is what the share lets anybody do.
    pub(crate) fn with_descriptor<T>(
        &self,
        directory: bool,
        maximal: AccessMask,
        then: impl FnOnce(&SecurityDescriptor<'_>) -> T,
    ) -> T {
        match &self.stored {
            Some(bytes) => match SecurityDescriptor::decode(bytes) {
                Ok(descriptor) => then(&descriptor),
                // Nobody may do anything, and whoever may change that can see it.
                Err(_) => then(&SecurityDescriptor {
                    owner: Some(Sid::BUILTIN_ADMINISTRATORS),
                    group: Some(Sid::BUILTIN_ADMINISTRATORS),
                    dacl: Some(Acl::new(&[])),
                    ..Default::default()
                }),
            },
            None => {
                let mut flags = AceFlags::empty();
                flags.set(AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT, directory);
                // It was made in a directory that shows the same.
                flags.set(AceFlags::INHERITED, self.owner.is_some());
                let aces = [Ace::allow(Sid::EVERYONE, self.everyone() & maximal, flags)];
                let owners = (Sid::BUILTIN_ADMINISTRATORS, Sid::BUILTIN_USERS);
                let (owner, group) = match self.owner.as_deref() {
                    Some(owner) => (*owner, Sid::BUILTIN_USERS),
                    None => {
                        self.unix.map_or(owners, |unix| (Sid::unix_user(unix.uid), Sid::unix_group(unix.gid)))
                    }
                };
                then(&SecurityDescriptor {
                    control: SecurityDescriptorControl::DACL_PRESENT
                        | SecurityDescriptorControl::DACL_AUTO_INHERITED,
                    owner: Some(owner),
                    group: Some(group),
                    dacl: Some(Acl::new(&aces)),
                    ..Default::default()
                })
            }
        }
    }
}
