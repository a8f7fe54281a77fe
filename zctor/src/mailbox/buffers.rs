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
pub(crate) struct Buffers {
    types: Mutex<Vec<Box<dyn AnyByType>>>,
}

/// The spare batches of one type.
struct ByType<M> {
    empty: Vec<VecDeque<M>>,
    bytes: usize,
}

trait AnyByType: Any + Send {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn shrink(&mut self);
}

impl<M: Send + 'static> AnyByType for ByType<M> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES_AT_REST && self.pop().is_some() {}
        self.empty.shrink_to(PLACES_AT_REST);
    }
}

impl<M> ByType<M> {
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
fn by_type<M: Send + 'static>(types: &mut [Box<dyn AnyByType>]) -> Option<&mut ByType<M>> {
    types.iter_mut().find_map(|by_type| by_type.as_any_mut().downcast_mut())
}

fn bytes<M>(batch: &VecDeque<M>) -> usize {
    batch.capacity() * size_of::<M>()
}

impl Buffers {
    /// An empty batch, with room for so many messages if there is one.
    pub(crate) fn take<M: Send + 'static>(&self, messages: usize) -> VecDeque<M> {
        let Ok(mut types) = self.types.try_lock() else { return VecDeque::new() };
        let spare = by_type::<M>(&mut types).and_then(ByType::pop);
        drop(types);
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
        let Ok(mut types) = self.types.try_lock() else { return };
        match by_type::<M>(&mut types) {
            Some(by_type) => by_type.push(batch),
            None => {
                let mut by_type = ByType { empty: Vec::new(), bytes: 0 };
                by_type.push(batch);
                if types.len() == TYPES {
                    types.remove(0);
                }
                types.push(Box::new(by_type));
            }
        }
    }

    /// Gives all of it back: the thread has ended.
    pub(crate) fn clear(&self) {
        if let Ok(mut types) = self.types.try_lock() {
            types.clear();
        }
    }

    /// Gives the room of a crowd back, when that is gone.
    pub(crate) fn shrink(&self) {
        if let Ok(mut types) = self.types.try_lock() {
            types.iter_mut().for_each(|by_type| by_type.shrink());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep<M: Send + 'static>(buffers: &Buffers, room: usize) {
        buffers.keep(&mut VecDeque::<M>::with_capacity(room));
    }

    /// How much is kept of a type; takes it all.
    fn kept<M: Send + 'static>(buffers: &Buffers) -> usize {
        std::iter::from_fn(|| Some(buffers.take::<M>(1)).filter(|spare| spare.capacity() > 0))
            .map(|spare| bytes(&spare))
            .sum()
    }

    #[test]
    fn a_spare_goes_to_whom_it_fits() {
        let buffers = Buffers::default();
        keep::<u64>(&buffers, 8);
        assert_eq!(buffers.take::<u32>(1).capacity(), 0, "it is of another type");
        assert_eq!(buffers.take::<u64>(8).capacity(), 8);
        assert_eq!(buffers.take::<u64>(8).capacity(), 0, "it was taken");
        keep::<u64>(&buffers, 8);
        assert_eq!(buffers.take::<u64>(9).capacity(), 0, "it is too small");
        assert_eq!(kept::<u64>(&buffers), 0, "and gone, so that larger ones come");
    }

    #[test]
    fn what_is_filled_holds_the_messages_in_order() {
        let buffers = Buffers::default();
        let mut first = VecDeque::from(vec![1, 2, 3]);
        assert_eq!(buffers.fill(&mut first), [1, 2, 3]);
        assert_eq!(first.capacity(), 0, "there was no spare: they went in their own");
        keep::<i32>(&buffers, 3);
        let mut second = VecDeque::from(vec![4, 5, 6]);
        let filled = buffers.fill(&mut second);
        assert_eq!(filled, [4, 5, 6]);
        assert!(second.is_empty() && second.capacity() == 3, "its own is its sender's again");
    }

    #[test]
    fn no_more_is_kept_than_the_limits_say() {
        let buffers = Buffers::default();
        for _ in 0..200 {
            keep::<u8>(&buffers, BYTES / 100);
        }
        assert!((BYTES / 100 * 99..=BYTES).contains(&kept::<u8>(&buffers)));
        for _ in 0..200 {
            keep::<u8>(&buffers, BYTES / 100);
        }
        buffers.shrink();
        assert!((1..=BYTES_AT_REST).contains(&kept::<u8>(&buffers)));
        keep::<u8>(&buffers, BYTES + 1);
        assert_eq!(kept::<u8>(&buffers), 0);
    }

    #[test]
    fn the_type_that_came_first_makes_room_for_another() {
        let buffers = Buffers::default();
        keep::<u8>(&buffers, 8);
        keep::<u16>(&buffers, 8);
        keep::<u32>(&buffers, 8);
        keep::<u64>(&buffers, 8);
        keep::<i64>(&buffers, 8);
        assert_eq!(kept::<u8>(&buffers), 0);
        let others = (kept::<u16>(&buffers), kept::<u32>(&buffers), kept::<u64>(&buffers), kept::<i64>(&buffers));
        assert_eq!(others, (16, 32, 64, 64));
        keep::<u8>(&buffers, 8);
        buffers.clear();
        assert_eq!(kept::<u8>(&buffers), 0);
    }
}
