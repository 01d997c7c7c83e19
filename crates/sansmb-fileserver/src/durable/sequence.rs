//! Requests that a client sends again over another channel, [MS-SMB2] 3.3.5.2.10.

use std::collections::BTreeMap;

use sansmb::{
    server::{Origin, RequestId},
    wire::{Command, NtStatus},
};

use crate::{opens::OpenId, server::FileServer};

/// What an open knows of its client's channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ChannelSequence {
    /// The newest one that a request came with.
    current: u16,
    /// Which change of it this is: requests are counted out where they were counted in.
    epoch: u64,
    /// OutstandingRequestCount
    outstanding: usize,
    /// OutstandingPreRequestCount
    earlier: usize,
}

/// Requests that are counted and not answered yet: on which open, and in which epoch of it.
#[derive(Debug, Default)]
pub(crate) struct Outstanding(BTreeMap<RequestId, (OpenId, u64)>);

impl Outstanding {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl ChannelSequence {
    pub(crate) fn new(current: u16) -> Self {
        Self { current, ..Self::default() }
    }

    /// Takes in a request. `false` when it comes late, or again while its first coming may still be
    /// under way.
    fn admit(&mut self, sequence: u16, replay: bool) -> bool {
        let ahead = sequence.wrapping_sub(self.current);
        if ahead > 0x7FFF {
            return false;
        }
        if ahead > 0 {
            self.earlier += std::mem::take(&mut self.outstanding);
            self.current = sequence;
            self.epoch += 1;
        }
        !replay || self.earlier == 0
    }

    fn done(&mut self, epoch: u64) {
        let count = if epoch == self.epoch { &mut self.outstanding } else { &mut self.earlier };
        *count = count.saturating_sub(1);
    }
}

impl FileServer {
    /// Checks the channel sequence of the request that is being handled, and counts it.
    pub(crate) fn verify_sequence(
        &mut self,
        id: OpenId,
        origin: &Origin,
        command: Command,
    ) -> Result<(), NtStatus> {
        let Some(request) = self.current().filter(|_| origin.dialect.is_smb3()) else { return Ok(()) };
        let Some(open) = self.opens.get_mut(&id) else { return Err(NtStatus::FILE_CLOSED) };
        let sequence = &mut open.lasting.sequence;
        if sequence.admit(origin.channel_sequence, origin.replay) {
            sequence.outstanding += 1;
            self.durables.outstanding.0.insert(request, (id, sequence.epoch));
            return Ok(());
        }
        // The others do no harm when they are done twice.
        match command {
            Command::WRITE | Command::SET_INFO | Command::IOCTL => Err(NtStatus::FILE_NOT_AVAILABLE),
            _ => Ok(()),
        }
    }

    /// A request is answered.
    pub(crate) fn sequence_done(&mut self, request: RequestId) {
        let Some((id, epoch)) = self.durables.outstanding.0.remove(&request) else { return };
        if let Some(open) = self.opens.get_mut(&id) {
            open.lasting.sequence.done(epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ChannelSequence;

    #[test]
    fn a_sequence_moves_on_and_never_back() {
        let mut sequence = ChannelSequence::new(0xFFFF);
        assert!(sequence.admit(0xFFFF, false));
        assert!(sequence.admit(0, false), "it wraps");
        assert!(!sequence.admit(0xFFFF, false));
        assert!(sequence.admit(0x7FFF, false));
        assert!(!sequence.admit(0xFFFF, true), "0x8000 ahead is behind");
    }

    #[test]
    fn what_is_under_way_keeps_replays_out() {
        let mut sequence = ChannelSequence::new(0);
        assert!(sequence.admit(0, false));
        sequence.outstanding += 1;
        assert!(!sequence.admit(1, true));
        assert!(!sequence.admit(1, true));
        assert!(sequence.admit(1, false), "a new request does not mind");
        sequence.done(0);
        assert!(sequence.admit(1, true));
    }
}
