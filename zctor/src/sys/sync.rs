//! The atomics, locks, parking and queue that the runtime keeps its promises with: std's and flume's, or loom's.
//!
//! Under `--cfg loom` they are those of loom, which runs the models (`loom_models.rs` beside the code that they model)
//! through every order of events and every value that the memory orderings allow. No other file tells the two apart.
//! Atomics that only count (dead letters, numbers of threads that push, awake threads) are std's in both.

pub(crate) use picked::*;

#[cfg(not(loom))]
mod picked {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::yield_now;
    pub(crate) use std::thread_local;

    pub(crate) use crate::sys::lock::lock;
    pub(crate) use crate::sys::simulated::{Thread, current, park, park_timeout};
    pub(crate) use flume as queue;
}

#[cfg(loom)]
mod picked {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, fence};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::{Thread, current, park, yield_now};
    pub(crate) use loom::thread_local;

    /// As `lock::lock`, for loom's mutex.
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A model has no time: the wait may end whenever other threads have run.
    pub(crate) fn park_timeout(_: std::time::Duration) {
        yield_now();
    }

    /// The part of flume that the mailbox uses, on a lock that loom knows. Each operation is one critical section, as
    /// in flume.
    pub(crate) mod queue {
        use std::collections::VecDeque;
        use std::marker::PhantomData;
        use std::sync::Arc;

        use super::{Mutex, MutexGuard, lock};

        pub(crate) struct Sender<T>(Arc<Mutex<VecDeque<T>>>);
        pub(crate) struct Receiver<T>(Arc<Mutex<VecDeque<T>>>);

        pub(crate) struct Drain<'a, T>(VecDeque<T>, PhantomData<&'a ()>);

        impl<T> Iterator for Drain<'_, T> {
            type Item = T;

            fn next(&mut self) -> Option<T> {
                self.0.pop_front()
            }
        }

        impl<T> ExactSizeIterator for Drain<'_, T> {
            fn len(&self) -> usize {
                self.0.len()
            }
        }

        pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
            let queue = Arc::new(Mutex::new(VecDeque::new()));
            (Sender(Arc::clone(&queue)), Receiver(queue))
        }

        impl<T> Sender<T> {
            pub(crate) fn send(&self, item: T) -> Result<(), T> {
                lock(&self.0).push_back(item);
                Ok(())
            }
        }

        impl<T> Receiver<T> {
            fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
                lock(&self.0)
            }

            pub(crate) fn try_recv(&self) -> Result<T, ()> {
                self.items().pop_front().ok_or(())
            }

            pub(crate) fn drain(&self) -> Drain<'_, T> {
                Drain(std::mem::take(&mut *self.items()), PhantomData)
            }

            pub(crate) fn is_empty(&self) -> bool {
                self.items().is_empty()
            }

            pub(crate) fn len(&self) -> usize {
                self.items().len()
            }
        }
    }
}
