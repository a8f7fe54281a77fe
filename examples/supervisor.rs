//! A supervisor: an actor that watches others, and fills the place of one that has ended.
//!
//! Rebuilding a state after a panic is the engine's work, within the limits of `Restart`. What comes after them is the
//! program's: this supervisor is told of each panic and each end, and puts a new instance into the place of the ended
//! one. The new one gets the same keys, and reads what the old one had written down. Look at the balance: it is there
//! again, and the accounts of the other instances were never away.
//!
//! ```text
//! cargo run --example supervisor
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use zctor::{Actor, ActorEngine, ActorThread, Context, End, Ended, PanicEvent, Restart, actor};

/// Stands for a database: what is written down outlives the states.
type Journal = Arc<Mutex<HashMap<u64, u64>>>;

#[actor]
enum AccountMessage {
    #[reply(u64)]
    Deposit {
        #[key]
        account: u64,
        amount: u64,
    },
}

struct Accounts {
    journal: Journal,
}

impl AccountHandler for Accounts {
    fn deposit(&mut self, account: u64, amount: u64) -> u64 {
        assert!(amount > 0, "nothing to deposit");
        let mut journal = self.journal.lock().expect("nobody panics with it");
        let balance = journal.entry(account).or_default();
        *balance += amount;
        *balance
    }
}

/// Two panics within a minute are one too many.
fn accounts(journal: &Journal) -> Actor<AccountMessage, Accounts> {
    let journal = Arc::clone(journal);
    let actor = AccountMessage::actor(move || Accounts { journal: Arc::clone(&journal) });
    actor.restart(Restart::at_most(1, Duration::from_secs(60)))
}

#[actor(ctx)]
enum SupervisorMessage {
    Watch(AccountClient),
    #[msg(internal)]
    Panicked(PanicEvent),
    #[msg(internal)]
    Gone(Ended),
}

struct Supervisor {
    journal: Journal,
    done: mpsc::Sender<&'static str>,
}

impl SupervisorHandler for Supervisor {
    fn watch(&mut self, ctx: &mut Context<SupervisorMessage>, value: AccountClient) {
        ctx.watch_panics(&value, SupervisorMessage::Panicked).expect("a client of one instance");
        ctx.watch(&value, SupervisorMessage::Gone).expect("a client of one instance");
    }

    fn panicked(&mut self, _ctx: &mut Context<SupervisorMessage>, value: PanicEvent) {
        println!("{value}");
        self.done.send(value.origin.variant().unwrap_or("other code")).unwrap_or_default();
    }

    fn gone(&mut self, ctx: &mut Context<SupervisorMessage>, value: Ended) {
        println!("{value}");
        if let End::Panicked(_) = value.why {
            let thread = ActorThread::named("replacement");
            let new = ctx.engine().replace_on(value.instance, thread, accounts(&self.journal));
            self.watch(ctx, new.expect("the place is free"));
            self.done.send("replaced").unwrap_or_default();
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    const LIMIT: Duration = Duration::from_secs(30);

    std::panic::set_hook(Box::new(|_| {})); // the panics of this program are meant
    let journal = Journal::default();
    let engine = ActorEngine::new();
    engine.on_panic(|_| {}); // the supervisor tells of them
    let (back, restarts) = mpsc::channel();
    engine.on_restart(move |restarted| back.send(restarted.instance).unwrap_or_default());
    let (ended, ends) = mpsc::channel();
    engine.on_end(move |end| ended.send(end.message).unwrap_or_default());

    let pool = engine.pool(3, accounts(&journal))?;
    let (done, heard) = mpsc::channel();
    let kept = Arc::clone(&journal);
    // Without a supervisor nothing makes sense: if it panics, the engine stops.
    let supervisor = SupervisorMessage::actor(move || Supervisor { journal: Arc::clone(&kept), done: done.clone() });
    let supervisor = engine.start(supervisor.restart(Restart::never().or_stop_engine()))?;
    for instance in pool.instances() {
        supervisor.watch(pool.pin(instance))?;
    }
    for account in 0..30 {
        pool.deposit(account, 100)?;
    }

    let before = pool.instances();
    assert!(pool.deposit(7, 0).is_err()); // built again by the engine
    assert_eq!(heard.recv_timeout(LIMIT)?, "Deposit");
    let restarted = restarts.recv_timeout(LIMIT)?;
    assert!(before.contains(&restarted));
    assert_eq!(pool.instances(), before);
    assert!(pool.deposit(7, 0).is_err()); // ended, and replaced by the supervisor
    assert_eq!((heard.recv_timeout(LIMIT)?, heard.recv_timeout(LIMIT)?), ("Deposit", "replaced"));
    assert_eq!(ends.recv_timeout(LIMIT)?, "AccountMessage");

    // As many as before, in the same places: no other account has moved.
    let after = pool.instances();
    println!("{before:?}\n{after:?}");
    assert_eq!(before.iter().zip(&after).filter(|(old, new)| old != new).count(), 1);
    for account in 0..30 {
        assert_eq!(pool.deposit(account, 1)?, 101);
    }

    // By hand, to move an instance to a new thread, for example. What is queued for the old one is handled first.
    let new = engine.replace(after[0], accounts(&journal))?;
    assert_eq!(pool.instances().first().copied(), new.instance_id());
    assert_eq!(pool.deposit(7, 1)?, 102);

    println!("{}", engine.shutdown()?);
    Ok(())
}
