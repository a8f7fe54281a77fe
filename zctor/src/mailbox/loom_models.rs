//! Mail that is pushed while a mailbox closes is found once, by the closer or by its sender; and the edge only moves
//! on.
//!
//! The models run the real `Mailbox`, on a queue that loom knows. "Caught" lists the mutations that a model was seen to
//! fail under.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::sync::atomic::{self, Ordering};

use loom::thread::spawn;

use super::*;
use crate::event::Undelivered;
use crate::id::{InstanceId, Slot};
use crate::mailbox::edge::Edge;
use crate::mailbox::envelope::{Envelope, ErasedContents, Gathered, Undeliverable, erase};
use crate::mailbox::mail::SentAs;
use crate::sys::spin::Spin;
use crate::sys::sync::lock;

/// The fate of an envelope. The counts are not loom's: they are read when all threads are joined.
#[derive(Default)]
struct Fate {
    discarded: atomic::AtomicUsize,
    given_back: atomic::AtomicUsize,
}

struct Probe(Arc<Fate>);

impl ErasedContents for Probe {
    fn content(&mut self) -> &mut dyn Any {
        self
    }

    fn message(&self) -> TypeId {
        TypeId::of::<Self>()
    }

    fn len(&self) -> usize {
        1
    }

    fn name(&self) -> &'static str {
        "Probe"
    }

    fn gather(&mut self, _: &mut Envelope, _: &Buffers) -> Gathered {
        Gathered::Not
    }

    fn discard(&mut self, _: Undeliverable<'_>) {
        self.0.discarded.fetch_add(1, Ordering::Relaxed);
    }

    fn sent_from(&self) -> Option<crate::trace::spans::SentFrom> {
        None
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Closes the mailbox, and discards the mail in it, as its thread and its engine do.
fn close(mailbox: &Mailbox) {
    for mail in mailbox.close().into_iter().filter_map(|mail| mailbox.resolve(mail)) {
        let undeliverable = Undeliverable {
            incidents: &mailbox.engine.incidents,
            instance: InstanceId { thread: mailbox.thread, slot: mail.to },
            why: Undelivered::Ended,
            from_hook: false,
        };
        mail.into_envelope().unwrap().discard(undeliverable);
    }
}

fn mailbox() -> Arc<Mailbox> {
    let engine = Arc::new(EngineShared::new(None, Spin::default()));
    Arc::new(Mailbox::new(ThreadId(0), String::new(), engine, None))
}

/// Mail of the sender with this number. The model gives the number: to `pusher()` all threads of a model are one thread.
fn mail(number: u64, fate: &Arc<Fate>) -> Mail {
    let to = Slot { index: 0, generation: 0 };
    Mail { number, ..Mail::message(to, erase(Probe(Arc::clone(fate))), SentAs::default()) }
}

/// Notes that an envelope came back, and checks that it is the sender's own.
fn give_back(back: Mail, fate: &Arc<Fate>) {
    let mut envelope = back.into_envelope().unwrap();
    let probe = envelope.as_any_mut().downcast_mut::<Probe>().unwrap();
    assert!(Arc::ptr_eq(&probe.0, fate), "it got another's envelope");
    fate.given_back.fetch_add(1, Ordering::Relaxed);
}

/// Pushes an envelope.
fn push(mailbox: &Mailbox, number: u64, fate: &Arc<Fate>) {
    if let Some(back) = mailbox.push(mail(number, fate)) {
        give_back(back, fate);
    }
}

fn assert_found_once(mailbox: &Mailbox, fates: &[Arc<Fate>]) {
    for fate in fates {
        let (discarded, given_back) = (fate.discarded.load(Ordering::Relaxed), fate.given_back.load(Ordering::Relaxed));
        assert_eq!(discarded + given_back, 1, "discarded {discarded} times, given back {given_back} times");
    }
    assert!(mailbox.queue.is_empty());
    assert!(lock(&mailbox.queue.late).is_empty());
}

/// Caught, each by an envelope found nowhere: `close` without the lock of `late`, or that empties before it closes;
/// `push` that looks at the word before it sends; `take_back` that sets nothing aside for other senders. Caught by "it
/// got another's envelope": `take_back` that gives whatever envelope there is.
#[test]
fn mail_of_two_senders_is_found_once_when_the_mailbox_closes() {
    loom::model(|| {
        let mailbox = mailbox();
        let fates = [Arc::<Fate>::default(), Arc::default()];
        let senders = [0, 1].map(|index| {
            let (mailbox, fate) = (Arc::clone(&mailbox), Arc::clone(&fates[index]));
            spawn(move || push(&mailbox, index as u64 + 1, &fate))
        });
        close(&mailbox);
        for sender in senders {
            sender.join().unwrap();
        }
        assert_found_once(&mailbox, &fates);
    });
}

/// Caught by "it got another's envelope": `close` without the lock of `late`; `push` that looks at the word before it
/// sends. Caught by an envelope found nowhere: `close` that empties before it closes.
#[test]
fn two_messages_of_one_sender_are_found_once_when_the_mailbox_closes() {
    loom::model(|| {
        let mailbox = mailbox();
        let fates = [Arc::<Fate>::default(), Arc::default()];
        let sender = {
            let (mailbox, fates) = (Arc::clone(&mailbox), fates.clone());
            spawn(move || fates.iter().for_each(|fate| push(&mailbox, 1, fate)))
        };
        close(&mailbox);
        sender.join().unwrap();
        assert_found_once(&mailbox, &fates);
    });
}

/// A bundle of two beside a message of another sender.
///
/// Caught: `close` that empties before it closes (an envelope found nowhere), or does not take the bundle off `batched` (a
/// load of 1); `push_bundle` that pushes one by one ("it was torn").
#[test]
fn a_bundle_is_found_once_and_as_a_whole_when_the_mailbox_closes() {
    loom::model(|| {
        let mailbox = mailbox();
        let fates = [(); 3].map(|()| Arc::<Fate>::default());
        let bundler = {
            let (mailbox, fates) = (Arc::clone(&mailbox), fates.clone());
            spawn(move || {
                let late = mailbox.push_bundle(VecDeque::from([mail(1, &fates[0]), mail(1, &fates[1])]));
                assert!(late.is_empty() || late.len() == 2, "it was torn");
                late.into_iter().zip(&fates).for_each(|(back, fate)| give_back(back, fate));
            })
        };
        let sender = {
            let (mailbox, fate) = (Arc::clone(&mailbox), Arc::clone(&fates[2]));
            spawn(move || push(&mailbox, 2, &fate))
        };
        close(&mailbox);
        for thread in [bundler, sender] {
            thread.join().unwrap();
        }
        assert_found_once(&mailbox, &fates);
        assert_eq!(mailbox.load(), 0);
    });
}

/// Caught: `push` that looks at the word before it sends (an envelope found nowhere).
#[test]
fn mail_is_found_once_when_the_mailbox_is_abandoned_while_its_thread_ends() {
    loom::model(|| {
        let mailbox = mailbox();
        let fates = [Arc::<Fate>::default()];
        let sender = {
            let (mailbox, fates) = (Arc::clone(&mailbox), fates.clone());
            spawn(move || push(&mailbox, 1, &fates[0]))
        };
        let abandoner = {
            let mailbox = Arc::clone(&mailbox);
            spawn(move || close(&mailbox))
        };
        close(&mailbox);
        sender.join().unwrap();
        abandoner.join().unwrap();
        assert_found_once(&mailbox, &fates);
    });
}

/// Pushes an envelope into the inner queue.
fn push_inner(mailbox: &Mailbox, fate: &Arc<Fate>) {
    let to = Slot { index: 0, generation: 0 };
    let mail = Mail::message(to, erase(Probe(Arc::clone(fate))), SentAs::default());
    let inner = mailbox.inner.as_ref().unwrap();
    if mailbox.push_inner(inner, mail, None, &|| true).is_ok_and(|back| back.is_some()) {
        fate.given_back.fetch_add(1, Ordering::Relaxed);
    }
}

/// The oldest makes room for the second, or the mailbox has closed.
///
/// Caught, by an envelope found nowhere: `close` that does not close the inner queue, or closes it when it has emptied
/// the mailbox; a sender that pushes its order outside of the lock.
#[test]
fn mail_in_the_inner_queue_is_found_once_when_the_mailbox_closes() {
    loom::model(|| {
        let engine = Arc::new(EngineShared::new(None, Spin::default()));
        let mailbox = Mailbox::new(ThreadId(0), String::new(), engine, None).with_inner_bound(1, Inner::DropOldest);
        let mailbox = Arc::new(mailbox);
        let fates = [Arc::<Fate>::default(), Arc::default()];
        let senders = [0, 1].map(|index| {
            let (mailbox, fate) = (Arc::clone(&mailbox), Arc::clone(&fates[index]));
            spawn(move || push_inner(&mailbox, &fate))
        });
        close(&mailbox);
        for sender in senders {
            sender.join().unwrap();
        }
        assert_found_once(&mailbox, &fates);
    });
}

/// Caught: `Edge::close` that stores.
#[test]
fn the_edge_only_moves_on() {
    loom::model(|| {
        let is_simulated = false;
        let edge = Arc::new(Edge::new(is_simulated));
        let others = [Edge::close, Edge::seal].map(|step| {
            let edge = Arc::clone(&edge);
            spawn(move || step(&edge))
        });
        let (was_open, was_sealed) = (edge.is_open(), edge.is_sealed());
        assert!(was_open || !edge.is_open());
        assert!(!was_sealed || edge.is_sealed());
        for other in others {
            other.join().unwrap();
        }
        assert!(edge.is_sealed());
    });
}
