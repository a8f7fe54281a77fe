//! Tests a retry: a shop pays by a bank whose handlers may panic, whose replies may come too late, and which may be gone.
//!
//! An error of a call does not say that nothing was done. The first shop asks again as if it did, and pays twice. The
//! second gives each payment a number, by which the bank knows one that it has made.
//!
//! `cargo run -p zctor-examples --features simulation --example simulated_retry`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::simulation::{Faults, Search, simulate};
use zctor::{ActorEngine, ActorThread, BoxError, CallError, actor};

/// What the bank has written to its disk, which outlives a panic: each payment by its number.
type Ledger = Arc<Mutex<BTreeMap<u64, u32>>>;

#[actor]
enum BankMessage {
    #[reply(())]
    Pay { number: u64, amount: u32 },
}

struct Bank(Ledger);

impl BankHandler for Bank {
    fn pay(&mut self, number: u64, amount: u32) {
        self.0.lock().expect("nobody panics under it").insert(number, amount);
    }
}

/// The retry that is tested. `number` names each attempt.
fn pay(bank: &BankClient, amount: u32, mut number: impl FnMut() -> u64) -> Result<(), BoxError> {
    for _ in 0..10 {
        match bank.within(Duration::from_secs(1)).pay(number(), amount) {
            Err(CallError::Panicked { .. } | CallError::Timeout { .. }) => {}
            outcome => return Ok(outcome?),
        }
    }
    Err("the bank cannot be reached".into())
}

/// How a shop numbers its attempts at one payment.
#[derive(Clone, Copy)]
enum Numbers {
    /// Each attempt has its own. The fault: the bank takes each for a payment.
    ByAttempt,
    /// All have that of the payment.
    ByPayment,
}

/// A payment, as a search runs it once a seed.
fn payment(numbers: Numbers) -> Search {
    let search = simulate(move |simulation| {
        let ledger = Ledger::default();
        let paid = {
            let ledger = Arc::clone(&ledger);
            move || ledger.lock().expect("nobody panics under it").values().sum::<u32>()
        };
        let engine = ActorEngine::new();
        let bank = {
            let ledger = Arc::clone(&ledger);
            BankMessage::actor(move || Bank(Arc::clone(&ledger)))
        };
        engine.spawn(ActorThread::new().mailbox_bound(8).register(bank))?;
        let bank: BankClient = engine.client::<BankMessage>()?;
        // Looked at after each step, so a second payment is told where it is made, and not at the end.
        simulation.invariant("it is paid once", {
            let paid = paid.clone();
            move || paid() <= 10
        });

        let mut attempts = 0;
        let outcome = pay(&bank, 10, || {
            attempts += 1;
            match numbers {
                Numbers::ByAttempt => attempts,
                Numbers::ByPayment => 7,
            }
        });
        if attempts > 1 {
            simulation.mark("a retry");
        }
        engine.shutdown()?;
        match outcome {
            Ok(()) => assert_eq!(paid(), 10),
            // It is paid once or not at all, says the invariant.
            Err(_) => simulation.mark("the bank is gone"),
        }
        Ok(())
    });
    let late_or_twice = Faults::new().panics().timeouts().small_mailboxes();
    let gone = late_or_twice.stops().shutdowns().failed_rebuilds();
    search.faults(gone).seeds(0..1_000).patience(Duration::from_secs(30))
}

fn main() {
    let failure = payment(Numbers::ByAttempt).outcome().expect_err("it pays twice");
    assert!(failure.text().contains("the invariant `it is paid once` does not hold"), "{failure}");
    println!("{failure}");

    // The mended shop holds; and there were retries, without which that would prove nothing.
    let summary = payment(Numbers::ByPayment)
        .jobs(2)
        .must_reach(&["a retry", "the bank is gone"])
        .time_limit(Duration::from_secs(60))
        .outcome();
    let summary = summary.unwrap_or_else(|failure| panic!("{failure}"));
    println!("mended: {} of {} runs had a retry", summary.reached("a retry"), summary.runs());

    // What one seed does, whether it fails or not.
    let trace = payment(Numbers::ByPayment).trace(failure.seed().expect("the steady run has no faults"));
    assert!(trace.contains("BankMessage::Pay"), "{trace}");
}
