//! Oplocks and leases in short.

use sansmb::wire::{fscc::FileInfo, *};

use super::{Client, Response, World, requests::Create};

pub(crate) const R: LeaseState = LeaseState::READ_CACHING;
pub(crate) const RH: LeaseState = R.union(LeaseState::HANDLE_CACHING);
pub(crate) const RW: LeaseState = R.union(LeaseState::WRITE_CACHING);
pub(crate) const RWH: LeaseState = RW.union(LeaseState::HANDLE_CACHING);

/// A lease key of sixteen times `n`.
pub(crate) fn key(n: u8) -> LeaseKey {
    LeaseKey([n; 16])
}

/// What asks for a lease of 3.x.
pub(crate) fn lease(n: u8, state: LeaseState) -> LeaseV2 {
    LeaseV2 { key: key(n), state, epoch: 0x10, ..Default::default() }
}

/// The same of a client that has a lease on the directory.
pub(crate) fn child(n: u8, state: LeaseState, parent: u8) -> LeaseV2 {
    LeaseV2 { parent_key: key(parent), flags: LeaseFlags::PARENT_LEASE_KEY_SET, ..lease(n, state) }
}

impl Client {
    /// Asks for an open with an oplock.
    pub(crate) fn send_oplock(
        &mut self,
        world: &mut World,
        name: &str,
        how: Create<'_>,
        level: OplockLevel,
    ) -> u64 {
        self.send_create(world, name, Create { oplock: level, ..how })
    }

    /// Opens with an oplock; gives the level that was granted.
    #[track_caller]
    pub(crate) fn oplock(
        &mut self,
        world: &mut World,
        name: &str,
        how: Create<'_>,
        level: OplockLevel,
    ) -> (FileId, OplockLevel) {
        let id = self.send_oplock(world, name, how, level);
        opened(&self.answer(world, id))
    }

    pub(crate) fn send_lease(
        &mut self,
        world: &mut World,
        name: &str,
        how: Create<'_>,
        lease: LeaseV2,
    ) -> u64 {
        let contexts = [CreateContext::RequestLeaseV2(lease)];
        self.send_create(world, name, Create { oplock: OplockLevel::LEASE, contexts: &contexts, ..how })
    }

    /// Opens with a lease; gives what was granted.
    #[track_caller]
    pub(crate) fn lease(
        &mut self,
        world: &mut World,
        name: &str,
        how: Create<'_>,
        lease: LeaseV2,
    ) -> (FileId, LeaseV2) {
        let id = self.send_lease(world, name, how, lease);
        leased(&self.answer(world, id))
    }

    /// A break notification that came; it is taken.
    pub(crate) fn broken(&mut self, world: &mut World) -> Option<BreakNotification> {
        let response = self.maybe(world, u64::MAX)?;
        assert_eq!(response.header.command, Command::OPLOCK_BREAK);
        assert!(!response.header.flags.contains(Flags::SIGNED));
        Some(BreakNotification::decode(&response.bytes).unwrap())
    }

    /// The level that an oplock is to go down to.
    #[track_caller]
    pub(crate) fn broken_oplock(&mut self, world: &mut World) -> (FileId, OplockLevel) {
        match self.broken(world) {
            Some(BreakNotification::Oplock(notice)) => (notice.file_id, notice.oplock_level),
            other => panic!("{other:?}"),
        }
    }

    /// From what to what a lease is to go, and whether that has to be acknowledged.
    #[track_caller]
    pub(crate) fn broken_lease(&mut self, world: &mut World) -> (LeaseKey, LeaseState, LeaseState, bool) {
        match self.broken(world) {
            Some(BreakNotification::Lease(n)) => {
                let acknowledged = n.flags.contains(LeaseBreakFlags::ACK_REQUIRED);
                (n.lease_key, n.current_lease_state, n.new_lease_state, acknowledged)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sets an information of a file and does not wait for the answer.
    pub(crate) fn send_set<'m, I: FileInfo<'m>>(
        &mut self,
        world: &mut World,
        file_id: FileId,
        info: &I,
    ) -> u64 {
        let buffer = info.to_vec();
        let (info_type, info_class) = (InfoType::FILE, I::CLASS.0);
        let request =
            SetInfoRequest { info_type, info_class, file_id, buffer: &buffer, ..Default::default() };
        self.send(world, Command::SET_INFO, &request)
    }

    pub(crate) fn send_rename(
        &mut self,
        world: &mut World,
        file_id: FileId,
        to: &str,
        replace_if_exists: bool,
    ) -> u64 {
        let name = Utf16Buf::new(to);
        let info = fscc::FileRenameInfo { replace_if_exists, root_directory: 0, name: name.as_utf16() };
        self.send_set(world, file_id, &info)
    }

    pub(crate) fn give_up(
        &mut self,
        world: &mut World,
        file_id: FileId,
        oplock_level: OplockLevel,
    ) -> Response {
        self.call(world, Command::OPLOCK_BREAK, &OplockBreak { oplock_level, file_id })
    }

    pub(crate) fn give_up_lease(&mut self, world: &mut World, n: u8, lease_state: LeaseState) -> NtStatus {
        let body = LeaseBreak { lease_key: key(n), lease_state, ..Default::default() };
        self.status(world, Command::OPLOCK_BREAK, &body)
    }
}

/// The file and the level of an answer to CREATE.
#[track_caller]
pub(crate) fn opened(response: &Response) -> (FileId, OplockLevel) {
    let body: CreateResponse<'_> = response.body();
    (body.file_id, body.oplock_level)
}

/// The file and the lease of an answer to CREATE.
#[track_caller]
pub(crate) fn leased(response: &Response) -> (FileId, LeaseV2) {
    let body: CreateResponse<'_> = response.body();
    assert_eq!(body.oplock_level, OplockLevel::LEASE);
    let lease = body.contexts.iter().find_map(|context| match context {
        CreateContextReply::ResponseLeaseV2(lease) => Some(lease),
        _ => None,
    });
    (body.file_id, lease.expect("a lease"))
}
