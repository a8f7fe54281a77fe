//! Spare batches: the room of those that a thread has served, for those who make the next for it.
//!
//! Without them each batch that `send_all` fills would be allocated by one thread and freed by another, which allocators
//! do under one lock, and the system's blocks would come and go with it (measured: half of the time of a message).

use std::any::Any;
use std::collections::VecDeque;
use std::mem::take;
use std::sync::Mutex;

/// What the spare batches of one type may hold on to, while the thread is busy, and when it rests.
const BYTES: usize = 1024 * 1024;

const BYTES_AT_REST: usize = 64 * 1024;

const PLACES_AT_REST: usize = 64;

/// So many types have spare batches at a time.
const TYPES: usize = 4;

/// The spare batches of one thread. A hint: who would have to wait for another goes without.
#[derive(Default)]
pub(crate) struct Spares {
    shelves: Mutex<Vec<Box<dyn AnyShelf>>>,
}

/// The spare batches of one type.
struct Shelf<M> {
    empty: Vec<VecDeque<M>>,
    bytes: usize,
}

trait AnyShelf: Any + Send {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn shrink(&mut self);
}

impl<M: Send + 'static> AnyShelf for Shelf<M> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES_AT_REST && self.pop().is_some() {}
        self.empty.shrink_to(PLACES_AT_REST);
    }
}

impl<M> Shelf<M> {
    fn pop(&mut self) -> Option<VecDeque<M>> {
        let batch = self.empty.pop()?;
        self.bytes -= bytes(&batch);
        Some(batch)
    }

    fn push(&mut self, batch: &mut VecDeque<M>) {
        let bytes = bytes(batch);
        if self.bytes + bytes <= BYTES {
            self.bytes += bytes;
            self.empty.push(take(batch));
        }
    }
}

/// That of this type, if there is one.
fn shelf<M: Send + 'static>(shelves: &mut [Box<dyn AnyShelf>]) -> Option<&mut Shelf<M>> {
    shelves.iter_mut().find_map(|shelf| shelf.as_any_mut().downcast_mut())
}

fn bytes<M>(batch: &VecDeque<M>) -> usize {
    batch.capacity() * size_of::<M>()
}

impl Spares {
    /// An empty batch, with room for so many messages if there is one.
    pub(crate) fn take<M: Send + 'static>(&self, messages: usize) -> VecDeque<M> {
        let Ok(mut shelves) = self.shelves.try_lock() else { return VecDeque::new() };
        let spare = shelf::<M>(&mut shelves).and_then(Shelf::pop);
        drop(shelves);
        spare.filter(|spare| spare.capacity() >= messages).unwrap_or_default()
    }

    /// The messages, in a spare batch if they fit into one. Their own is left empty then.
    pub(crate) fn fill<M: Send + 'static>(&self, messages: &mut VecDeque<M>) -> VecDeque<M> {
        let mut batch = self.take(messages.len());
        if batch.capacity() == 0 {
            return take(messages);
        }
        batch.append(messages);
        batch
    }

    /// Keeps the room of a batch that was served.
    pub(crate) fn keep<M: Send + 'static>(&self, batch: &mut VecDeque<M>) {
        if !batch.is_empty() || !(1..=BYTES).contains(&bytes(batch)) {
            return;
        }
        let Ok(mut shelves) = self.shelves.try_lock() else { return };
        match shelf::<M>(&mut shelves) {
            Some(shelf) => shelf.push(batch),
            None => {
                let mut shelf = Shelf { empty: Vec::new(), bytes: 0 };
                shelf.push(batch);
                if shelves.len() == TYPES {
                    shelves.remove(0);
                }
                shelves.push(Box::new(shelf));
            }
        }
    }

    /// Gives all of it back: the thread has ended.
    pub(crate) fn clear(&self) {
        if let Ok(mut shelves) = self.shelves.try_lock() {
            shelves.clear();
        }
    }

    /// Gives the room of a crowd back, when that is gone.
    pub(crate) fn shrink(&self) {
        if let Ok(mut shelves) = self.shelves.try_lock() {
            shelves.iter_mut().for_each(|shelf| shelf.shrink());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep<M: Send + 'static>(spares: &Spares, room: usize) {
        spares.keep(&mut VecDeque::<M>::with_capacity(room));
    }

    /// How much is kept of a type; takes it all.
    fn kept<M: Send + 'static>(spares: &Spares) -> usize {
        std::iter::from_fn(|| Some(spares.take::<M>(1)).filter(|spare| spare.capacity() > 0))
            .map(|spare| bytes(&spare))
            .sum()
    }

    #[test]
    fn a_spare_goes_to_whom_it_fits() {
        let spares = Spares::default();
        keep::<u64>(&spares, 8);
        assert_eq!(spares.take::<u32>(1).capacity(), 0, "it is of another type");
        assert_eq!(spares.take::<u64>(8).capacity(), 8);
        assert_eq!(spares.take::<u64>(8).capacity(), 0, "it was taken");
        keep::<u64>(&spares, 8);
        assert_eq!(spares.take::<u64>(9).capacity(), 0, "it is too small");
        assert_eq!(kept::<u64>(&spares), 0, "and gone, so that larger ones come");
    }

    #[test]
    fn what_is_filled_holds_the_messages_in_order() {
        let spares = Spares::default();
        let mut first = VecDeque::from(vec![1, 2, 3]);
        assert_eq!(spares.fill(&mut first), [1, 2, 3]);
        assert_eq!(first.capacity(), 0, "there was no spare: they went in their own");
        keep::<i32>(&spares, 3);
        let mut second = VecDeque::from(vec![4, 5, 6]);
        let filled = spares.fill(&mut second);
        assert_eq!(filled, [4, 5, 6]);
        assert!(second.is_empty() && second.capacity() == 3, "its own is its sender's again");
    }

    #[test]
    fn no_more_is_kept_than_the_limits_say() {
        let spares = Spares::default();
        for _ in 0..200 {
            keep::<u8>(&spares, BYTES / 100);
        }
        assert!((BYTES / 100 * 99..=BYTES).contains(&kept::<u8>(&spares)));
        for _ in 0..200 {
            keep::<u8>(&spares, BYTES / 100);
        }
        spares.shrink();
        assert!((1..=BYTES_AT_REST).contains(&kept::<u8>(&spares)));
        keep::<u8>(&spares, BYTES + 1);
        assert_eq!(kept::<u8>(&spares), 0);
    }

    #[test]
    fn the_type_that_came_first_makes_room_for_another() {
        let spares = Spares::default();
        keep::<u8>(&spares, 8);
        keep::<u16>(&spares, 8);
        keep::<u32>(&spares, 8);
        keep::<u64>(&spares, 8);
        keep::<i64>(&spares, 8);
        assert_eq!(kept::<u8>(&spares), 0);
        let others = (kept::<u16>(&spares), kept::<u32>(&spares), kept::<u64>(&spares), kept::<i64>(&spares));
        assert_eq!(others, (16, 32, 64, 64));
        keep::<u8>(&spares, 8);
        spares.clear();
        assert_eq!(kept::<u8>(&spares), 0);
    }
}
