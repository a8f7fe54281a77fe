//! A bug that depends on the order of events is found, shrunk and explained.

use std::time::Duration;

use zctor::simulation::{Failure, simulate};
use zctor::{ActorEngine, CallError, ReplyTo, actor};

use crate::Outcome;

fn found(body: impl Fn() -> Outcome + Send + Sync + 'static, seeds: u64) -> Box<Failure> {
    simulate(move |_| body()).seeds(0..seeds).outcome().expect_err("no seed finds it")
}

#[actor]
pub(crate) enum AccountMessage {
    #[reply(i64)]
    Balance,
    Set(i64),
    #[reply(i64)]
    Add(i64),
}

#[derive(Default)]
pub(crate) struct Account(i64);

impl AccountHandler for Account {
    fn balance(&mut self) -> i64 {
        self.0
    }

    fn set(&mut self, value: i64) {
        self.0 = value;
    }

    fn add(&mut self, value: i64) -> i64 {
        self.0 += value;
        self.0
    }
}

#[actor(calls(AccountMessage))]
pub(crate) enum TellerMessage {
    Deposit(i64),
    DepositAtOnce(i64),
}

struct Teller;

impl TellerHandler for Teller {
    fn deposit(&mut self, ctx: &mut zctor::Context<TellerMessage>, amount: i64) {
        let account = ctx.client::<AccountMessage>().expect("the account lives");
        let balance = account.balance().expect("it answers");
        account.set(balance + amount).expect("it takes mail");
    }

    fn deposit_at_once(&mut self, ctx: &mut zctor::Context<TellerMessage>, amount: i64) {
        ctx.call(AccountMessage::add(amount)).expect("it answers");
    }
}

pub(crate) fn bank(deposit: fn(i64) -> TellerMessage) -> Outcome {
    let engine = ActorEngine::new();
    let account: AccountClient = engine.pool(1, AccountMessage::actor(Account::default))?;
    let tellers: TellerClient = engine.pool(2, TellerMessage::actor(|| Teller))?;
    tellers.send(deposit(10))?;
    tellers.send(deposit(10))?;
    engine.settle();
    let balance = account.balance()?;
    engine.shutdown()?;
    if balance == 20 { Ok(()) } else { Err(format!("the balance is {balance}").into()) }
}

#[test]
fn an_update_that_is_lost_across_a_call_is_found() {
    let failure = found(|| bank(TellerMessage::Deposit), 1_000);
    assert_eq!(failure.text(), "the balance is 10");
    assert!(failure.deviations() <= 10, "{failure}");
    assert!(failure.trace().contains("begins TellerMessage::Deposit"), "{failure}");
}

#[test]
fn once_it_is_mended_no_seed_fails() {
    simulate(|_| bank(TellerMessage::DepositAtOnce)).seeds(0..1_000).run();
}

#[actor]
enum HopMessage {
    Hop(zctor::Client<RaceMessage>),
}

struct Hop;

#[actor]
enum RaceMessage {
    Arrived(&'static str),
    #[reply(Option<&'static str>)]
    First,
}

#[derive(Default)]
struct Race(Option<&'static str>);

impl RaceHandler for Race {
    fn arrived(&mut self, who: &'static str) {
        self.0.get_or_insert(who);
    }

    fn first(&mut self) -> Option<&'static str> {
        self.0
    }
}

#[actor(ctx)]
enum RelayMessage {
    Run(u32),
}

struct Relay;

impl RelayHandler for Relay {
    fn run(&mut self, ctx: &mut zctor::Context<RelayMessage>, hops: u32) {
        if hops == 0 {
            ctx.send(RaceMessage::Arrived("the chain")).expect("the race lives");
        } else {
            // The instances of a pool of two take turns.
            ctx.send(RelayMessage::Run(hops - 1)).expect("the other relay lives");
        }
    }
}

impl HopHandler for Hop {
    fn hop(&mut self, race: zctor::Client<RaceMessage>) {
        race.send(RaceMessage::Arrived("the hop")).expect("the race lives");
    }
}

#[test]
fn sixteen_hops_that_beat_one_are_found_and_explained() {
    let failure = found(
        || {
            let engine = ActorEngine::new();
            let race: RaceClient = engine.pool(1, RaceMessage::actor(Race::default))?;
            let hop: HopClient = engine.pool(1, HopMessage::actor(|| Hop))?;
            let relay: RelayClient = engine.pool(2, RelayMessage::actor(|| Relay))?;
            hop.hop((*race).clone())?;
            relay.run(15)?;
            engine.settle();
            let first = race.first()?;
            engine.shutdown()?;
            if first == Some("the hop") { Ok(()) } else { Err("sixteen hops beat one".into()) }
        },
        1_000,
    );
    assert_eq!(failure.text(), "sixteen hops beat one");
    assert!(failure.explanation().contains("it fails whenever thread"), "{failure}");
    assert!(failure.deviations() <= 2, "{failure}");
}

#[actor]
enum DoorMessage {
    #[reply(u32, deferred)]
    Pass,
    Open,
}

#[derive(Default)]
struct Door {
    waiting: Vec<ReplyTo<u32>>,
    is_open: bool,
}

impl DoorHandler for Door {
    fn pass(&mut self, reply: ReplyTo<u32>) {
        // The fault: who comes when it is open waits as well.
        self.waiting.push(reply);
    }

    fn open(&mut self) {
        self.is_open = true;
        self.waiting.drain(..).for_each(|reply| reply.send(1));
    }
}

#[test]
fn a_reply_that_nobody_sends_is_reported_as_a_hang_at_once() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        let door: DoorClient = engine.pool(1, DoorMessage::actor(Door::default))?;
        let opener = door.clone();
        let opening = simulation.spawn("opener", move || opener.open());
        assert_eq!(door.pass()?, 1);
        opening.join()?;
        engine.shutdown()?;
        Ok(())
    });
    let failure = search.seeds(0..1_000).outcome().expect_err("no seed finds it");
    assert!(failure.text().contains("nobody can move"), "{failure}");
    assert!(failure.text().contains("`main` waits for the reply of 0.0 to DoorMessage::Pass"), "{failure}");
    assert!(failure.text().contains("call DoorMessage::Pass"), "{failure}");
}

#[actor]
enum BankMessage {
    #[reply(u32)]
    Pay,
    #[reply(u32)]
    Paid,
}

#[derive(Default)]
struct Bank(u32);

impl BankHandler for Bank {
    fn pay(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    fn paid(&mut self) -> u32 {
        self.0
    }
}

#[test]
fn a_retry_that_pays_twice_is_found() {
    let search = simulate(|_| {
        let engine = ActorEngine::new();
        let bank: BankClient = engine.pool(1, BankMessage::actor(Bank::default))?;
        while let Err(CallError::Timeout { .. }) = bank.within(Duration::from_millis(20)).pay() {}
        let paid = bank.paid()?;
        engine.shutdown()?;
        if paid == 1 { Ok(()) } else { Err("paid more than once".into()) }
    });
    let failure = search.slowest(Duration::from_millis(20)).seeds(0..1_000).outcome().expect_err("no seed finds it");
    assert_eq!(failure.text(), "paid more than once");
}

#[test]
fn a_panic_in_a_handler_that_was_only_sent_to_is_a_failure() {
    #[actor]
    enum FrailMessage {
        Break,
    }
    struct Frail;
    impl FrailHandler for Frail {
        fn r#break(&mut self) {
            panic!("broken");
        }
    }
    let body = || {
        let engine = ActorEngine::new();
        let frail: FrailClient = engine.pool(1, FrailMessage::actor(|| Frail))?;
        frail.r#break()?;
        engine.settle();
        engine.shutdown()?;
        Ok(())
    };
    let failure = found(body, 10);
    assert!(failure.text().contains("broken"), "{failure}");
    simulate(move |_| body()).allow_panics().seeds(0..200).run();
}

#[test]
fn a_run_that_does_not_end_is_reported() {
    let search = simulate(|_| {
        let engine = ActorEngine::new();
        let account: AccountClient = engine.pool(1, AccountMessage::actor(Account::default))?;
        loop {
            account.set(1)?;
        }
    });
    let failure = search.max_steps(1_000).seeds(0..2).outcome().expect_err("it cannot end");
    assert!(failure.text().contains("1000 steps"), "{failure}");
}
