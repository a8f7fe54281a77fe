//! A message goes to the instance that its route says: pinned, by key, by load, or in turn.

use std::collections::{BTreeMap, HashMap};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, InstanceId, Pending, SendError, StopError, actor};
use zctor_tests::{Gate, bounded};

/// Keys whose places are compared before and after a change of the pool.
const KEYS: u64 = if cfg!(miri) { 60 } else { 1_000 };

/// Messages without a key.
#[actor(ctx)]
#[derive(Clone)]
enum EchoMessage {
    #[reply(InstanceId)]
    Place,
    /// A client bound to the instance that answers.
    #[reply(EchoClient)]
    Me,
    /// Messages handled so far, this one included.
    #[reply(u64)]
    Count,
    /// Waits at a gate.
    Hold { gate: Gate },
    /// Adds to the count.
    Note,
    /// Ends the instance.
    Leave,
    #[reply(())]
    Panic,
}

#[derive(Default)]
struct Echo {
    handled: u64,
}

impl EchoHandler for Echo {
    fn place(&mut self, ctx: &mut Context<EchoMessage>) -> InstanceId {
        self.handled += 1;
        ctx.instance_id()
    }

    fn me(&mut self, ctx: &mut Context<EchoMessage>) -> EchoClient {
        self.handled += 1;
        ctx.me()
    }

    fn count(&mut self, _ctx: &mut Context<EchoMessage>) -> u64 {
        self.handled += 1;
        self.handled
    }

    fn hold(&mut self, _ctx: &mut Context<EchoMessage>, gate: Gate) {
        self.handled += 1;
        gate.pass();
    }

    fn note(&mut self, _ctx: &mut Context<EchoMessage>) {
        self.handled += 1;
    }

    fn leave(&mut self, ctx: &mut Context<EchoMessage>) {
        ctx.stop();
    }

    fn panic(&mut self, _ctx: &mut Context<EchoMessage>) {
        panic!("asked to");
    }
}

/// Accounts of the owners that reach this instance.
#[actor(ctx)]
#[derive(Clone)]
enum AccountMessage {
    /// The instance that holds the account.
    #[reply(InstanceId)]
    Deposit {
        #[key]
        owner: String,
        amount: u64,
    },
    Withdraw {
        amount: u64,
        #[key]
        owner: String,
    },
    #[reply(u64)]
    Balance(#[key] String),
    /// Accounts held by the instance; no key, so in turn.
    #[reply((InstanceId, BTreeMap<String, u64>))]
    Audit,
}

#[derive(Default)]
struct Accounts {
    balances: BTreeMap<String, u64>,
}

impl AccountHandler for Accounts {
    fn deposit(&mut self, ctx: &mut Context<AccountMessage>, owner: String, amount: u64) -> InstanceId {
        *self.balances.entry(owner).or_default() += amount;
        ctx.instance_id()
    }

    fn withdraw(&mut self, _ctx: &mut Context<AccountMessage>, amount: u64, owner: String) {
        *self.balances.entry(owner).or_default() -= amount;
    }

    fn balance(&mut self, _ctx: &mut Context<AccountMessage>, value: String) -> u64 {
        self.balances.get(&value).copied().unwrap_or_default()
    }

    fn audit(&mut self, ctx: &mut Context<AccountMessage>) -> (InstanceId, BTreeMap<String, u64>) {
        (ctx.instance_id(), self.balances.clone())
    }
}

/// A number as the key.
#[actor(ctx)]
enum CellMessage {
    #[reply(InstanceId)]
    Touch {
        #[key]
        cell: u64,
    },
    #[reply(InstanceId)]
    Place,
}

struct Cells;

impl CellHandler for Cells {
    fn touch(&mut self, ctx: &mut Context<CellMessage>, _cell: u64) -> InstanceId {
        ctx.instance_id()
    }

    fn place(&mut self, ctx: &mut Context<CellMessage>) -> InstanceId {
        ctx.instance_id()
    }
}

/// Starts others on its thread.
#[actor(ctx)]
enum HostMessage {
    #[reply(EchoClient)]
    StartEcho,
}

struct Host;

impl HostHandler for Host {
    fn start_echo(&mut self, ctx: &mut Context<HostMessage>) -> EchoClient {
        ctx.start(EchoMessage::actor(Echo::default)).expect("the thread is live")
    }
}

fn echo_pool(engine: &ActorEngine, size: usize) -> EchoClient {
    engine.pool(size, EchoMessage::actor(Echo::default)).expect("the pool starts")
}

/// The place of each of the first [`KEYS`] numbers.
fn places_of_keys(echo: &EchoClient) -> Vec<InstanceId> {
    (0..KEYS).map(|key| echo.keyed(&key).place().expect("an instance answers")).collect()
}

#[test]
fn a_pinned_client_reaches_its_instance_only() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 4);
        let instances = echo.instances();
        let pinned = echo.pin(instances[2]);
        for _ in 0..5 {
            pinned.note().unwrap();
            assert_eq!(pinned.place().unwrap(), instances[2]);
        }
        assert_eq!(pinned.count().unwrap(), 11);
        assert_eq!(echo.pin(instances[1]).count().unwrap(), 1);
        assert_eq!(pinned.pin(instances[0]).place().unwrap(), instances[0]);
    });
}

#[test]
fn a_client_pinned_among_several_instances_of_one_thread_reaches_the_right_one() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = (0..3).fold(ActorThread::new(), |thread, _| thread.register(EchoMessage::actor(Echo::default)));
        engine.spawn(thread).unwrap();
        let echo = engine.client::<EchoMessage>().unwrap();
        for (index, instance) in echo.instances().into_iter().enumerate() {
            for _ in 0..index {
                echo.pin(instance).note().unwrap();
            }
            assert_eq!(echo.pin(instance).place().unwrap(), instance);
        }
        for (index, instance) in echo.instances().into_iter().enumerate() {
            assert_eq!(echo.pin(instance).count().unwrap(), u64::try_from(index).unwrap() + 2);
        }
    });
}

#[test]
fn a_client_pinned_to_an_instance_of_another_type_is_stopped() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 1);
        let cells = engine.pool(1, CellMessage::actor(|| Cells)).unwrap();
        let astray = echo.pin(cells.instances()[0]);
        assert!(matches!(astray.note(), Err(SendError::Stopped(_))));
        assert!(matches!(astray.place(), Err(CallError::Stopped { .. })));
        assert_eq!(cells.place().unwrap(), cells.instances()[0]);
    });
}

#[test]
fn a_key_reaches_the_same_instance_by_whatever_client() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 4);
        let first = places_of_keys(&echo);
        assert_eq!(places_of_keys(&engine.client::<EchoMessage>().unwrap()), first);
        assert_eq!(places_of_keys(&echo.clone()), first);
        let keyed = echo.keyed(&7_u64);
        for _ in 0..10 {
            assert_eq!(keyed.place().unwrap(), first[7]);
        }
    });
}

#[test]
fn keys_spread_over_all_instances() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 4);
        let mut shares = HashMap::<InstanceId, u64>::new();
        for place in places_of_keys(&echo) {
            *shares.entry(place).or_default() += 1;
        }
        assert_eq!(shares.len(), 4, "an instance has no key at all: {shares:?}");
        if !cfg!(miri) {
            let fair = KEYS / 4;
            assert!(shares.values().all(|&share| (fair / 2..=fair * 2).contains(&share)), "{shares:?}");
        }
    });
}

#[test]
fn a_borrowed_key_reaches_where_the_owned_one_does() {
    bounded(|| {
        let engine = ActorEngine::new();
        let account = engine.pool(5, AccountMessage::actor(Accounts::default)).unwrap();
        for owner in ["ada", "grace", "edsger", "barbara", "tony", ""] {
            let place = account.deposit(owner.to_owned(), 1).unwrap();
            let borrowed = account.keyed(owner);
            assert_eq!(borrowed.audit().unwrap().0, place);
            let owned = account.keyed(&owner.to_owned());
            assert_eq!(owned.audit().unwrap().0, place);
        }

        let cells = engine.pool(5, CellMessage::actor(|| Cells)).unwrap();
        for cell in 0..50 {
            let place = cells.touch(cell).unwrap();
            assert_eq!(cells.keyed(&cell).place().unwrap(), place);
        }
    });
}

#[test]
fn key_fields_shard_the_state_without_routing_code() {
    bounded(|| {
        let engine = ActorEngine::new();
        let account = engine.pool(3, AccountMessage::actor(Accounts::default)).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let account = engine.client::<AccountMessage>().unwrap();
                    for owner in 0..20_u64 {
                        account.deposit(format!("owner {owner}"), owner + 10).unwrap();
                        account.withdraw(1, format!("owner {owner}")).unwrap();
                        engine.send(AccountMessage::Withdraw { amount: 2, owner: format!("owner {owner}") }).unwrap();
                    }
                });
            }
        });
        for owner in 0..20_u64 {
            let balance = engine.call(AccountMessage::balance(format!("owner {owner}"))).unwrap();
            assert_eq!(balance, 4 * (owner + 10 - 3));
        }

        let mut holders = 0;
        for (_, audit) in account.call_all(AccountMessage::audit()).unwrap() {
            let (_, balances) = audit.unwrap();
            holders += balances.len();
        }
        assert_eq!(holders, 20, "each account is held once");
    });
}

#[test]
fn messages_without_a_key_still_go_in_turn_where_others_have_one() {
    bounded(|| {
        let engine = ActorEngine::new();
        let account = engine.pool(3, AccountMessage::actor(Accounts::default)).unwrap();
        let instances = account.instances();
        for turn in 0..7 {
            account.deposit("ada".to_owned(), 1).unwrap();
            assert_eq!(account.audit().unwrap().0, instances[turn % 3]);
        }
    });
}

#[test]
fn a_bound_client_beats_the_key_field() {
    bounded(|| {
        let engine = ActorEngine::new();
        let account = engine.pool(3, AccountMessage::actor(Accounts::default)).unwrap();
        for instance in account.instances() {
            let pinned = account.pin(instance);
            for owner in ["ada", "grace", "edsger", "barbara"] {
                assert_eq!(pinned.deposit(owner.to_owned(), 1).unwrap(), instance);
                assert_eq!(pinned.balance(owner.to_owned()).unwrap(), 1);
            }
        }

        // A client bound to a key is bound too: its key wins over the message's.
        let home = account.deposit("ada".to_owned(), 0).unwrap();
        let keyed = account.keyed("ada");
        for owner in 0..20 {
            assert_eq!(keyed.deposit(format!("owner {owner}"), 1).unwrap(), home);
        }
    });
}

#[test]
fn the_key_field_beats_least_loaded() {
    bounded(|| {
        let engine = ActorEngine::new();
        let account = engine.pool(3, AccountMessage::actor(Accounts::default)).unwrap();
        for owner in ["ada", "grace", "edsger", "barbara"] {
            let home = account.deposit(owner.to_owned(), 1).unwrap();
            for _ in 0..4 {
                let place = account.least_loaded().deposit(owner.to_owned(), 1).unwrap();
                assert_eq!(place, home);
            }
        }
    });
}

#[test]
fn about_one_key_in_n_moves_when_the_pool_grows() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 4);
        let before = places_of_keys(&echo);
        engine.spawn(ActorThread::new().register(EchoMessage::actor(Echo::default))).unwrap();
        let newcomer = echo.instances()[4];
        let after = places_of_keys(&echo);

        let mut moved = 0;
        for (before, after) in before.iter().zip(&after) {
            if before != after {
                assert_eq!(*after, newcomer, "a key moves to the newcomer or not at all");
                moved += 1;
            }
        }
        if !cfg!(miri) {
            let expected = KEYS / 5;
            assert!((expected / 2..=expected * 2).contains(&moved), "{moved} of {KEYS} keys moved");
        }
    });
}

#[test]
fn only_the_keys_of_the_one_that_left_move_when_the_pool_shrinks() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 5);
        let before = places_of_keys(&echo);
        let leaver = echo.instances()[1];
        echo.pin(leaver).leave().unwrap();
        engine.settle();
        let after = places_of_keys(&echo);
        for (before, after) in before.iter().zip(&after) {
            assert_ne!(*after, leaver);
            assert!(before == after || *before == leaver);
        }
    });
}

#[test]
fn a_restart_keeps_the_keys_and_the_pins() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 3);
        let before = places_of_keys(&echo);
        let restarted = echo.instances()[1];
        let pinned = echo.pin(restarted);
        pinned.note().unwrap();
        assert!(matches!(pinned.panic(), Err(CallError::Panicked { .. })));
        assert_eq!(pinned.count().unwrap(), 1, "the state is a fresh one");
        assert_eq!(pinned.place().unwrap(), restarted);
        assert_eq!(places_of_keys(&echo), before);
    });
}

#[test]
fn least_loaded_passes_over_those_that_are_busy() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 3);
        let instances = echo.instances();
        let gate = Gate::new();
        for instance in &instances[..2] {
            let pinned = echo.pin(*instance);
            pinned.hold(gate.clone()).unwrap();
            for _ in 0..10 {
                pinned.note().unwrap();
            }
        }
        gate.await_arrivals(2);
        let least_loaded = echo.least_loaded();
        for _ in 0..5 {
            assert_eq!(least_loaded.place().unwrap(), instances[2]);
        }
        gate.open();
        for instance in &instances[..2] {
            assert_eq!(echo.pin(*instance).count().unwrap(), 12);
        }
    });
}

#[test]
fn least_loaded_evens_out_a_backlog() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let instances = echo.instances();
        let gate = Gate::new();
        for instance in &instances {
            echo.pin(*instance).hold(gate.clone()).unwrap();
        }
        gate.await_arrivals(2);
        for _ in 0..20 {
            echo.pin(instances[0]).note().unwrap();
        }
        let least_loaded = echo.least_loaded();
        for _ in 0..15 {
            least_loaded.note().unwrap();
        }
        gate.open();
        // Both counted their own question and the hold; the whole backlog of the second stayed below the first's.
        assert_eq!(echo.pin(instances[0]).count().unwrap(), 22);
        assert_eq!(echo.pin(instances[1]).count().unwrap(), 17);
    });
}

#[test]
fn least_loaded_knows_the_length_of_a_batch() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let instances = echo.instances();
        let gate = Gate::new();
        for instance in &instances {
            echo.pin(*instance).hold(gate.clone()).unwrap();
        }
        gate.await_arrivals(2);
        let batch = vec![EchoMessage::Note; 100];
        assert_eq!(echo.pin(instances[0]).send_all(batch).unwrap(), 100);
        for _ in 0..5 {
            echo.pin(instances[1]).note().unwrap();
        }
        let least_loaded = echo.least_loaded();
        for _ in 0..10 {
            least_loaded.note().unwrap();
        }
        gate.open();
        assert_eq!(echo.pin(instances[0]).count().unwrap(), 102);
        assert_eq!(echo.pin(instances[1]).count().unwrap(), 17);
    });
}

#[test]
fn a_pool_whose_instances_all_back_off_takes_mail_by_every_route() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new()
            .register(EchoMessage::actor(Echo::default))
            .register(AccountMessage::actor(Accounts::default));
        engine.spawn(thread).unwrap();
        let echo = engine.client::<EchoMessage>().unwrap();
        // From the third panic on the rebuild waits, each time twice as long: the last time a third of a second.
        for _ in 0..8 {
            assert!(matches!(echo.panic(), Err(CallError::Panicked { .. })));
        }
        // Its neighbour answers after the thread is done with the panic.
        engine.call(AccountMessage::audit()).unwrap();
        echo.note().unwrap();
        echo.pin(echo.instances()[0]).note().unwrap();
        echo.keyed("a key").note().unwrap();
        echo.least_loaded().note().unwrap();
        assert_eq!(echo.least_loaded().count().unwrap(), 5);
    });
}

#[test]
fn a_later_tenant_of_a_place_is_not_taken_for_an_earlier_one() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread =
            ActorThread::new().register(HostMessage::actor(|| Host)).register(EchoMessage::actor(Echo::default));
        engine.spawn(thread).unwrap();
        let mut ids = Vec::new();
        let mut echo = engine.client::<EchoMessage>().unwrap();
        echo = echo.pin(echo.instances()[0]);
        for _ in 0..5 {
            let id = echo.instance_id().unwrap();
            assert!(!ids.contains(&id), "{id} was given twice");
            ids.push(id);
            echo.leave().unwrap();
            // Behind its end, so a dead letter, and not for the next one in its place.
            let late = echo.note();
            let next = engine.call(HostMessage::start_echo()).unwrap();
            assert!(matches!(echo.note(), Err(SendError::Stopped(_))));
            assert!(matches!(echo.place(), Err(CallError::Stopped { .. })));
            assert!(matches!(echo.stop(), Err(StopError::Stopped { .. })));
            assert!(matches!(late, Ok(()) | Err(SendError::Stopped(_))));
            assert_eq!(next.count().unwrap(), 1);
            assert_ne!(next, echo);
            echo = next;
        }
    });
}

#[test]
fn an_instances_own_client_reaches_that_instance() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 3);
        for instance in echo.instances() {
            let me = echo.me().unwrap();
            assert_eq!(me.instance_id(), Some(instance));
            for _ in 0..3 {
                assert_eq!(me.place().unwrap(), instance);
            }
            assert_eq!(me, echo.pin(instance));
        }
    });
}

#[test]
fn a_started_instance_has_a_client_of_its_own_and_no_pool() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let first = engine.start(EchoMessage::actor(Echo::default)).unwrap();
        let second = engine.start(EchoMessage::actor_once(Echo::default)).unwrap();

        assert_ne!(first, second);
        assert_ne!(first, echo);
        assert_eq!(first, first.clone());
        assert_eq!(first.me().unwrap(), first);
        for client in [&first, &second] {
            let id = client.instance_id().unwrap();
            assert_eq!(client.place().unwrap(), id);
            assert!(!echo.instances().contains(&id));
        }

        // Neither rotation, nor keys, nor broadcast know them.
        let pool = echo.instances();
        for _ in 0..4 {
            assert!(pool.contains(&echo.place().unwrap()));
        }
        for key in 0..20_u64 {
            assert!(pool.contains(&echo.keyed(&key).place().unwrap()));
        }
        assert_eq!(echo.broadcast(EchoMessage::Note).unwrap(), 2);
        assert_eq!(first.count().unwrap(), 3, "two places and this count");
    });
}

#[test]
fn clients_are_equal_when_they_reach_the_same() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let instances = echo.instances();
        assert_eq!(echo, echo.clone());
        assert_eq!(echo, engine.client::<EchoMessage>().unwrap());
        assert_eq!(echo.pin(instances[0]), echo.pin(instances[0]));
        assert_ne!(echo.pin(instances[0]), echo.pin(instances[1]));
        assert_ne!(echo.pin(instances[0]), echo);
        assert_eq!(echo.keyed("a key"), echo.keyed("a key"));
        assert_ne!(echo.keyed("a key"), echo);
        assert_eq!(echo.least_loaded(), echo.least_loaded());
        assert_ne!(echo.least_loaded(), echo);

        let other = ActorEngine::new();
        assert_ne!(echo, echo_pool(&other, 2));
    });
}

#[test]
fn only_a_client_bound_to_one_instance_has_an_instance_id() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let instances = echo.instances();
        assert_eq!(echo.instance_id(), None);
        assert_eq!(echo.keyed("a key").instance_id(), None);
        assert_eq!(echo.least_loaded().instance_id(), None);
        assert_eq!(echo.pin(instances[1]).instance_id(), Some(instances[1]));
        assert_eq!(echo.pin(instances[1]).non_blocking().instance_id(), Some(instances[1]));
    });
}

#[test]
fn only_a_client_bound_to_one_instance_can_stop_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let instances = echo.instances();
        assert!(matches!(echo.stop(), Err(StopError::Unbound { .. })));
        let pinned = echo.pin(instances[0]);
        // In its place in the queue: what was sent before is handled before.
        let answer = pinned.request(EchoMessage::place());
        pinned.stop().unwrap();
        assert_eq!(answer.wait().unwrap(), instances[0]);
        engine.settle();
        assert_eq!(echo.instances(), [instances[1]]);
        assert!(matches!(pinned.stop(), Err(StopError::Stopped { .. })));
    });
}

#[test]
fn a_client_that_is_bound_keeps_its_view() {
    bounded(|| {
        let engine = ActorEngine::new();
        let echo = echo_pool(&engine, 2);
        let ids = echo.instances();
        let pinned: Pending<InstanceId> = echo.non_blocking().pin(ids[1]).place();
        let keyed: Pending<InstanceId> = echo.non_blocking().keyed(&1).place();
        let idle: Pending<InstanceId> = echo.non_blocking().least_loaded().place();
        assert_eq!(pinned.wait(), Ok(ids[1]));
        assert_eq!(keyed.wait(), echo.keyed(&1).place());
        assert!(ids.contains(&idle.wait().unwrap()));
    });
}
