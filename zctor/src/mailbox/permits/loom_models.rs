//! No sender waits while there is room, and there are never more permits out than the bound.
//!
//! The models run the real `Permits`. "Caught" lists the mutations that a model was seen to fail under.

use std::sync::{Arc, atomic};

use loom::thread::spawn;

use super::*;
use crate::sys::park::Parker;
use crate::sys::sync::AtomicU8;

/// A sender that waits as `park::wait_outside` and `backpressure::PermitWait` do together.
struct Caller {
    parker: Arc<Parker>,
    waker: Waker,
}

impl Caller {
    fn new() -> Self {
        let parker = Arc::new(Parker::default());
        parker.adopt_current_thread();
        Self { waker: Waker::from(Arc::clone(&parker)), parker }
    }

    /// Waits for a wake after each try, until `done`.
    fn wait(&self, permits: &Permits, done: impl Fn() -> bool) {
        let mut ticket = Ticket::default();
        self.wait_with(permits, &mut ticket, done);
        permits.leave(&ticket);
    }

    /// As `wait`, with a ticket that may have a place already.
    fn wait_with(&self, permits: &Permits, ticket: &mut Ticket, done: impl Fn() -> bool) {
        loop {
            self.parker.announce();
            if done() {
                break;
            }
            permits.join(ticket, &self.waker);
            if done() {
                break;
            }
            permits.decline(ticket);
            self.parker.park(None);
        }
    }
}

/// Holds a permit for a while, in which other threads may see that it is out.
fn hold(permits: &Permits, out: &atomic::AtomicUsize) {
    // The count is not loom's: it only counts, and a model runs one thread at a time.
    assert_eq!(out.fetch_add(1, Ordering::Relaxed), 0, "two permits where one is the bound");
    out.fetch_sub(1, Ordering::Relaxed);
    permits.give_back(1);
}

/// Caught, by a deadlock: either fence missing; `join` that does not count itself; `give_back` that looks at the
/// waiters before it gives back. Caught by the permits that are out at the end: `take` that stores instead of
/// comparing.
#[test]
fn a_waiter_is_woken_when_there_is_room() {
    loom::model(|| {
        let (permits, out) = (Arc::new(Permits::new(1, Overflow::Wait)), Arc::<atomic::AtomicUsize>::default());
        assert!(permits.take());
        let others = [0, 1].map(|_| {
            let (permits, out) = (Arc::clone(&permits), Arc::clone(&out));
            spawn(move || {
                Caller::new().wait(&permits, || permits.take());
                hold(&permits, &out);
            })
        });
        permits.give_back(1);
        for other in others {
            other.join().unwrap();
        }
        assert!(permits.has_free());
    });
}

/// One of two waiters gives up, perhaps just when it is woken.
///
/// Caught, by a deadlock: `leave` that passes no wake on.
#[test]
fn a_woken_sender_that_leaves_wakes_the_next() {
    loom::model(|| {
        let permits = Arc::new(Permits::new(1, Overflow::Wait));
        assert!(permits.take());
        let gives_up = {
            let permits = Arc::clone(&permits);
            spawn(move || {
                let mut ticket = Ticket::default();
                permits.join(&mut ticket, Waker::noop());
                permits.leave(&ticket);
            })
        };
        let waits = {
            let permits = Arc::clone(&permits);
            spawn(move || Caller::new().wait(&permits, || permits.take()))
        };
        permits.give_back(1);
        gives_up.join().unwrap();
        waits.join().unwrap();
        assert!(!permits.has_free());
    });
}

/// One of two waiters, the first perhaps, has no use for the room: its instance backs off, say.
///
/// Caught, by a deadlock: `decline` that passes no wake on; `join` that does not note that its sender was woken.
#[test]
fn a_sender_that_cannot_use_the_room_passes_the_wake_on() {
    loom::model(|| {
        let (permits, ready) = (Arc::new(Permits::new(1, Overflow::Wait)), Arc::new(AtomicU8::new(0)));
        assert!(permits.take());
        let declines = {
            let (permits, ready) = (Arc::clone(&permits), Arc::clone(&ready));
            spawn(move || Caller::new().wait(&permits, || ready.load(Ordering::Acquire) == 1))
        };
        let waits = {
            let permits = Arc::clone(&permits);
            spawn(move || Caller::new().wait(&permits, || permits.take()))
        };
        permits.give_back(1);
        waits.join().unwrap();
        ready.store(1, Ordering::Release);
        permits.wake_all();
        declines.join().unwrap();
        assert!(!permits.has_free());
    });
}

/// One of two waiters waits at another mailbox too, and gets in there just when it is woken here.
///
/// Caught, by a deadlock: `leave` that only looks whether its own waker is there, as it is again after `join`.
#[test]
fn a_sender_that_gets_in_elsewhere_passes_the_wake_on() {
    loom::model(|| {
        let both = Arc::new([Permits::new(1, Overflow::Wait), Permits::new(1, Overflow::Wait)]);
        assert!(both[0].take() && both[1].take());
        let either = {
            let both = Arc::clone(&both);
            spawn(move || {
                let caller = Caller::new();
                let mut tickets = [Ticket::default(), Ticket::default()];
                let gets_in = || both[1].take();
                loop {
                    caller.parker.announce();
                    if gets_in() {
                        break;
                    }
                    both.iter().zip(&mut tickets).for_each(|(permits, ticket)| permits.join(ticket, &caller.waker));
                    if gets_in() {
                        break;
                    }
                    both.iter().zip(&mut tickets).for_each(|(permits, ticket)| permits.decline(ticket));
                    caller.parker.park(None);
                }
                both.iter().zip(&tickets).for_each(|(permits, ticket)| permits.leave(ticket));
            })
        };
        let waits = {
            let both = Arc::clone(&both);
            spawn(move || Caller::new().wait(&both[0], || both[0].take()))
        };
        both[0].give_back(1);
        both[1].give_back(1);
        either.join().unwrap();
        waits.join().unwrap();
    });
}

/// A task of which nobody but its executor knows moves from one thread to another: it is polled with another waker, perhaps
/// just when the first is woken. A thread waits behind it.
///
/// Caught, by a deadlock: `Waiters::join_again` that leaves the old waker in place.
#[test]
fn a_task_that_is_polled_with_another_waker_is_woken_by_that() {
    loom::model(|| {
        let permits = Arc::new(Permits::new(1, Overflow::Wait));
        assert!(permits.take());
        let task = {
            let permits = Arc::clone(&permits);
            spawn(move || {
                // Its first poll, on a thread that is gone since.
                let mut ticket = Ticket::default();
                let elsewhere = Caller::new();
                permits.join(&mut ticket, &elsewhere.waker);
                let is_in = permits.take();
                if !is_in {
                    permits.decline(&mut ticket);
                    Caller::new().wait_with(&permits, &mut ticket, || permits.take());
                }
                permits.leave(&ticket);
                permits.give_back(1);
            })
        };
        let waits = {
            let permits = Arc::clone(&permits);
            spawn(move || {
                Caller::new().wait(&permits, || permits.take());
                permits.give_back(1);
            })
        };
        permits.give_back(1);
        task.join().unwrap();
        waits.join().unwrap();
        assert!(permits.has_free());
    });
}

/// The drop of a task that was polled, woken perhaps, and polled again in vain.
///
/// Caught, by a deadlock: `leave` that passes no wake on; `join` that does not note that its sender was woken.
#[test]
fn a_task_that_is_dropped_after_some_polls_wakes_the_next() {
    loom::model(|| {
        let permits = Arc::new(Permits::new(1, Overflow::Wait));
        assert!(permits.take());
        let dropped = {
            let permits = Arc::clone(&permits);
            spawn(move || {
                let (mut ticket, caller) = (Ticket::default(), Caller::new());
                for _ in 0..2 {
                    permits.join(&mut ticket, &caller.waker);
                }
                permits.leave(&ticket);
            })
        };
        let waits = {
            let permits = Arc::clone(&permits);
            spawn(move || Caller::new().wait(&permits, || permits.take()))
        };
        permits.give_back(1);
        dropped.join().unwrap();
        waits.join().unwrap();
        assert!(!permits.has_free());
    });
}

/// Step 6: a waiter looks at what has changed, here a word that stands for the closed edge.
///
/// Caught, by a deadlock: `wake_all` that looks at the count of waiters without the lock or a fence.
#[test]
fn a_waiter_is_woken_when_something_else_changes() {
    loom::model(|| {
        let (permits, closed) = (Arc::new(Permits::new(1, Overflow::Wait)), Arc::new(AtomicU8::new(0)));
        assert!(permits.take());
        let waits = {
            let (permits, closed) = (Arc::clone(&permits), Arc::clone(&closed));
            spawn(move || Caller::new().wait(&permits, || closed.load(Ordering::Acquire) == 1))
        };
        closed.store(1, Ordering::Release);
        permits.wake_all();
        waits.join().unwrap();
    });
}
