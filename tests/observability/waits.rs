//! Of handlers that wait for one another, the one that all wait for is named, with the times.

use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, ReplyTo, WaitForest, actor, first};
use zctor_tests::{Gate, bounded};

use crate::work::look_until;

const HELD: Duration = Duration::from_millis(200);

/// How much less than the truth the time may be that a handler has run: it begins before its callers are listed, but
/// when its thread woke up is known to within two steps of a millisecond.
const RESOLUTION: Duration = Duration::from_millis(5);

#[actor(ctx)]
enum DatabaseMessage {
    #[reply(())]
    UserOf(Gate),
}

struct Database;

impl DatabaseHandler for Database {
    fn user_of(&mut self, _: &mut Context<DatabaseMessage>, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(DatabaseMessage))]
enum AuthMessage {
    #[reply(())]
    Check(Gate),
}

struct Auth;

impl AuthHandler for Auth {
    fn check(&mut self, ctx: &mut Context<AuthMessage>, gate: Gate) {
        ctx.call(DatabaseMessage::user_of(gate)).expect("the database answers");
    }
}

#[actor(calls(AuthMessage))]
enum WebMessage {
    Page(Gate),
}

struct Web;

impl WebHandler for Web {
    fn page(&mut self, ctx: &mut Context<WebMessage>, gate: Gate) {
        ctx.call(AuthMessage::check(gate)).expect("auth answers");
    }
}

/// Threads `db`, `auth`, `web`, in this order.
fn service() -> ActorEngine {
    let engine = ActorEngine::new();
    engine.spawn(ActorThread::named("db").register(DatabaseMessage::actor(|| Database))).expect("it starts");
    engine.spawn(ActorThread::named("auth").register(AuthMessage::actor(|| Auth))).expect("it starts");
    engine.spawn(ActorThread::named("web").register(WebMessage::actor(|| Web))).expect("it starts");
    engine
}

#[test]
fn a_chain_of_waits_ends_in_the_handler_that_runs_with_times() {
    bounded(|| {
        let engine = service();
        assert!(engine.stats().waits().roots.is_empty());
        let gate = Gate::new();
        engine.send(WebMessage::Page(gate.clone())).expect("it lives");
        gate.await_arrivals(1);
        let forest = look_until(
            || engine.stats().waits(),
            |forest| {
                let handlers = || forest.roots.iter().flat_map(|root| &root.handlers);
                handlers().count() == 2 && handlers().all(|one| one.wait.lasted >= HELD)
            },
        );
        let [root] = &forest.roots[..] else { panic!("one chain has one root: {forest}") };
        let ids: Vec<_> = engine.instances().iter().map(|one| one.id).collect();
        assert_eq!((root.name.as_str(), root.message, root.variant), ("db", Some("DatabaseMessage"), Some("UserOf")));
        assert_eq!(root.runs, Some(ids[0]));
        assert!(root.lasted >= HELD - RESOLUTION, "it has run as long as they have waited: {forest}");
        let chain: Vec<_> =
            root.handlers.iter().map(|one| (one.wait.message, one.wait.variant, one.distance)).collect();
        assert_eq!(chain, [("WebMessage", Some("Page"), 2), ("AuthMessage", Some("Check"), 1)]);
        let callees: Vec<_> = root
            .handlers
            .iter()
            .map(|one| (one.wait.callee, one.wait.callee_variant, one.wait.callee_instance))
            .collect();
        let expected =
            [("AuthMessage", Some("Check"), Some(ids[1])), ("DatabaseMessage", Some("UserOf"), Some(ids[0]))];
        assert_eq!(callees, expected);
        let text = forest.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], "2 handlers wait, all for one:");
        assert!(lines[1].starts_with("`WebMessage::Page` 2.0 waits "), "{text}");
        assert!(lines[1].ends_with(" for `AuthMessage::Check` 1.0 on thread 1"), "{text}");
        assert!(lines[3].starts_with("`DatabaseMessage::UserOf` 0.0 RUNS for "), "the culprit comes last: {text}");
        assert!(lines[3].contains(" on thread 0 `db` and waits for no actor; nothing else is queued there"), "{text}");
        gate.open();
        engine.settle();
        assert_eq!(engine.stats().waits().to_string(), "nothing waits");
    });
}

#[test]
fn the_first_look_knows_how_long_a_handler_has_run_that_somebody_waits_for() {
    bounded(|| {
        let engine = service();
        let database: DatabaseClient = engine.client::<DatabaseMessage>().expect("it lives");
        let [first, second, third] = [(); 3].map(|()| Gate::new());
        // The thread does not sleep between the first two, so its clock does not tell when the second began.
        for gate in [&first, &second] {
            database.non_blocking().user_of(gate.clone()).detach();
        }
        first.await_arrivals(1);
        first.open();
        second.await_arrivals(1);
        engine.send(AuthMessage::Check(third.clone())).expect("it lives");
        thread::park_timeout(HELD); // looks would tell the time too
        let stats = engine.stats();
        let forest = stats.waits();
        let [root] = &forest.roots[..] else { panic!("auth waits for the database: {forest}") };
        let waited = root.handlers[0].wait.lasted;
        assert!(root.lasted >= waited - RESOLUTION.min(waited), "{forest}");
        assert!(root.oldest >= root.lasted, "{forest}");
        second.open();
        // The third has not run for the time that auth waited for the second.
        third.await_arrivals(1);
        let forest = engine.stats().waits();
        let [root] = &forest.roots[..] else { panic!("auth waits for the database: {forest}") };
        assert!(root.lasted < root.handlers[0].wait.lasted, "{forest}");
        let forest = look_until(|| engine.stats().waits(), |forest| !forest.roots[0].lasted.is_zero());
        assert!(forest.to_string().contains(" perhaps for "), "{forest}");
        third.open();
    });
}

#[test]
fn several_that_wait_for_one_are_in_its_block_and_others_have_their_own() {
    bounded(|| {
        let engine = service();
        engine.spawn(ActorThread::named("db-1").register(DatabaseMessage::actor(|| Database))).expect("it starts");
        for number in 1..=2 {
            let name = format!("auth-{number}");
            engine.spawn(ActorThread::named(name).register(AuthMessage::actor(|| Auth))).expect("it starts");
        }
        let auth: AuthClient = engine.client::<AuthMessage>().expect("it lives");
        let gate = Gate::new();
        // In turn: the first and the third wait for one database, the second for the other.
        for held in 0..3 {
            auth.non_blocking().check(gate.clone()).detach();
            if held < 2 {
                gate.await_arrivals(held + 1);
            } else {
                look_until(
                    || engine.stats(),
                    |stats| stats.threads.iter().filter(|one| !one.waits.is_empty()).count() == 3,
                );
            }
        }
        let forest = engine.stats().waits();
        let blocks: Vec<_> = forest.roots.iter().map(|root| (root.name.as_str(), root.handlers.len())).collect();
        assert_eq!(blocks, [("db", 2), ("db-1", 1)], "{forest}");
        gate.open();
    });
}

#[test]
fn a_wait_for_a_handler_of_ones_own_thread_names_what_runs_there() {
    bounded(|| {
        let engine = ActorEngine::new();
        // Web and auth share a thread: auth is served during the wait of web, and waits in turn.
        engine.spawn(ActorThread::named("db").register(DatabaseMessage::actor(|| Database))).expect("it starts");
        let shared =
            ActorThread::named("front").register(WebMessage::actor(|| Web)).register(AuthMessage::actor(|| Auth));
        engine.spawn(shared).expect("it starts");
        let gate = Gate::new();
        engine.send(WebMessage::Page(gate.clone())).expect("it lives");
        gate.await_arrivals(1);
        let forest = look_until(|| engine.stats().waits(), |forest| !forest.roots.is_empty());
        assert!(forest.roots.iter().all(|root| root.name == "db"), "{forest}");
        gate.open();
    });
}

/// Looks at the waits until there are so many of handlers, and so many of threads outside.
fn waits(engine: &ActorEngine, handlers: usize, callers: usize) -> WaitForest {
    look_until(
        || engine.stats().waits(),
        |forest| {
            let count = |of: fn(&zctor::WaitRoot) -> usize| forest.roots.iter().map(of).sum::<usize>();
            (count(|root| root.handlers.len()), count(|root| root.callers.len())) == (handlers, callers)
        },
    )
}

#[test]
fn threads_outside_are_counted_and_named_at_the_root_that_they_wait_for() {
    bounded(|| {
        let engine = service();
        let gate = Gate::new();
        thread::scope(|scope| {
            let start = |name: &str, work: Box<dyn FnOnce() + Send>| {
                thread::Builder::new().name(name.into()).spawn_scoped(scope, work).expect("it starts");
            };
            let auth: AuthClient = engine.client::<AuthMessage>().expect("it lives");
            let held = gate.clone();
            start("reader", Box::new(move || auth.check(held).expect("auth answers")));
            gate.await_arrivals(1);
            let database: DatabaseClient = engine.client::<DatabaseMessage>().expect("it lives");
            let held = gate.clone();
            start("writer", Box::new(move || database.user_of(held).expect("the database answers")));
            let forest = waits(&engine, 1, 2);
            let [root] = &forest.roots[..] else { panic!("all wait for one: {forest}") };
            let callers: Vec<_> = root
                .callers
                .iter()
                .map(|one| (one.caller.thread.as_deref(), one.caller.callee_variant, one.distance))
                .collect();
            assert_eq!(callers, [(Some("reader"), Some("Check"), 2), (Some("writer"), Some("UserOf"), 1)]);
            assert_eq!((root.message, root.variant, root.queued), (Some("DatabaseMessage"), Some("UserOf"), 2));
            let text = forest.to_string();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines[0], "1 handler and 2 threads outside wait, all for one:");
            assert!(lines[1].starts_with("  thread `reader` outside waits "), "{text}");
            assert!(lines[2].starts_with("    thread `writer` outside waits "), "{text}");
            assert!(lines[4].starts_with("      `DatabaseMessage::UserOf` 0.0 RUNS "), "{text}");
            gate.open();
        });
        assert!(engine.stats().callers.is_empty());
    });
}

#[actor]
enum NoiseMessage {
    Make(Gate),
}

struct Noise;

impl NoiseHandler for Noise {
    fn make(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[test]
fn a_call_behind_the_handler_of_a_neighbour_says_so() {
    bounded(|| {
        let engine = ActorEngine::new();
        let shared =
            ActorThread::new().register(DatabaseMessage::actor(|| Database)).register(NoiseMessage::actor(|| Noise));
        engine.spawn(shared).expect("it starts");
        engine.spawn(ActorThread::new().register(AuthMessage::actor(|| Auth))).expect("it starts");
        let gate = Gate::new();
        engine.send(NoiseMessage::Make(gate.clone())).expect("it lives");
        gate.await_arrivals(1);
        let auth: AuthClient = engine.client::<AuthMessage>().expect("it lives");
        auth.non_blocking().check(gate.clone()).detach();
        let forest = waits(&engine, 1, 0);
        let [root] = &forest.roots[..] else { panic!("it waits for one: {forest}") };
        assert_eq!(
            (root.message, root.variant),
            (Some("NoiseMessage"), None),
            "it was sent, so nobody says of what kind"
        );
        assert_eq!(root.handlers[0].behind, root.runs);
        let text = forest.to_string();
        assert!(text.contains(" for `DatabaseMessage::UserOf` 0.0 on thread 0, queued behind 0.1\n"), "{text}");
        gate.open();
    });
}

#[actor]
enum DoorMessage {
    #[reply((), deferred)]
    Pass,
    Open,
}

#[derive(Default)]
struct Door(Vec<ReplyTo<()>>);

impl DoorHandler for Door {
    fn pass(&mut self, reply: ReplyTo<()>) {
        self.0.push(reply);
    }
    fn open(&mut self) {
        self.0.drain(..).for_each(|reply| reply.send(()));
    }
}

#[test]
fn a_reply_that_a_handler_keeps_is_told_from_one_that_a_handler_works_on() {
    bounded(|| {
        let engine = ActorEngine::new();
        let door: DoorClient = engine.start(DoorMessage::actor(Door::default)).expect("it starts");
        thread::scope(|scope| {
            scope.spawn(|| door.pass().expect("the door opens"));
            let forest = waits(&engine, 0, 1);
            engine.settle();
            let text = look_until(|| engine.stats().waits().to_string(), |text| text.contains("nothing runs"));
            assert!(text.starts_with("1 thread outside waits:\n"), "{text}");
            assert!(text.contains(" for `DoorMessage::Pass` 0.0 on thread 0"), "{text}");
            assert!(text.contains("a handler that has returned keeps the reply"), "{text}");
            assert_eq!(forest.roots[0].callers[0].caller.callee_instance, door.instance_id());
            door.open().expect("it lives");
        });
    });
}

#[actor(calls(DatabaseMessage))]
enum FanMessage {
    One(DatabaseClient, Gate),
    First(DatabaseClient, Gate),
    Twice(DatabaseClient, Gate, Gate),
}

struct Fan;

impl FanHandler for Fan {
    fn one(&mut self, _: &mut Context<FanMessage>, database: DatabaseClient, gate: Gate) {
        database.non_blocking().user_of(gate).wait().expect("the database answers");
    }
    fn first(&mut self, _: &mut Context<FanMessage>, database: DatabaseClient, gate: Gate) {
        first([database.non_blocking().user_of(gate)]).wait().expect("the database answers");
    }
    fn twice(&mut self, ctx: &mut Context<FanMessage>, database: DatabaseClient, first: Gate, second: Gate) {
        ctx.call(DatabaseMessage::user_of(first)).expect("the database answers");
        database.user_of(second).expect("the database answers");
    }
}

#[test]
fn a_wait_for_a_pending_knows_the_instance_and_not_the_variant() {
    bounded(|| {
        let engine = ActorEngine::new();
        let database: DatabaseClient = engine.start(DatabaseMessage::actor(|| Database)).expect("it starts");
        let fan: FanClient = engine.start(FanMessage::actor(|| Fan)).expect("it starts");
        for (message, variant) in [(FanMessage::One as fn(_, _) -> _, "One"), (FanMessage::First, "First")] {
            let gate = Gate::new();
            fan.send(message(database.clone(), gate.clone())).expect("it lives");
            let forest = waits(&engine, 1, 0);
            let waiting = forest.roots[0].handlers[0].wait;
            assert_eq!((waiting.variant, waiting.callee_variant), (Some(variant), None));
            assert_eq!(waiting.callee_instance, database.instance_id());
            gate.open();
            engine.settle();
        }
    });
}

#[test]
fn each_wait_of_a_handler_says_its_variant_whatever_was_served_in_the_one_before() {
    bounded(|| {
        let engine = ActorEngine::new();
        let database: DatabaseClient = engine.start(DatabaseMessage::actor(|| Database)).expect("it starts");
        // The first call is for an instance of the fan's own thread, which is served in the wait or on the spot.
        let shared =
            ActorThread::new().register(DatabaseMessage::actor(|| Database)).register(FanMessage::actor(|| Fan));
        engine.spawn(shared).expect("it starts");
        let (opened, gate) = (Gate::new(), Gate::new());
        opened.open();
        engine.send(FanMessage::Twice(database.clone(), opened, gate.clone())).expect("it lives");
        let forest = waits(&engine, 1, 0);
        let waiting = forest.roots[0].handlers[0].wait;
        assert_eq!((waiting.message, waiting.variant), ("FanMessage", Some("Twice")));
        assert_eq!(waiting.callee_instance, database.instance_id());
        gate.open();
    });
}

#[actor(calls(AuthMessage, DatabaseMessage))]
enum RelayMessage {
    OnTheSpot(AuthClient, DatabaseClient, Gate, Gate),
    Served(AuthClient, DatabaseClient, Gate, Gate),
}

struct Relay;

impl RelayHandler for Relay {
    fn on_the_spot(
        &mut self,
        _: &mut Context<RelayMessage>,
        auth: AuthClient,
        database: DatabaseClient,
        first: Gate,
        second: Gate,
    ) {
        auth.check(first).expect("auth answers");
        database.user_of(second).expect("the database answers");
    }
    fn served(
        &mut self,
        _: &mut Context<RelayMessage>,
        auth: AuthClient,
        database: DatabaseClient,
        first: Gate,
        second: Gate,
    ) {
        auth.non_blocking().check(first).wait().expect("auth answers");
        database.user_of(second).expect("the database answers");
    }
}

#[test]
fn a_handler_that_waits_itself_in_the_wait_of_another_leaves_that_its_variant() {
    bounded(|| {
        let engine = ActorEngine::new();
        let database: DatabaseClient = engine.pool(1, DatabaseMessage::actor(|| Database)).expect("it starts");
        let shared = ActorThread::new().register(AuthMessage::actor(|| Auth)).register(RelayMessage::actor(|| Relay));
        engine.spawn(shared).expect("it starts");
        let auth: AuthClient = engine.client::<AuthMessage>().expect("it lives");
        let messages = [RelayMessage::OnTheSpot as fn(_, _, _, _) -> _, RelayMessage::Served];
        for (message, variant) in messages.into_iter().zip(["OnTheSpot", "Served"]) {
            let (opened, gate) = (Gate::new(), Gate::new());
            opened.open();
            engine.send(message(auth.clone(), database.clone(), opened, gate.clone())).expect("it lives");
            gate.await_arrivals(1);
            let forest = waits(&engine, 1, 0);
            assert_eq!(forest.roots[0].handlers[0].wait.variant, Some(variant), "{forest}");
            let runs = engine.stats().threads[1].runs.expect("the relay runs");
            assert_eq!((runs.message, runs.variant), ("RelayMessage", Some(variant)));
            gate.open();
            engine.settle();
        }
    });
}

#[test]
fn a_wait_for_another_engine_is_listed_in_both() {
    bounded(|| {
        let (there, here) = (ActorEngine::new(), ActorEngine::new());
        let database: DatabaseClient = there.start(DatabaseMessage::actor(|| Database)).expect("it starts");
        let fan: FanClient = here.start_on(ActorThread::named("fan"), FanMessage::actor(|| Fan)).expect("it starts");
        let gate = Gate::new();
        fan.send(FanMessage::One(database.clone(), gate.clone())).expect("it lives");
        gate.await_arrivals(1);
        let forest = waits(&here, 1, 0);
        assert!(forest.roots[0].is_elsewhere, "{forest}");
        // Its number there is that of a thread here.
        assert_eq!((forest.roots[0].thread.index(), forest.roots[0].own_thread()), (0, None));
        assert!(
            forest.to_string().ends_with("thread 0 of another engine: look at the waits of that engine"),
            "{forest}"
        );
        let forest = waits(&there, 0, 1);
        assert_eq!(forest.roots[0].callers[0].caller.thread.as_deref(), Some("fan"));
        assert_eq!(forest.roots[0].message, Some("DatabaseMessage"));
        assert_eq!(forest.roots[0].own_thread(), Some(forest.roots[0].thread));
        gate.open();
    });
}
