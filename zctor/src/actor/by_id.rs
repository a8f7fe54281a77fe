//! Values by ids, in the order of the ids.
//!
//! A sorted list, and not a tree: a tree is far more code, which would be compiled again for each message type.

/// Values by ids, for ids that mostly grow. To add, find and remove one takes logarithmic time on average.
pub(crate) struct ById<T> {
    /// In the order of the ids. A value that was removed leaves its entry, until half of the entries are left so.
    entries: Vec<(u64, Option<T>)>,
    removed: usize,
}

/// How much memory, in entries, is kept when there is none any more.
const KEPT: usize = 16;

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), removed: 0 }
    }
}

impl<T> ById<T> {
    /// Adds a value by an id that has none.
    pub(crate) fn add(&mut self, id: u64, value: T) {
        match self.find(id) {
            Ok(index) => {
                self.entries[index].1 = Some(value);
                self.removed -= 1;
            }
            Err(index) => self.entries.insert(index, (id, Some(value))),
        }
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let index = self.find(id).ok()?;
        let value = self.entries[index].1.take()?;
        self.removed += 1;
        if self.removed * 2 > self.entries.len() {
            self.compact();
        }
        Some(value)
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.find(id).is_ok_and(|index| self.entries[index].1.is_some())
    }

    /// All values with their ids, in the order of those.
    #[cfg(feature = "testing")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().filter_map(|(id, value)| Some((*id, value.as_ref()?)))
    }

    /// All values with their ids, in the order of those.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (u64, T)> {
        self.entries.into_iter().filter_map(|(id, value)| Some((id, value?)))
    }

    fn find(&self, id: u64) -> Result<usize, usize> {
        // Most ids are new ones, and larger than all before.
        match self.entries.last() {
            Some((last, _)) if *last >= id => self.entries.binary_search_by_key(&id, |(id, _)| *id),
            _ => Err(self.entries.len()),
        }
    }

    fn compact(&mut self) {
        self.entries.retain(|(_, value)| value.is_some());
        self.removed = 0;
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_ids_and_come_out_in_order() {
        let mut all = ById::default();
        (0..10).for_each(|id| all.add(id, id * 10));
        assert_eq!([3, 0, 9].map(|id| all.remove(id)), [Some(30), Some(0), Some(90)]);
        assert_eq!(all.remove(3), None);
        // One comes again that its entry still waits for, one whose entry is gone, and new ones.
        all.add(3, 31);
        assert_eq!([1, 2, 4, 5, 6].map(|id| all.remove(id)), [10, 20, 40, 50, 60].map(Some));
        [2, 10, 11].iter().for_each(|id| all.add(*id, id * 10));
        assert!(all.contains(2) && !all.contains(1) && !all.contains(9));
        assert_eq!(all.into_entries().collect::<Vec<_>>(), [(2, 20), (3, 31), (7, 70), (8, 80), (10, 100), (11, 110)]);
    }

    // Issue 15: costs must not grow with what was.
    #[test]
    fn many_values_cost_nothing_once_they_are_gone() {
        let mut all = ById::default();
        (0..1_000).for_each(|id| all.add(id, ()));
        (0..1_000).for_each(|id| assert_eq!(all.remove(id), Some(())));
        assert!(all.entries.is_empty() && all.entries.capacity() <= KEPT);
    }
}
