//! Who asks, [MS-DTYP] 2.5.2.

use alloc::vec::Vec;

use super::Sid;

/// An authorization context: a user, the groups of the user and what privileges they give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    user: Sid,
    group: Sid,
    /// The user and all groups, sorted.
    sids: Vec<Sid>,
    privileges: Privileges,
}

wire_flags! {
    /// Privileges that matter to files, [MS-LSAD] 3.1.1.2.1. The bits are this implementation's own.
    pub struct Privileges: u8 {
        /// SeSecurityPrivilege: read and write audit lists.
        const SECURITY = 0x01;
        /// SeTakeOwnershipPrivilege: become the owner of anything.
        const TAKE_OWNERSHIP = 0x02;
        /// SeBackupPrivilege: read everything, where the open says that it is for a backup.
        const BACKUP = 0x04;
        /// SeRestorePrivilege: write everything, where the open says that it is for a backup, and give
        /// files to any owner.
        const RESTORE = 0x08;
        /// SeManageVolumePrivilege: see and set what others may take of a volume.
        const MANAGE_VOLUME = 0x10;
    }
}

impl Token {
    /// A token of `user`, whose new files belong to the group `group`, and who is in `groups` too.
    pub fn new(user: Sid, group: Sid, groups: &[Sid], privileges: Privileges) -> Self {
        let mut sids = Vec::with_capacity(groups.len() + 2);
        sids.extend_from_slice(groups);
        sids.extend([user, group]);
        sids.sort_unstable();
        sids.dedup();
        Self { user, group, sids, privileges }
    }

    /// The user, who owns what is made with this token.
    pub fn user(&self) -> Sid {
        self.user
    }

    /// The primary group.
    pub fn group(&self) -> Sid {
        self.group
    }

    /// The user and all groups, in ascending order.
    pub fn sids(&self) -> &[Sid] {
        &self.sids
    }

    /// Whether `sid` is the user or one of the groups.
    pub fn contains(&self, sid: &Sid) -> bool {
        self.sids.binary_search(sid).is_ok()
    }

    /// What the user may do beyond what access lists grant.
    pub fn privileges(&self) -> Privileges {
        self.privileges
    }

    /// Whether the user may make `sid` the owner of something: oneself, a group that one is in, and
    /// anybody for who restores backups.
    pub fn may_assign_owner(&self, sid: &Sid) -> bool {
        self.contains(sid) || self.privileges.contains(Privileges::RESTORE)
    }
}
