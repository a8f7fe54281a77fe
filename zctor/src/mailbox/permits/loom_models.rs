//! Nobody waits in line while there is room, and never are more permits out than the bound: the real `Room`. "Caught" lists
//! the mutations that a model was seen to fail under.

use std::sync::{Arc, atomic};

use loom::thread::spawn;

use super::*;
use crate::sys::park::Parker;
use crate::sys::sync::AtomicU8;

/// One who waits, as `park::wait_outside` and `route::Turnstile` do together.
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

    /// Stands in line until `done`.
    fn wait(&self, room: &Room, done: impl Fn() -> bool) {
        let mut ticket = Ticket::default();
        loop {
            self.parker.announce();
            if done() {
                break;
            }
            room.join(&mut ticket, &self.waker);
            if done() {
                break;
            }
            room.decline(&mut ticket);
            self.parker.park(None);
        }
        room.leave(&ticket);
    }
}

/// A permit is held for a while, seen by the others.
fn hold(room: &Room, out: &atomic::AtomicUsize) {
    // Not loom's: it counts only, and the model is at one place at a time.
    assert_eq!(out.fetch_add(1, Ordering::Relaxed), 0, "two permits where one is the bound");
    out.fetch_sub(1, Ordering::Relaxed);
    room.give_back(1);
}

/// Caught, by a deadlock: either fence missing; `join` that does not count itself; `give_back` that looks at the line before
/// it gives back. By the permits that are out at the end: `take` that stores instead of comparing.
#[test]
fn who_waits_is_called_when_there_is_room() {
    loom::model(|| {
        let (room, out) = (Arc::new(Room::new(1, Overflow::Wait)), Arc::<atomic::AtomicUsize>::default());
        assert!(room.take());
        let others = [0, 1].map(|_| {
            let (room, out) = (Arc::clone(&room), Arc::clone(&out));
            spawn(move || {
                Caller::new().wait(&room, || room.take());
                hold(&room, &out);
            })
        });
        room.give_back(1);
        for other in others {
            other.join().unwrap();
        }
        assert!(room.has_free());
    });
}

/// One of two in line gives up, perhaps just when it is called.
///
/// Caught, by a deadlock: `leave` that passes no call on.
#[test]
fn who_leaves_when_called_calls_the_next() {
    loom::model(|| {
        let room = Arc::new(Room::new(1, Overflow::Wait));
        assert!(room.take());
        let gives_up = {
            let room = Arc::clone(&room);
            spawn(move || {
                let mut ticket = Ticket::default();
                room.join(&mut ticket, Waker::noop());
                room.leave(&ticket);
            })
        };
        let waits = {
            let room = Arc::clone(&room);
            spawn(move || Caller::new().wait(&room, || room.take()))
        };
        room.give_back(1);
        gives_up.join().unwrap();
        waits.join().unwrap();
        assert!(!room.has_free());
    });
}

/// One of two in line, the first perhaps, has no use for the room: its instance backs off, say.
///
/// Caught, by a deadlock: `decline` that passes no call on; `join` that does not note that its sender was called.
#[test]
fn a_sender_that_cannot_use_the_room_passes_the_call_on() {
    loom::model(|| {
        let (room, ready) = (Arc::new(Room::new(1, Overflow::Wait)), Arc::new(AtomicU8::new(0)));
        assert!(room.take());
        let declines = {
            let (room, ready) = (Arc::clone(&room), Arc::clone(&ready));
            spawn(move || Caller::new().wait(&room, || ready.load(Ordering::Acquire) == 1))
        };
        let waits = {
            let room = Arc::clone(&room);
            spawn(move || Caller::new().wait(&room, || room.take()))
        };
        room.give_back(1);
        waits.join().unwrap();
        ready.store(1, Ordering::Release);
        room.call_all();
        declines.join().unwrap();
        assert!(!room.has_free());
    });
}

/// One of two in line waits in another line too, and gets in there just when it is called here.
///
/// Caught, by a deadlock: `leave` that looks at its own waker alone, which is there again after `join`.
#[test]
fn a_sender_that_gets_in_elsewhere_passes_the_call_on() {
    loom::model(|| {
        let rooms = Arc::new([Room::new(1, Overflow::Wait), Room::new(1, Overflow::Wait)]);
        assert!(rooms[0].take() && rooms[1].take());
        let either = {
            let rooms = Arc::clone(&rooms);
            spawn(move || {
                let caller = Caller::new();
                let mut tickets = [Ticket::default(), Ticket::default()];
                let gets_in = || rooms[1].take();
                loop {
                    caller.parker.announce();
                    if gets_in() {
                        break;
                    }
                    rooms.iter().zip(&mut tickets).for_each(|(room, ticket)| room.join(ticket, &caller.waker));
                    if gets_in() {
                        break;
                    }
                    rooms.iter().zip(&mut tickets).for_each(|(room, ticket)| room.decline(ticket));
                    caller.parker.park(None);
                }
                rooms.iter().zip(&tickets).for_each(|(room, ticket)| room.leave(ticket));
            })
        };
        let waits = {
            let rooms = Arc::clone(&rooms);
            spawn(move || Caller::new().wait(&rooms[0], || rooms[0].take()))
        };
        rooms[0].give_back(1);
        rooms[1].give_back(1);
        either.join().unwrap();
        waits.join().unwrap();
    });
}

/// Step 6: who waits looks at what has changed, here a word that stands for the closed edge.
///
/// Caught, by a deadlock: `call_all` that looks at the count of those in line without the lock or a fence.
#[test]
fn who_waits_is_called_when_something_else_changes() {
    loom::model(|| {
        let (room, closed) = (Arc::new(Room::new(1, Overflow::Wait)), Arc::new(AtomicU8::new(0)));
        assert!(room.take());
        let waits = {
            let (room, closed) = (Arc::clone(&room), Arc::clone(&closed));
            spawn(move || Caller::new().wait(&room, || closed.load(Ordering::Acquire) == 1))
        };
        closed.store(1, Ordering::Release);
        room.call_all();
        waits.join().unwrap();
    });
}
