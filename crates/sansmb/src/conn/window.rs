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
        Self::starting_at(0, max)
    }

    fn starting_at(low: u64, max: u32) -> Self {
        let mut window = Self { low, used: VecDeque::new(), len: 0, available: 0, max: max.max(1) };
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
    /// returns how many. When the MessageIds are used up there are no more: they must not wrap,
    /// [MS-SMB2] 3.3.1.1, and the last one means "none".
    pub fn grant(&mut self, wanted: u16) -> u16 {
        let room = self.max.saturating_sub(self.available);
        let floor = u32::from(self.available == 0);
        let granted = u32::from(wanted).min(room).max(floor);
        // The span is bounded too, so that one hole kept open for ever cannot grow the bit set.
        let span_room = (u64::from(self.max) * 4).saturating_sub(self.len);
        let left = (u64::MAX - self.low).saturating_sub(self.len);
        let granted = u64::from(granted).min(span_room.max(floor.into())).min(left) as u16;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c6_message_ids_do_not_wrap() {
        let mut window = SequenceWindow::starting_at(u64::MAX - 130, 8192);
        assert_eq!(window.consume(u64::MAX - 130, 1), Ok(()));
        assert_eq!(window.grant(8192), 129, "all up to the one before the last");
        assert_eq!(window.consume(u64::MAX, 1), Err(CreditError::MessageId(u64::MAX)));
        assert_eq!(window.consume(u64::MAX - 1, 2), Err(CreditError::MessageId(u64::MAX - 1)));
        assert_eq!(window.consume(0, 1), Err(CreditError::MessageId(0)));
        for id in u64::MAX - 129..u64::MAX {
            assert_eq!(window.consume(id, 1), Ok(()));
        }
        assert_eq!(window.grant(1), 0, "nothing is left, and nothing may follow");
        for id in [0, 1, u64::MAX - 1, u64::MAX] {
            assert_eq!(window.consume(id, 1), Err(CreditError::Charge(1)));
        }
    }

    #[test]
    fn c6_a_hole_that_stays_open_does_not_grow_the_window_without_end() {
        let mut window = SequenceWindow::new(64);
        window.grant(64);
        // 0 is never used.
        let mut next = 1;
        while window.available() > 1 {
            assert_eq!(window.consume(next, 1), Ok(()));
            next += 1;
            window.grant(64);
        }
        assert!(window.len <= 256 && window.used.len() <= 4);
        assert_eq!(window.consume(next, 1), Err(CreditError::MessageId(next)), "only the hole is left");
        assert_eq!(window.consume(0, 1), Ok(()));
        assert_eq!(window.grant(64), 64, "and once it is filled everything goes on");
    }

    #[test]
    fn c6_charges_that_reach_over_the_edges() {
        let mut window = SequenceWindow::new(8192);
        assert_eq!(window.consume(0, u16::MAX), Err(CreditError::Charge(u16::MAX)));
        assert_eq!(window.consume(0, 0), Ok(()), "a charge of zero is one");
        window.grant(100);
        assert_eq!(window.consume(50, 10), Ok(()));
        assert_eq!(window.consume(45, 6), Err(CreditError::MessageId(45)), "reaches into used ones");
        assert_eq!(window.consume(95, 10), Err(CreditError::MessageId(95)), "reaches past the end");
        assert_eq!(window.consume(u64::MAX, u16::MAX), Err(CreditError::Charge(u16::MAX)));
        assert_eq!(window.consume(u64::MAX, 60), Err(CreditError::MessageId(u64::MAX)));
        assert_eq!(window.consume(u64::MAX - 10, 60), Err(CreditError::MessageId(u64::MAX - 10)));
        assert_eq!(window.available(), 90, "what is refused costs nothing");
    }
}
