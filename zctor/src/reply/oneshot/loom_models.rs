//! No reply is missed by a receiver that waits for it, and its value is dropped once.
//!
//! The models run the real sender and receiver, with the real `Parker`. "Caught" lists the mutations that a model was
//! seen to fail under.

use std::sync::atomic;

use loom::thread::spawn;

use super::*;
use crate::sys::park::Parker;

/// Waits as `outside::wait_outside_noted` does.
fn wait<T>(receiver: &mut Receiver<T>) -> Result<T, Gone> {
    let parker = Arc::new(Parker::default());
    parker.adopt_current_thread();
    loop {
        parker.announce();
        if let Some(outcome) = receiver.poll_listed(&parker, Waker::noop()) {
            return outcome;
        }
        parker.park(None);
    }
}

struct Counted(Arc<atomic::AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed); // not loom's: read when all threads are joined
    }
}

/// Caught, by a deadlock: `put` that takes the waiter before it puts the value in, in two critical sections; `poll` that
/// looks before it leaves its waiter, in two.
#[test]
fn a_reply_is_not_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel(Cancellation::none());
        let replies = spawn(move || assert!(sender.send(7).is_ok()));
        assert_eq!(wait(&mut receiver), Ok(7));
        replies.join().unwrap();
    });
}

/// Caught, by a deadlock: a `Sender` whose drop puts nothing.
#[test]
fn the_drop_of_a_sender_is_not_missed() {
    loom::model(|| {
        let (sender, mut receiver) = channel::<u8>(Cancellation::none());
        let gives_up = spawn(move || drop(sender));
        assert_eq!(wait(&mut receiver), Err(Gone));
        gives_up.join().unwrap();
    });
}

/// A receiver that has waited is dropped just when the reply comes. In the crate that this replaces, that frees the
/// channel under the sender. No mutation of safe code brings that back; the model checks that the value is dropped
/// once.
#[test]
fn a_reply_to_a_receiver_that_leaves_is_dropped_once() {
    loom::model(|| {
        let drops = Arc::<atomic::AtomicUsize>::default();
        let (sender, mut receiver) = channel(Cancellation::none());
        let reply = Counted(Arc::clone(&drops));
        let replies = spawn(move || drop(sender.send(reply)));
        let waker = Waker::from(Arc::new(Parker::default()));
        let came = receiver.poll(&waker);
        drop(receiver);
        replies.join().unwrap();
        drop(came);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}
