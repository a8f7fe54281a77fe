//! A list of waiters, which are woken in the order in which they joined.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::task::Waker;

/// A list of waiters, each with its waker in a place. The numbers of places grow in the order of joining.
///
/// A place stays until its waiter leaves. So a waiter that was woken and waits again keeps its place.
#[derive(Default)]
pub(crate) struct Waiters {
    places: VecDeque<(u64, Place)>,
    /// The number that was given last.
    last: u64,
    /// How many waiters wait to be woken.
    waiting: usize,
    /// How many places were left by their waiters. Such places are removed when they are at an end of the list, or too
    /// many.
    left: usize,
}

enum Place {
    Waiting(Waker),
    /// The waiter was woken, and has not joined again.
    Woken,
    Left,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many waiters wait to be woken.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Joins behind all others; gives the number of the place, which is never 0.
    pub(crate) fn join(&mut self, waker: Waker) -> u64 {
        self.last += 1;
        self.waiting += 1;
        self.places.push_back((self.last, Place::Waiting(waker)));
        self.last
    }

    /// Joins again in the old place, with another waker perhaps. Gives the waker that was there; `None` if that was
    /// woken.
    pub(crate) fn join_again(&mut self, number: u64, waker: Waker) -> Option<Waker> {
        let place = self.place(number)?;
        match std::mem::replace(place, Place::Waiting(waker)) {
            Place::Waiting(old) => Some(old),
            Place::Woken | Place::Left => {
                self.waiting += 1;
                None
            }
        }
    }

    /// Gives the place up; gives its waker back, unless that was woken.
    pub(crate) fn leave(&mut self, number: u64) -> Option<Waker> {
        let place = self.place(number)?;
        let waker = match std::mem::replace(place, Place::Left) {
            Place::Waiting(waker) => Some(waker),
            Place::Woken => None,
            Place::Left => return None,
        };
        self.waiting -= usize::from(waker.is_some());
        self.left += 1;
        self.compact();
        waker
    }

    /// Takes the wakers of the first `count` waiters behind the place with this number. 0 is in front of all places.
    pub(crate) fn take(&mut self, behind: u64, count: usize) -> Vec<Waker> {
        let start = self.places.partition_point(|(number, _)| *number <= behind);
        let waiting = self.places.iter_mut().skip(start).filter(|(_, place)| matches!(place, Place::Waiting(_)));
        let taken = waiting.take(count).filter_map(|(_, place)| match std::mem::replace(place, Place::Woken) {
            Place::Waiting(waker) => Some(waker),
            Place::Woken | Place::Left => None,
        });
        let taken: Vec<Waker> = taken.collect();
        self.waiting -= taken.len();
        taken
    }

    fn place(&mut self, number: u64) -> Option<&mut Place> {
        let index = find(&self.places, |there| there.cmp(&number))?;
        self.places.get_mut(index).map(|(_, place)| place)
    }

    /// Removes places that were left, at the ends of the list, or all if they are more than half.
    fn compact(&mut self) {
        while let Some((_, Place::Left)) = self.places.back() {
            self.places.pop_back();
            self.left -= 1;
        }
        while let Some((_, Place::Left)) = self.places.front() {
            self.places.pop_front();
            self.left -= 1;
        }
        if self.left > self.places.len() / 2 {
            self.places.retain(|(_, place)| !matches!(place, Place::Left));
            self.left = 0;
        }
    }
}

/// The index of the place of a waiter, by a binary search: many may wait for one end.
fn find(places: &VecDeque<(u64, Place)>, mut compare: impl FnMut(u64) -> Ordering) -> Option<usize> {
    places.binary_search_by(|(number, _)| compare(*number)).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    use super::*;

    /// Notes its number when it is woken.
    struct Noting(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for Noting {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn waiters(count: u64) -> (Waiters, Arc<Mutex<Vec<u64>>>) {
        let (mut waiters, woken) = (Waiters::default(), Arc::default());
        for number in 1..=count {
            assert_eq!(waiters.join(Arc::new(Noting(number, Arc::clone(&woken))).into()), number);
        }
        (waiters, woken)
    }

    fn wake(waiters: &mut Waiters, behind: u64, count: usize) {
        waiters.take(behind, count).into_iter().for_each(Waker::wake);
    }

    #[test]
    fn waiters_are_woken_in_the_order_in_which_they_joined() {
        let (mut waiters, woken) = waiters(5);
        wake(&mut waiters, 0, 2);
        assert!(waiters.leave(4).is_some());
        assert_eq!(waiters.len(), 2);
        wake(&mut waiters, 3, 9);
        wake(&mut waiters, 0, 9);
        assert_eq!(*woken.lock().unwrap(), [1, 2, 5, 3]);
        assert_eq!(waiters.len(), 0);
    }

    #[test]
    fn a_waiter_that_was_woken_joins_again_in_its_old_place() {
        let (mut waiters, woken) = waiters(3);
        wake(&mut waiters, 0, 1);
        let again = || Waker::from(Arc::new(Noting(10, Arc::clone(&woken))));
        assert!(waiters.join_again(1, again()).is_none(), "it was woken");
        assert!(waiters.join_again(1, again()).is_some(), "it waits already");
        wake(&mut waiters, 0, 2);
        assert_eq!(*woken.lock().unwrap(), [1, 10, 2]);
        assert!(waiters.leave(1).is_none(), "it was woken");
        assert!(waiters.leave(1).is_none(), "it has left");
    }

    // Issue 15: each of 80,000 watchers of one end took 42 us to leave, and each of 5,000 a tenth of that.
    #[test]
    fn one_of_many_leaves_after_a_few_looks() {
        let (mut waiters, _) = waiters(100_000);
        let mut looks = 0;
        let found = find(&waiters.places, |there| {
            looks += 1;
            there.cmp(&70_000)
        });
        assert_eq!(found, Some(69_999));
        assert!(looks <= 18, "{looks} looks");
        assert!(waiters.leave(70_000).is_some());
    }

    #[test]
    fn places_that_were_left_take_no_memory_for_long() {
        let (mut waiters, _) = waiters(1_000);
        (2..=999).for_each(|number| assert!(waiters.leave(number).is_some()));
        assert_eq!((waiters.len(), waiters.places.len()), (2, 2));
        assert!(waiters.leave(1).is_some() && waiters.leave(1_000).is_some());
        assert!(waiters.places.is_empty());
    }
}
