//! The buffers of batches that a thread has served, kept for the senders that make its next batches.
//!
//! Without them each batch that `send_all` fills would be allocated by one thread and freed by another. Allocators do
//! that under one lock, and the system's blocks would come and go with it (measured: half of the time of a message).

use std::any::Any;
use std::collections::VecDeque;
use std::mem::take;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many bytes the buffers of one type may hold while the thread is busy.
const BYTES: usize = 1024 * 1024;

/// How many bytes the buffers of one type may hold when the thread rests.
const BYTES_AT_REST: usize = 64 * 1024;

/// For how many buffers the list of one type keeps memory when the thread rests.
const PLACES_AT_REST: usize = 64;

/// For how many types buffers are kept at a time: four of messages, and the mail of bundles.
const TYPES: usize = 5;

/// The empty buffers of one thread. They are a hint: a thread that would have to wait for the lock goes without.
#[derive(Default)]
pub(crate) struct Buffers {
    types: Mutex<Vec<Box<dyn AnyByType>>>,
    /// Whether a buffer was kept since the thread last freed memory. The thread alone writes it.
    has_kept: AtomicBool,
}

/// The empty buffers of one type.
struct ByType<M> {
    empty: Vec<VecDeque<M>>,
    /// How many bytes they hold.
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

/// The buffers of this type, if any are kept.
fn by_type<M: Send + 'static>(types: &mut [Box<dyn AnyByType>]) -> Option<&mut ByType<M>> {
    types.iter_mut().find_map(|by_type| by_type.as_any_mut().downcast_mut())
}

fn bytes<M>(batch: &VecDeque<M>) -> usize {
    batch.capacity() * size_of::<M>()
}

impl Buffers {
    /// An empty buffer: one that is kept and can hold so many messages, or a new one without memory.
    pub(crate) fn take<M: Send + 'static>(&self, messages: usize) -> VecDeque<M> {
        let Ok(mut types) = self.types.try_lock() else { return VecDeque::new() };
        let kept = by_type::<M>(&mut types).and_then(ByType::pop);
        drop(types);
        kept.filter(|kept| kept.capacity() >= messages).unwrap_or_default()
    }

    /// Gives the messages, in a kept buffer if they fit into one. `messages` is left empty, with its memory in that
    /// case.
    pub(crate) fn fill<M: Send + 'static>(&self, messages: &mut VecDeque<M>) -> VecDeque<M> {
        let mut batch = self.take(messages.len());
        if batch.capacity() == 0 {
            return take(messages);
        }
        batch.append(messages);
        batch
    }

    /// Keeps the buffer of a batch that was served.
    pub(crate) fn keep<M: Send + 'static>(&self, batch: &mut VecDeque<M>) {
        if !batch.is_empty() || !(1..=BYTES).contains(&bytes(batch)) {
            return;
        }
        let Ok(mut types) = self.types.try_lock() else { return };
        self.has_kept.store(true, Ordering::Relaxed);
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

    /// Frees all buffers: the thread has ended.
    pub(crate) fn clear(&self) {
        if let Ok(mut types) = self.types.try_lock() {
            types.clear();
        }
    }

    /// Frees the memory that is too much for a thread at rest.
    #[inline]
    pub(crate) fn shrink(&self) {
        if self.has_kept.load(Ordering::Relaxed) {
            self.shrink_kept();
        }
    }

    fn shrink_kept(&self) {
        if let Ok(mut types) = self.types.try_lock() {
            self.has_kept.store(false, Ordering::Relaxed);
            types.iter_mut().for_each(|by_type| by_type.shrink());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::mail::Mail;

    fn keep<M: Send + 'static>(buffers: &Buffers, capacity: usize) {
        buffers.keep(&mut VecDeque::<M>::with_capacity(capacity));
    }

    /// How many bytes are kept for a type. Takes all of its buffers.
    fn kept<M: Send + 'static>(buffers: &Buffers) -> usize {
        std::iter::from_fn(|| Some(buffers.take::<M>(1)).filter(|kept| kept.capacity() > 0))
            .map(|kept| bytes(&kept))
            .sum()
    }

    #[test]
    fn a_buffer_goes_to_a_sender_that_it_fits() {
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
    fn a_buffer_is_filled_with_the_messages_in_order() {
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
    fn the_type_that_came_first_makes_way_for_another() {
        let buffers = Buffers::default();
        keep::<u8>(&buffers, 8);
        keep::<u16>(&buffers, 8);
        keep::<u32>(&buffers, 8);
        keep::<u64>(&buffers, 8);
        keep::<Mail>(&buffers, 8);
        keep::<i64>(&buffers, 8);
        assert_eq!(kept::<u8>(&buffers), 0);
        let others = (kept::<u16>(&buffers), kept::<u32>(&buffers), kept::<u64>(&buffers), kept::<i64>(&buffers));
        assert_eq!(others, (16, 32, 64, 64), "four types of messages beside bundles");
        assert_eq!(kept::<Mail>(&buffers), 8 * size_of::<Mail>());
        keep::<u8>(&buffers, 8);
        buffers.clear();
        assert_eq!(kept::<u8>(&buffers), 0);
    }
}
