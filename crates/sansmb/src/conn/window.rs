//! The server's CommandSequenceWindow, [MS-SMB2] 3.3.1.1 and 3.3.5.2.3.

use alloc::collections::VecDeque;

/// Why a MessageId is refused; the connection ends, [MS-SMB2] 3.3.5.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    /// The MessageId was used before or is not in the window.
    #[error("MessageId {0} is not in the window")]
    MessageId(u64),
    /// The request consumes more credits than the client holds.
    #[error("CreditCharge {0} is more than the client was granted")]
    Charge(u16),
}

/// Which MessageIds the client may use: `low..low + len`, minus those it has used.
#[derive(Debug)]
pub struct SequenceWindow {
    low: u64,
    /// One bit a MessageId from `low` on; set = used. Sixty-four to a word.
    used: VecDeque<u64>,
    /// MessageIds granted, counted from `low`.
    len: u64,
    /// Granted and not used.
    available: u32,
    max: u32,
}

impl SequenceWindow {
    /// A window that holds MessageId 0 alone and may grow to `max` unused credits.
    pub fn new(max: u32) -> Self {
        let mut window = Self { low: 0, used: VecDeque::new(), len: 0, available: 0, max: max.max(1) };
        window.extend(1);
        window
    }

    /// Credits that the client holds.
    pub fn available(&self) -> u32 {
        self.available
    }

    /// Takes `charge` (at least one) consecutive MessageIds from `message_id` on.
    pub fn consume(&mut self, message_id: u64, charge: u16) -> Result<(), CreditError> {
        let charge = charge.max(1);
        if u32::from(charge) > self.available {
            return Err(CreditError::Charge(charge));
        }
        let first = message_id.checked_sub(self.low).ok_or(CreditError::MessageId(message_id))?;
        let end = first
            .checked_add(charge.into())
            .filter(|end| *end <= self.len)
            .ok_or(CreditError::MessageId(message_id))?;
        if (first..end).any(|at| self.is_used(at)) {
            return Err(CreditError::MessageId(message_id));
        }
        for at in first..end {
            let (word, bit) = split(at);
            if let Some(word) = self.used.get_mut(word) {
                *word |= bit;
            }
        }
        self.available -= u32::from(charge);
        while self.len >= 64 && self.used.front() == Some(&u64::MAX) {
            self.used.pop_front();
            self.low += 64;
            self.len -= 64;
        }
        Ok(())
    }

    /// Grants up to `wanted` credits, at least one where the client would have none left, and
    /// returns how many.
    pub fn grant(&mut self, wanted: u16) -> u16 {
        let room = self.max.saturating_sub(self.available);
        let floor = u32::from(self.available == 0);
        let granted = u32::from(wanted).min(room).max(floor);
        // The span is bounded too, so that one hole kept open for ever cannot grow the bit set.
        let span_room = (u64::from(self.max) * 4).saturating_sub(self.len);
        let granted = u64::from(granted).min(span_room.max(floor.into())) as u16;
        self.extend(granted);
        granted
    }

    fn extend(&mut self, n: u16) {
        self.len += u64::from(n);
        self.available += u32::from(n);
        while (self.used.len() as u64) * 64 < self.len {
            self.used.push_back(0);
        }
    }

    fn is_used(&self, at: u64) -> bool {
        let (word, bit) = split(at);
        self.used.get(word).is_none_or(|w| w & bit != 0)
    }
}

fn split(at: u64) -> (usize, u64) {
    ((at / 64) as usize, 1 << (at % 64))
}
