//! A table of what is under way, by numbers that only go up.

use alloc::collections::VecDeque;

/// Requests that wait for something, by a number that each new one has higher than all before it.
///
/// Most go in the order in which they came, or nearly, so that a queue with a few holes holds them.
/// It keeps its memory, and is never longer than twice what is in it plus a few: finding one costs O(log n)
/// at worst, adding and removing the same.
#[derive(Debug)]
pub(crate) struct Outstanding<T> {
    queue: VecDeque<(u64, Option<T>)>,
    live: usize,
}

/// So many holes are no reason to tidy up.
const HOLES: usize = 32;

impl<T> Default for Outstanding<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), live: 0 }
    }
}

impl<T> Outstanding<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Adds one. `number` has to be higher than all that were there before.
    pub(crate) fn push(&mut self, number: u64, value: T) {
        debug_assert!(self.queue.back().is_none_or(|(last, _)| *last < number), "numbers go up");
        self.queue.push_back((number, Some(value)));
        self.live += 1;
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.queue.get(self.find(number)?)?.1.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.find(number)?;
        self.queue.get_mut(at)?.1.as_mut()
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.find(number)?;
        // The first one is always there.
        let value = if at == 0 { self.queue.pop_front()?.1 } else { self.queue.get_mut(at)?.1.take() };
        self.live -= usize::from(value.is_some());
        while self.queue.front().is_some_and(|(_, value)| value.is_none()) {
            self.queue.pop_front();
        }
        if self.queue.len() > 2 * self.live + HOLES {
            self.queue.retain(|(_, value)| value.is_some());
        }
        value
    }

    /// All, the oldest first.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// All with their numbers, the oldest first.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.queue.iter_mut().filter_map(|(number, value)| Some((*number, value.as_mut()?)))
    }

    /// Takes all, the oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + use<'_, T> {
        self.live = 0;
        self.queue.drain(..).filter_map(|(_, value)| value)
    }

    /// Forgets all and gives back the memory.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives back memory that nothing uses.
    pub(crate) fn release_idle(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }

    /// Where `number` is, or was: as far behind the first as the two numbers are apart, where none between them
    /// was left out.
    fn find(&self, number: u64) -> Option<usize> {
        let (first, _) = self.queue.front()?;
        let guess = usize::try_from(number.checked_sub(*first)?).ok()?;
        if self.queue.get(guess).is_some_and(|(at, _)| *at == number) {
            return Some(guess);
        }
        self.queue.binary_search_by_key(&number, |(at, _)| *at).ok()
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeMap, vec::Vec};

    use super::*;

    /// Adds and removes in an order that a few multiplications make up, beside a map.
    #[test]
    fn outstanding_requests_are_like_a_map() {
        let (mut table, mut map) = (Outstanding::default(), BTreeMap::new());
        let (mut number, mut seed) = (0, 1_u64);
        for step in 0..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let dice = seed >> 33;
            let adds = if step % 4000 < 2000 { 3 } else { 1 };
            if dice % 4 < adds {
                number += 1 + dice % 3;
                table.push(number, step);
                map.insert(number, step);
            } else {
                let victim = number.saturating_sub(dice % 500);
                assert_eq!(table.remove(victim), map.remove(&victim));
            }
            assert_eq!(table.len(), map.len());
            let asked = number.saturating_sub(dice % 50);
            assert_eq!(table.get(asked), map.get(&asked));
            assert_eq!(table.get_mut(asked), map.get_mut(&asked));
            assert!(table.queue.len() <= 2 * table.live + HOLES + 1, "holes are not kept for ever");
        }
        assert!(table.values().eq(map.values()));
        assert!(table.iter_mut().map(|(number, _)| number).eq(map.keys().copied()));
        assert_eq!(table.drain().collect::<Vec<_>>(), map.into_values().collect::<Vec<_>>());
        assert!(table.is_empty());
    }

    #[test]
    fn one_that_stays_does_not_keep_the_others_memory() {
        let mut table = Outstanding::default();
        table.push(0, ());
        for number in 1..100_000 {
            table.push(number, ());
            table.remove(number);
        }
        assert!(table.queue.len() <= HOLES + 3, "{}", table.queue.len());
        assert!(table.get(0).is_some() && table.get(99_999).is_none());
    }
}
