//! The volume as a whole: room, and quotas.

use std::sync::{Arc, Mutex};

use sansmb::wire::{
    AccessMask, FileAttributes, FileTime, NtStatus, Structure,
    dtyp::{Ace, AceFlags, Acl, SecurityDescriptor, SecurityDescriptorControl, Sid},
};
use sansmb_fileserver::storage::{Assigned, Done, Outcome, QUOTA_FILE, QuotaJob, Rights, SharePath, Space};

use super::{
    Memory,
    chunks::{BLOCK, Usage},
    inode::{Inode, Opened},
    tree::QUOTA,
};

/// The quota file. Everybody may open it, and administrators to set something. Its attributes are those that
/// clients know from Windows, and it has no times there either.
pub(super) fn quota_file(usage: &Arc<Usage>) -> Inode {
    let (admins, all) = (Sid::BUILTIN_ADMINISTRATORS, AccessMask::FILE_GENERIC_READ);
    let aces = [
        Ace::allow(admins, all | AccessMask::FILE_GENERIC_WRITE, AceFlags::empty()),
        Ace::allow(Sid::EVERYONE, all, AceFlags::empty()),
    ];
    let descriptor = SecurityDescriptor {
        control: SecurityDescriptorControl::DACL_PRESENT,
        owner: Some(admins),
        group: Some(admins),
        dacl: Some(Acl::new(&aces)),
        ..Default::default()
    };
    let attributes = FileAttributes::HIDDEN | FileAttributes::SYSTEM | FileAttributes::ARCHIVE;
    let security = Some(Assigned::Descriptor(descriptor.to_vec().into()));
    Inode::fixed(QUOTA, true, attributes, security, FileTime(0), usage)
}

impl Memory {
    pub(super) fn space(&self, caller: Option<&Sid>) -> Space {
        let free = self.usage.free();
        let space = Space { total: self.usage.capacity, available: free, free, block: BLOCK as u32 };
        caller.map_or(space, |caller| self.usage.quotas.narrow(caller, space))
    }

    pub(super) fn quota(&self, job: QuotaJob) -> Outcome {
        let quotas = &self.usage.quotas;
        match job {
            QuotaJob::Open => Ok(self.open_quota_file()),
            QuotaJob::Control => Ok(Done::QuotaControl(quotas.control())),
            QuotaJob::SetControl(control) => {
                quotas.set_control(control);
                Ok(Done::Nothing)
            }
            QuotaJob::Of(users) => Ok(Done::Quotas(quotas.of(&users))),
            QuotaJob::List { from, limit } => Ok(Done::Quotas(quotas.list(from, limit))),
            QuotaJob::Set(changes) => {
                quotas.set(&changes, &self.usage, self.now())?;
                Ok(Done::Nothing)
            }
            _ => Err(NtStatus::NOT_SUPPORTED),
        }
    }

    fn open_quota_file(&self) -> Done {
        let inode = Arc::clone(&self.quota_file);
        let (metadata, security) = (inode.metadata(self.volume), inode.security());
        let path = QUOTA_FILE.map(Arc::from);
        let rights = Rights::default();
        let opened = Opened { inode, link: None, stream: None, rights, position: Mutex::default() };
        let handle = self.opened.insert(Arc::new(opened));
        Done::Opened { handle, metadata, created: false, path: SharePath(path.to_vec()), security }
    }
}
