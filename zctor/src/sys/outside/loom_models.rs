//! No reply is missed by a thread outside.
//!
//! The models run the real `Outside::wait` and the real `Parker`. "Caught" lists the mutations that a model was seen to
//! fail under, each with a deadlock. Those of `wake` are told at `mail_of_two_wakers_is_not_missed` (`sys/park/`).

use std::sync::atomic::Ordering;

use loom::thread::spawn;

use super::*;
use crate::sys::sync::{AtomicU8, Mutex, lock};

/// A reply with as little ordering as possible: one atomic, and a waker behind it.
#[derive(Default)]
struct Reply {
    state: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

impl Reply {
    const AWAITED: u8 = 1;
    const SENT: u8 = 2;

    fn send(&self) {
        if self.state.swap(Self::SENT, Ordering::AcqRel) == Self::AWAITED {
            let waker = lock(&self.waker).take();
            waker.expect("it was put there before").wake();
        }
    }

    fn sender(self: &Arc<Self>) -> loom::thread::JoinHandle<()> {
        let reply = Arc::clone(self);
        spawn(move || reply.send())
    }
}

impl Awaited for Arc<Reply> {
    type Output = ();

    fn is_ready(&self) -> bool {
        self.state.load(Ordering::Relaxed) == Reply::SENT
    }

    fn poll(&mut self, waker: &Waker) -> Option<()> {
        let reply = &**self;
        if reply.state.compare_exchange(Reply::AWAITED, 0, Ordering::AcqRel, Ordering::Acquire) == Err(Reply::SENT) {
            return Some(());
        }
        *lock(&reply.waker) = Some(waker.clone());
        match reply.state.compare_exchange(0, Reply::AWAITED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => None,
            Err(_) => Some(()),
        }
    }
}

pub(crate) fn outside(spins: u32) -> Outside {
    Outside { budgets: Budgets::of(spins), ..Outside::new() }
}

/// Caught: `Outside::wait` that announces after its last look; the three mutations of `wake`.
#[test]
fn a_reply_is_not_missed() {
    for spins in [0, 1] {
        loom::model(move || {
            let mut reply = Arc::<Reply>::default();
            let sender = reply.sender();
            outside(spins).wait(&mut reply, None, |_, _| ()).unwrap();
            sender.join().unwrap();
        });
    }
}

/// Caught: `Outside::wait` that announces after its last look; `wake` that does not unpark, or stores.
#[test]
fn a_reply_is_not_missed_over_the_late_wake_of_another() {
    loom::model(|| {
        let (mut first, mut second) = (Arc::<Reply>::default(), Arc::<Reply>::default());
        let senders = [first.sender(), second.sender()];
        let outside = outside(0);
        // This wait is given up at once, and leaves its waker behind.
        outside.wait(&mut first, Some(now()), |_, _| ());
        outside.wait(&mut second, None, |_, _| ()).unwrap();
        for sender in senders {
            sender.join().unwrap();
        }
    });
}
