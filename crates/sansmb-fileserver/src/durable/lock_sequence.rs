//! LOCK requests that come twice, [MS-SMB2] 3.3.5.14.

use std::collections::BTreeMap;

use sansmb::wire::LockRequest;

use super::Level;
use crate::{opens::OpenId, server::FileServer};

/// Entries that a client may use: 1 to 64.
const ENTRIES: u32 = 64;

/// LockSequenceArray: the numbers of the requests that were carried out last, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LockSequences(BTreeMap<u8, u8>);

/// Which entry a request uses, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockSequence {
    index: u8,
    number: u8,
}

impl LockSequence {
    fn of(request: &LockRequest<'_>) -> Option<Self> {
        let index = request.sequence_index();
        let index = u8::try_from(index).ok().filter(|_| (1..=ENTRIES).contains(&index))?;
        Some(Self { index, number: request.sequence_number() })
    }
}

impl LockSequences {
    /// Index and number of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, u8)> {
        self.0.iter().map(|(index, number)| (*index, *number))
    }

    /// Those that were kept; what no client could have used is left out.
    pub(crate) fn from_entries(entries: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let used = |(index, _): &(u8, u8)| (1..=ENTRIES).contains(&u32::from(*index));
        Self(entries.into_iter().filter(used).collect())
    }

    /// Whether the request was carried out before. If not, what was is forgotten.
    fn repeats(&mut self, sequence: LockSequence) -> bool {
        if self.0.get(&sequence.index) == Some(&sequence.number) {
            return true;
        }
        self.0.remove(&sequence.index);
        false
    }
}

impl FileServer {
    /// The sequence of a LOCK request, where it counts: from 3.0 on for every open, since channels
    /// can fail there, and before that for those that outlive their connection.
    pub(crate) fn lock_sequence(
        &self,
        id: OpenId,
        smb3: bool,
        request: &LockRequest<'_>,
    ) -> Option<LockSequence> {
        let lasting = self.opens.get(&id).is_some_and(|open| open.lasting.level != Level::Fleeting);
        LockSequence::of(request).filter(|_| smb3 || lasting)
    }

    /// Whether a LOCK request was carried out already.
    pub(crate) fn lock_repeats(&mut self, id: OpenId, sequence: Option<LockSequence>) -> bool {
        let (Some(sequence), Some(open)) = (sequence, self.opens.get_mut(&id)) else { return false };
        open.lasting.lock_sequences.repeats(sequence)
    }

    /// A LOCK request was carried out.
    pub(crate) fn lock_carried_out(&mut self, id: OpenId, sequence: Option<LockSequence>) {
        let (Some(sequence), Some(open)) = (sequence, self.opens.get_mut(&id)) else { return };
        open.lasting.lock_sequences.0.insert(sequence.index, sequence.number);
    }
}
