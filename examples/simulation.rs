//! Finds a bug that depends on the order of messages, runs it again by its seed, and shows that the mended program has
//! it no more.
//!
//! Two tellers add to an account, first with a read and a write in two messages, then in one. The first program loses a
//! deposit only where one teller comes between the read and the write of the other.
//!
//! `cargo run -p zctor-examples --features simulation --example simulation`

use std::time::Duration;

use zctor::simulation::{Search, simulate};
use zctor::{ActorEngine, Context, actor};

#[actor]
enum AccountMessage {
    #[reply(i64)]
    Balance,
    Set(i64),
    Add(i64),
}

#[derive(Default)]
struct Account(i64);

impl AccountHandler for Account {
    fn balance(&mut self) -> i64 {
        self.0
    }
    fn set(&mut self, balance: i64) {
        self.0 = balance;
    }
    fn add(&mut self, amount: i64) {
        self.0 += amount;
    }
}

#[actor(calls(AccountMessage))]
enum TellerMessage {
    Deposit(i64),
}

/// How a teller adds to the account.
#[derive(Clone, Copy)]
enum Deposit {
    /// By a read and a write. The fault: another teller may come between the two.
    InTwoMessages,
    InOne,
}

struct Teller(Deposit);

impl TellerHandler for Teller {
    fn deposit(&mut self, ctx: &mut Context<TellerMessage>, amount: i64) {
        let message = match self.0 {
            Deposit::InTwoMessages => {
                let balance = ctx.call(AccountMessage::balance()).expect("the account is there");
                AccountMessage::Set(balance + amount)
            }
            Deposit::InOne => AccountMessage::Add(amount),
        };
        ctx.send(message).expect("the account is there");
    }
}

/// The program, as a search runs it once a seed.
fn deposits(by: Deposit) -> Search {
    simulate(move |_| {
        let engine = ActorEngine::new();
        let account: AccountClient = engine.pool(1, AccountMessage::actor(Account::default))?;
        let tellers: TellerClient = engine.pool(2, TellerMessage::actor(move || Teller(by)))?;
        tellers.deposit(10)?;
        tellers.deposit(10)?;
        engine.settle();
        let balance = account.balance()?;
        engine.shutdown()?;
        if balance == 20 { Ok(()) } else { Err(format!("a deposit is lost: {balance}").into()) }
    })
    .slowest(Duration::from_millis(1))
    .max_steps(10_000)
}

fn main() {
    let failure =
        deposits(Deposit::InTwoMessages).seeds(0..1_000).outcome().expect_err("a search finds what ordinary runs miss");
    assert_eq!(failure.text(), "a deposit is lost: 10");
    println!("{failure}");
    println!("why: {}", failure.explanation());
    println!("{} reasons away from the steady order", failure.deviations());
    println!("as a diagram:\n{}", failure.mermaid());

    if let Some(seed) = failure.seed() {
        let again = deposits(Deposit::InTwoMessages)
            .seeds(seed..seed + 1)
            .outcome()
            .expect_err("the same seed fails in the same way");
        assert_eq!((again.text(), again.trace()), (failure.text(), failure.trace()));
    }

    let summary = deposits(Deposit::InOne).seeds(0..1_000).outcome().expect("the mended program holds");
    println!("mended: {} runs, {} steps, traces {:x}", summary.runs(), summary.steps(), summary.traces());

    // A handler that panics on purpose, in a program that is meant to go on: `allow_panics`.
    let panics = simulate(|_| {
        let engine = ActorEngine::new();
        let account: AccountClient = engine.pool(1, AccountMessage::actor(|| -> Account { panic!("no account") }))?;
        account.add(1)?;
        Ok(())
    });
    assert!(panics.allow_panics().seeds(0..10).outcome().is_err(), "a factory that fails is an error of `pool`");

    // In a test: panics with the seed, the reason and the trace if a run fails. Each is made twice, to see that nothing but
    // the seed decides.
    deposits(Deposit::InOne).seeds(0..100).check_determinism().run();
}
