//! Faults at the seed's choice find those that a program does not allow for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zctor::simulation::{Faults, Search, simulate};
use zctor::{ActorEngine, ActorThread, CallError, Overflow, Restart, actor};

use crate::Outcome;
use crate::order::{Sink, SinkClient, SinkMessage};

#[actor]
enum BankMessage {
    #[reply(u32)]
    Pay(u32),
}

/// Pays outside the actor, as a bank does: what it has paid is not undone by a rebuild.
struct Bank {
    paid: Arc<AtomicU32>,
}

impl BankHandler for Bank {
    fn pay(&mut self, amount: u32) -> u32 {
        self.paid.fetch_add(amount, Ordering::Relaxed) + amount
    }
}

/// The fault: an error does not say that nothing was paid.
fn pay(bank: &BankClient) -> Outcome {
    for _ in 0..5 {
        match bank.within(Duration::from_secs(5)).pay(10) {
            Ok(_) => return Ok(()),
            Err(CallError::Panicked { .. } | CallError::Timeout { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

fn payment() -> Search {
    simulate(|_| {
        let paid = Arc::new(AtomicU32::new(0));
        let engine = ActorEngine::new();
        let bank: BankClient = {
            let paid = Arc::clone(&paid);
            let actor = BankMessage::actor(move || Bank { paid: Arc::clone(&paid) }).restart(Restart::always());
            engine.pool(1, actor)?
        };
        pay(&bank)?;
        engine.shutdown()?;
        let paid = paid.load(Ordering::Relaxed);
        if paid <= 10 { Ok(()) } else { Err("paid more than once".into()) }
    })
    .slowest(Duration::from_millis(1))
}

#[test]
fn without_faults_the_retry_seems_to_be_right() {
    payment().seeds(0..500).run();
}

#[test]
fn a_panic_before_the_reply_shows_that_it_pays_twice() {
    let failure = payment().faults(Faults::new().panics()).seeds(0..1_000).outcome().expect_err("it pays twice");
    assert_eq!(failure.text(), "paid more than once");
    assert!(failure.explanation().contains("it takes a fault too"), "{failure}");
    assert!(failure.trace().contains("panics, by a fault"), "{failure}");
    assert!(failure.deviations() <= 2, "{failure}");
}

#[test]
fn a_deadline_that_passes_shows_that_it_pays_twice() {
    let failure = payment().faults(Faults::new().timeouts()).seeds(0..1_000).outcome().expect_err("it pays twice");
    assert_eq!(failure.text(), "paid more than once");
    assert!(failure.trace().contains("is slow, by a fault"), "{failure}");
    assert!(failure.trace().contains("time is up for BankMessage"), "{failure}");
}

#[test]
fn a_mailbox_that_has_a_bound_may_be_full_with_the_second_message() {
    let search = || {
        simulate(|_| {
            let engine = ActorEngine::new();
            let bounded = ActorThread::new().mailbox_bound(100).overflow(Overflow::Refuse);
            engine.spawn(bounded.register(SinkMessage::actor(Sink::default)))?;
            let sink: SinkClient = engine.client::<SinkMessage>()?;
            // The fault: a refused message is an error here, as if a mailbox with a bound could never be full.
            sink.note(0, 0)?;
            sink.note(0, 1)?;
            engine.shutdown()?;
            Ok(())
        })
    };
    search().seeds(0..500).run();
    let failure = search().faults(Faults::new().small_mailboxes()).seeds(0..500).outcome().expect_err("it is full");
    assert!(failure.text().contains("full"), "{failure}");
}

#[test]
fn faults_are_a_part_of_the_seed() {
    let all = Faults::new().panics().timeouts().small_mailboxes();
    let search = || payment().faults(all).seeds(0..1_000).outcome().expect_err("it pays twice");
    assert_eq!(search(), search());
}
