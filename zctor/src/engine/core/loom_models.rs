//! Models of quiet: it is never said too early, and each thread that waits for it is woken. They run the real
//! `Mailbox`, `are_quiet` and `wait_until`. "Caught" lists the mutations under which a model was seen to fail.

use loom::thread::{JoinHandle, spawn};

use super::*;
use crate::id::{Slot, ThreadId};
use crate::mailbox::arrivals::Arrivals;
use crate::mailbox::mail::{Mail, Order};
use crate::sys::spin::Spin;

impl Iterator for Arrivals<'_> {
    type Item = Mail;

    fn next(&mut self) -> Option<Mail> {
        let mut place = None;
        self.next_into(&mut place);
        place
    }
}

fn mailbox(id: u32) -> Arc<Mailbox> {
    let engine = Arc::new(EngineShared::new(None, Spin::default()));
    Arc::new(Mailbox::new(ThreadId(id), String::new(), engine, None))
}

fn send(mailbox: &Mailbox) {
    let to = Slot { index: 0, generation: 0 };
    assert!(mailbox.push(Mail::order(to, Order::Start)).is_none());
}

/// An actor thread at rest. It wakes without mail (as for a timer) or for its message, until it has handled that one.
/// These are the steps of `run` and `rest` in `thread/run.rs`; instead of parking, it looks whether there is mail.
fn actor(core: &Arc<Core>, mailbox: &Arc<Mailbox>, handle: impl Fn() + 'static) -> JoinHandle<()> {
    let (core, mailbox) = (Arc::clone(core), Arc::clone(mailbox));
    spawn(move || {
        loop {
            mailbox.meter.end_rest();
            let mut taken = 0;
            taken += mailbox.take().count();
            for _ in 0..taken {
                handle();
                mailbox.meter.handled.add(1);
            }
            mailbox.meter.begin_rest();
            core.came_to_rest();
            if taken > 0 {
                return;
            }
            while mailbox.queue.is_empty() {
                loom::thread::yield_now();
            }
        }
    })
}

fn handled(mailbox: &Mailbox) -> u64 {
    mailbox.meter.handled.get()
}

/// Two threads at rest, and a message in the mailbox of the first, whose handler sends it on to the second.
struct Hop {
    core: Arc<Core>,
    first: Arc<Mailbox>,
    second: Arc<Mailbox>,
    threads: [JoinHandle<()>; 2],
}

impl Hop {
    fn begin() -> Self {
        let (core, first, second) =
            (Core::new(String::new(), EngineShared::new(None, Spin::default())), mailbox(0), mailbox(1));
        first.meter.begin_rest();
        second.meter.begin_rest();
        send(&first);
        let next = Arc::clone(&second);
        let threads = [actor(&core, &first, move || send(&next)), actor(&core, &second, || ())];
        Self { core, first, second, threads }
    }

    fn assert_all_done(&self) {
        assert_eq!((handled(&self.first), handled(&self.second)), (1, 1), "quiet was said too early");
    }

    fn join(self) {
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// Caught, each by "quiet was said too early": a `rest` that looks at the activity before the mailbox, or not at the
/// mailbox, or loads `Relaxed`; a `begin_rest` that is `Relaxed`; one round instead of two.
#[test]
fn quiet_is_not_said_while_a_message_hops() {
    for reversed in [false, true] {
        loom::model(move || {
            let hop = Hop::begin();
            let mut mailboxes = [&*hop.first, &*hop.second];
            if reversed {
                mailboxes.reverse();
            }
            if are_quiet(mailboxes.into_iter()) {
                hop.assert_all_done();
            }
            hop.join();
        });
    }
}

/// Caught, by a deadlock: either of the fences in `came_to_rest` and `wait_until` missing; a `came_to_rest` that
/// notifies without having held the lock; a `wait_until` that counts itself among the waiters after its first look.
/// `SeqCst` accesses in place of the fences fail too, as loom treats them as acquire and release. Caught, by the count:
/// a `rest` or `begin_rest` that is `Relaxed`.
#[test]
fn a_waiter_for_quiet_is_woken() {
    loom::model(|| {
        let (core, mailbox) = (Core::new(String::new(), EngineShared::new(None, Spin::default())), mailbox(0));
        mailbox.meter.begin_rest();
        send(&mailbox);
        let thread = actor(&core, &mailbox, || ());
        drop(core.wait_until(|_| are_quiet([&*mailbox].into_iter()), |_| None));
        assert_eq!(handled(&mailbox), 1);
        thread.join().unwrap();
    });
}

/// Caught: all mutations that the two models above caught.
#[test]
fn a_waiter_for_quiet_is_woken_when_a_message_has_hopped() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2); // with three it takes half a minute
    model.check(|| {
        let hop = Hop::begin();
        drop(hop.core.wait_until(|_| are_quiet([&*hop.second, &*hop.first].into_iter()), |_| None));
        hop.assert_all_done();
        hop.join();
    });
}

/// Wherever the check looks, the message is at the other thread, and each thread is at rest again before the check
/// comes back to it.
///
/// Caught: a `rest` that gives one number for all spells, or looks at the activity before the mailbox ("it is never
/// done").
#[test]
fn quiet_is_not_said_while_a_message_goes_back_and_forth() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(6); // the check is overtaken between any two of its looks
    model.check(|| {
        let mailboxes = [mailbox(0), mailbox(1)];
        for mailbox in &mailboxes {
            mailbox.meter.begin_rest();
        }
        send(&mailboxes[1]);
        // Both threads in one: only one of them is at work at a time.
        let threads = {
            let mailboxes = mailboxes.clone();
            spawn(move || {
                for (here, there) in [(1, 0), (0, 1), (1, 0)] {
                    mailboxes[here].meter.end_rest();
                    mailboxes[here].take().for_each(|_| send(&mailboxes[there]));
                    mailboxes[here].meter.begin_rest();
                }
            })
        };
        assert!(!are_quiet(mailboxes.iter().map(|mailbox| &**mailbox)), "it is never done");
        threads.join().unwrap();
    });
}
