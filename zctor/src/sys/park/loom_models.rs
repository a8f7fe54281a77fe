//! No wake-up is missed, and a closed word stays closed.
//!
//! The models run the real `Parker`. "Caught" lists the mutations that a model was seen to
//! fail under, each with a deadlock where nothing else is said. Orderings on the word are not among them: `Relaxed`
//! passes throughout, since a lock, the state of the reply or a fence orders what a thread waits for.

use loom::thread::spawn;

use super::*;
use crate::sys::sync::{Mutex, lock, queue};

fn adopted() -> Arc<Parker> {
    let parker = Arc::new(Parker::default());
    parker.adopt_current_thread();
    parker
}

/// Pushes, then wakes, as `MailQueue::push` does.
fn giver(parker: &Arc<Parker>, mail: &Arc<queue::Sender<u8>>, envelope: u8) -> loom::thread::JoinHandle<bool> {
    let (parker, mail) = (Arc::clone(parker), Arc::clone(mail));
    spawn(move || {
        mail.send(envelope).unwrap();
        Parker::wake(&parker)
    })
}

/// Rests until there is mail, as `rest` in thread/run.rs does.
fn receive(parker: &Parker, mail: &queue::Receiver<u8>, spins: u32, mut deadline: Option<Instant>) -> u8 {
    loop {
        parker.announce();
        if let Ok(envelope) = mail.try_recv() {
            parker.retract();
            return envelope;
        }
        if matches!(parker.spin(&Budgets::of(spins), Spin::Adapt), Spun::Came) {
            parker.retract();
        } else {
            parker.park(deadline.take());
        }
    }
}

/// Caught: `wake` that leaves `WATCHING` alone, that does not unpark, that stores `RUNNING` without a swap; `retract`
/// that stores.
#[test]
fn mail_of_two_wakers_is_not_missed() {
    loom::model(|| {
        let parker = adopted();
        let (sender, receiver) = queue::unbounded();
        let sender = Arc::new(sender);
        let givers = [giver(&parker, &sender, 1), giver(&parker, &sender, 2)];
        let sum = receive(&parker, &receiver, 0, None) + receive(&parker, &receiver, 0, None);
        assert_eq!(sum, 3);
        for giver in givers {
            assert!(giver.join().unwrap(), "nobody has closed");
        }
    });
}

/// Caught: `wake` that leaves `WATCHING` alone.
#[test]
fn mail_is_not_missed_while_spinning() {
    loom::model(|| {
        let parker = adopted();
        let (sender, receiver) = queue::unbounded();
        let giver = giver(&parker, &Arc::new(sender), 1);
        assert_eq!(receive(&parker, &receiver, 2, None), 1);
        giver.join().unwrap();
    });
}

/// Caught: the three mutations of `wake` above.
#[test]
fn mail_that_comes_at_the_deadline_is_not_missed() {
    loom::model(|| {
        let parker = adopted();
        let (sender, receiver) = queue::unbounded();
        let giver = giver(&parker, &Arc::new(sender), 1);
        // The first time the deadline is up at once; then there is none.
        assert_eq!(receive(&parker, &receiver, 0, Some(now())), 1);
        giver.join().unwrap();
    });
}

/// The hook of a thread that stands by is called once, however many givers there are. The thread does what `go` and
/// `come_back` in thread/borrowed.rs do.
///
/// Caught: `wake` that leaves `STANDBY` alone, that does not notify, that stores; `stand_by` that stores.
#[test]
fn a_thread_that_stands_by_is_told_of_mail() {
    loom::model(|| {
        let parker = adopted();
        let told = Arc::new((Mutex::new(0), crate::sys::sync::Condvar::new()));
        let notify = Arc::clone(&told);
        let notify = move || {
            *lock(&notify.0) += 1;
            notify.1.notify_all();
        };
        drop(parker.notify_by(Some(Arc::new(UserClosure::new(Box::new(notify))))));
        let (sender, receiver) = queue::unbounded();
        let sender = Arc::new(sender);
        let givers = [giver(&parker, &sender, 1), giver(&parker, &sender, 2)];
        let mut sum = 0;
        while sum < 3 {
            parker.announce();
            if let Ok(envelope) = receiver.try_recv() {
                parker.retract();
                sum += envelope;
                continue;
            }
            if parker.stand_by() {
                // Its event loop waits for the hook alone.
                let mut count = lock(&told.0);
                while *count == 0 {
                    count = told.1.wait(count).unwrap();
                }
                assert_eq!(std::mem::take(&mut *count), 1, "told twice");
                drop(count);
                parker.come_back();
            } else {
                parker.retract();
            }
        }
        for giver in givers {
            assert!(giver.join().unwrap());
        }
    });
}

/// Caught: `announce`, `retract`, and the deadline in `park`, that store instead of swapping, so that `CLOSED` is lost;
/// the same in `wake` (`is_closed` failed); `close` that does not unpark.
#[test]
fn a_thread_that_rests_is_woken_by_its_closing_and_stays_closed() {
    loom::model(|| {
        let parker = adopted();
        let (sender, receiver) = queue::unbounded();
        let giver = giver(&parker, &Arc::new(sender), 1);
        let closer = {
            let parker = Arc::clone(&parker);
            spawn(move || parker.close())
        };
        // As `run` in thread/run.rs does. The first time the deadline is up at once.
        let mut deadline = Some(now());
        while !parker.is_closed() {
            parker.announce();
            if receiver.try_recv().is_ok() {
                parker.retract();
            } else {
                parker.park(deadline.take());
            }
        }
        giver.join().unwrap();
        closer.join().unwrap();
        assert!(parker.is_closed());
        assert!(!Parker::wake(&parker));
    });
}
