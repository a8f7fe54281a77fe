//! Through a loopback a client, a handler and an error are those of a local pool, and every value has been bytes.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, CallError, Context, DeadLetter, ReplyTo, Undelivered, actor};
use zctor_tests::{Gate, LIMIT, bounded, expect_panics, receive};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Overdrawn {
    by: u64,
}

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum AccountMessage {
    #[reply(Result<u64, Overdrawn>)]
    Withdraw {
        #[key]
        account: u64,
        amount: u64,
    },
    #[reply(String, deferred)]
    Later(#[msg(into)] String),
    #[reply(())]
    Break(String),
    #[reply(())]
    Hold,
    Note(String),
    #[msg(internal)]
    Tick(Local),
}

/// No trait of serde's.
#[derive(Clone, Debug)]
struct Local;

struct Account {
    notes: mpsc::Sender<String>,
    gate: Gate,
}

impl AccountHandler for Account {
    fn withdraw(&mut self, _account: u64, amount: u64) -> Result<u64, Overdrawn> {
        100_u64.checked_sub(amount).ok_or(Overdrawn { by: amount.saturating_sub(100) })
    }
    fn later(&mut self, value: String, reply: ReplyTo<String>) {
        thread::Builder::new().spawn(move || reply.send(value + "!")).expect("a thread");
    }
    fn r#break(&mut self, value: String) {
        panic!("broken: {value}");
    }
    fn hold(&mut self) {
        self.gate.pass();
    }
    fn note(&mut self, value: String) {
        self.notes.send(value).unwrap_or_default();
    }
    fn tick(&mut self, _value: Local) {
        unreachable!("it never travels");
    }
}

struct Joined {
    serving: ActorEngine,
    calling: ActorEngine,
    ends: (Loopback, Loopback),
    account: AccountClient,
    notes: mpsc::Receiver<String>,
    gate: Gate,
}

/// An engine with a pool of `n`, and one that has attached it.
fn joined(n: usize) -> Joined {
    let (serving, calling, ends) = (ActorEngine::new(), ActorEngine::new(), Loopback::pair());
    let (tell, notes) = mpsc::channel();
    let gate = Gate::new();
    let inside = gate.clone();
    let state = move || Account { notes: tell.clone(), gate: inside.clone() };
    serving.pool(n, AccountMessage::actor(state)).expect("a pool");
    ends.0.serve::<AccountMessage>(&serving).expect("it has the pool");
    let account = ends.1.attach::<AccountMessage>(&calling).expect("a link");
    Joined { serving, calling, ends, account, notes, gate }
}

#[test]
fn calls_sends_and_deferred_replies_go_there_and_back() {
    bounded(|| -> Tested {
        let at = joined(2);
        assert_eq!(at.account.withdraw(7, 30)?, Ok(70));
        assert_eq!(at.account.withdraw(7, 130)?, Err(Overdrawn { by: 30 }));
        assert_eq!(at.account.later("soon")?, "soon!");
        assert_eq!(at.account.non_blocking().withdraw(1, 1).wait()?, Ok(99));
        at.account.note("hello".to_owned())?;
        assert_eq!(receive(&at.notes), "hello");
        Ok(())
    })
    .expect("all of it works");
}

#[test]
fn a_panic_comes_back_with_its_text() {
    bounded(|| {
        let at = joined(1);
        at.serving.on_panic(|_| {});
        let error = at.account.r#break("once".to_owned()).expect_err("it panics");
        assert_eq!(error, CallError::Panicked { message: "AccountMessage", text: "broken: once".into() });
        assert_eq!(at.account.withdraw(1, 1), Ok(Ok(99)), "and the pool goes on");
    });
}

#[test]
fn sends_of_one_sender_keep_their_order() {
    bounded(|| {
        const MANY: usize = 1000;
        let at = joined(1);
        for i in 0..MANY {
            at.account.note(i.to_string()).expect("it is sent");
        }
        for i in 0..MANY {
            assert_eq!(receive(&at.notes), i.to_string());
        }
    });
}

#[test]
fn a_deadline_ends_a_call_whose_handler_stays_there() {
    bounded(|| {
        let at = joined(1);
        let held = at.account.non_blocking().hold();
        at.gate.await_arrivals(1);
        let late = at.account.within(Duration::from_millis(20)).withdraw(1, 1);
        assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");
        at.gate.open();
        assert_eq!(held.wait(), Ok(()));
        at.serving.settle();
        let skipped = at.serving.stats().handled();
        assert_eq!(skipped, 1, "the withdrawal had no time left when its turn came");
    });
}

#[test]
fn nobody_there_is_told_at_once() {
    bounded(|| {
        let (ends, engine) = (Loopback::pair(), ActorEngine::new());
        let (tell, letters) = mpsc::channel();
        engine.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        let account = ends.1.attach::<AccountMessage>(&engine).expect("a link");
        assert_eq!(account.withdraw(1, 1), Err(CallError::NotRegistered { message: "AccountMessage" }));
        account.note("lost".to_owned()).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unreachable));
        let books = ends.1.flush(LIMIT);
        assert_eq!((books.accepted, books.unreachable), (1, 1));
    });
}

#[test]
fn an_internal_variant_never_travels() {
    bounded(|| {
        let at = joined(1);
        let (tell, letters) = mpsc::channel();
        at.calling.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        at.account.tick(Local).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Tick", Undelivered::Unfit));
        assert_eq!((at.ends.1.flush(LIMIT).unfit, at.ends.0.books().taken), (1, 0));
    });
}

#[test]
fn a_hook_on_a_thread_outside_makes_requests_through_a_link() {
    bounded(|| {
        let at = joined(1);
        assert_eq!(at.account.withdraw(1, 1), Ok(Ok(99)), "the link has started");
        at.calling.settle();
        let (tell, told) = mpsc::channel();
        let account = at.account.clone();
        at.calling.on_dead_letter(move |letter: &DeadLetter| {
            let told = if letter.variant == "Tick" { Some(account.non_blocking().withdraw(1, 1)) } else { None };
            tell.send((thread::current().id(), told)).unwrap_or_default();
        });
        at.account.tick(Local).expect("the link takes it");
        let (ran_on, pending) = receive(&told);
        assert_eq!(ran_on, thread::current().id(), "the link had nothing to do");
        assert_eq!(pending.expect("of the tick").wait(), Ok(Ok(99)));
    });
}

#[test]
fn what_a_hook_has_sent_through_a_link_is_a_dead_letter_there_like_any_other() {
    bounded(|| {
        let at = joined(1);
        assert_eq!(at.account.withdraw(1, 1), Ok(Ok(99)), "the link has started");
        at.calling.settle();
        let (tell, letters) = mpsc::channel();
        at.serving.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        let held = at.account.non_blocking().hold();
        at.gate.await_arrivals(1);
        at.calling.settle();
        let account = at.account.clone();
        at.calling.on_dead_letter(move |_| account.note("from a hook".to_owned()).unwrap_or_default());
        at.account.tick(Local).expect("the link takes it");
        assert_eq!(at.ends.1.flush(LIMIT).acked, 1, "the note is in the mailbox there");
        assert!(at.serving.shutdown_timeout(Duration::ZERO).is_err(), "the handler is held");
        at.gate.open();
        assert_eq!(receive(&letters).variant, "Note");
        drop(held);
    });
}

#[test]
fn a_stopped_engine_there_is_told() {
    bounded(|| {
        let at = joined(1);
        at.serving.shutdown().expect("nothing is in its way");
        assert_eq!(at.account.withdraw(1, 1), Err(CallError::Stopped { message: "AccountMessage" }));
    });
}

#[actor(calls(AccountMessage))]
enum TellerMessage {
    #[reply(Result<u64, CallError>)]
    Pay(u64),
}
struct Teller;
impl TellerHandler for Teller {
    fn pay(&mut self, ctx: &mut Context<TellerMessage>, value: u64) -> Result<u64, CallError> {
        let left = ctx.call(AccountMessage::withdraw(1, value))?;
        Ok(left.unwrap_or_default())
    }
}

#[test]
fn a_handler_calls_an_attached_pool_as_a_local_one() {
    bounded(|| -> Tested {
        let at = joined(1);
        let teller = at.calling.pool(1, TellerMessage::actor(|| Teller))?;
        assert_eq!(teller.pay(40)?, Ok(60));
        Ok(())
    })
    .expect("it works");
}

#[actor(remote = "cache", name = "Cache")]
#[derive(Serialize, Deserialize)]
enum CacheMessage<T: Clone> {
    Put(T),
    #[reply(Option<T>)]
    Get,
}
struct Cache<T>(Option<T>);
impl<T: Clone + Send + 'static> CacheHandler<T> for Cache<T> {
    fn put(&mut self, value: T) {
        self.0 = Some(value);
    }
    fn get(&mut self) -> Option<T> {
        self.0.clone()
    }
}

#[test]
fn a_generic_enum_travels_with_parameters_that_travel() {
    bounded(|| -> Tested {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, CacheMessage::actor(|| Cache::<Vec<u8>>(None)))?;
        ends.0.serve::<CacheMessage<Vec<u8>>>(&there)?;
        let cache = ends.1.attach::<CacheMessage<Vec<u8>>>(&here)?;
        assert_eq!(cache.get()?, None);
        cache.put(vec![1, 2])?;
        assert_eq!(cache.get()?, Some(vec![1, 2]));
        Ok(())
    })
    .expect("it works");
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum PumpMessage {
    #[reply(bool)]
    Run,
    #[cfg(any())]
    Never(u64),
    #[msg(internal)]
    Tick(Local),
}
struct Pump;
impl PumpHandler for Pump {
    fn run(&mut self) -> bool {
        true
    }
    fn tick(&mut self, _value: Local) {}
}

#[test]
fn an_enum_with_cfg_inside_travels_too() {
    bounded(|| -> Tested {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        let local = there.pool(1, PumpMessage::actor(|| Pump))?;
        ends.0.serve::<PumpMessage>(&there)?;
        let pump = ends.1.attach::<PumpMessage>(&here)?;
        assert!(pump.run()?);
        local.tick(Local)?;
        Ok(())
    })
    .expect("it works");
}

/// Its drop panics where it was made, and not where it has come as bytes.
#[derive(Deserialize)]
#[serde(from = "()")]
struct Bomb(bool);

impl From<()> for Bomb {
    fn from((): ()) -> Self {
        Self(false)
    }
}

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 {
            panic!("bomb");
        }
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum DepotMessage {
    Store(Bomb),
    #[reply(u64)]
    Weigh(Bomb),
}
struct Depot;
impl DepotHandler for Depot {
    fn store(&mut self, _value: Bomb) {}
    fn weigh(&mut self, _value: Bomb) -> u64 {
        7
    }
}

#[test]
fn a_panic_in_the_drop_of_a_message_stays_in_the_link() {
    bounded(|| {
        expect_panics("bomb");
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, DepotMessage::actor(|| Depot)).expect("a pool");
        ends.0.serve::<DepotMessage>(&there).expect("it has the pool");
        let depot = ends.1.attach::<DepotMessage>(&here).expect("a link");
        // The first goes through the thread of the link, those behind it past that.
        for _ in 0..3 {
            depot.store(Bomb(true)).expect("it is sent");
            assert_eq!(depot.weigh(Bomb(true)), Ok(7));
            here.settle();
        }
        assert_eq!(here.stats().restarts, 0);
        assert_eq!((ends.1.flush(LIMIT).acked, ends.1.books().ended), (3, 3));
    });
}
