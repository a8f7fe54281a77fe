//! Of handlers that wait for one another, the one that all wait for is named, with the times.

use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_tests::{Gate, bounded};

use crate::work::look_until;

const HELD: Duration = Duration::from_millis(200);

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
                handlers().count() == 2 && handlers().all(|one| one.lasted >= HELD)
            },
        );
        let [root] = &forest.roots[..] else { panic!("one chain has one root: {forest}") };
        assert_eq!((root.name.as_str(), root.message), ("db", Some("DatabaseMessage")));
        assert_eq!(root.runs, Some(engine.instances()[0].id));
        let chain: Vec<_> = root.handlers.iter().map(|one| (one.message, one.callee, one.distance)).collect();
        assert_eq!(chain, [("WebMessage", "AuthMessage", 2), ("AuthMessage", "DatabaseMessage", 1)]);
        let text = forest.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], "2 handlers wait, all for one:");
        assert!(lines[1].starts_with("`WebMessage` 2.0 waits ") && lines[1].ends_with("for `AuthMessage` on thread 1"));
        assert!(lines[3].starts_with("`DatabaseMessage` 0.0 RUNS on thread 0 `db`"), "the culprit comes last: {text}");
        gate.open();
        engine.settle();
        assert_eq!(engine.stats().waits().to_string(), "no handler waits");
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
