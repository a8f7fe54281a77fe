//! With the feature `tracing`, every routing decision is an event that tells the thread, which of the options it is,
//! and how many there were.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Once;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_global_default;
use tracing::{Event, Metadata, Subscriber};
use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_tests::{Counter, Gate, bounded};

/// A routing decision: the thread, which option it is, and of how many.
type Decision = (usize, usize, usize);

#[actor(ctx)]
#[derive(Clone)]
enum WorkerMessage {
    Process {
        task: u32,
    },
    #[reply(usize)]
    Place,
    /// Sends from inside, and tells what was decided on this thread.
    #[reply(Vec<Decision>)]
    PassOn,
    File {
        #[key]
        cabinet: u64,
    },
    #[reply(())]
    Break,
    /// Sends to a neighbour behind its end.
    #[reply(())]
    Lose,
    /// The texts of this thread's events since the last look.
    #[reply(Vec<String>)]
    Told,
    /// Those events with all their fields.
    #[reply(Vec<Fields>)]
    Events,
    Hold(Gate),
}

struct Worker;

impl WorkerHandler for Worker {
    fn process(&mut self, _ctx: &mut Context<WorkerMessage>, _task: u32) {}

    fn place(&mut self, ctx: &mut Context<WorkerMessage>) -> usize {
        ctx.thread_id().index()
    }

    fn pass_on(&mut self, ctx: &mut Context<WorkerMessage>) -> Vec<Decision> {
        decisions();
        ctx.send(WorkerMessage::Process { task: 0 }).expect("it is live itself");
        decisions()
    }

    fn file(&mut self, _ctx: &mut Context<WorkerMessage>, _cabinet: u64) {}

    fn r#break(&mut self, _ctx: &mut Context<WorkerMessage>) {
        panic!("broken");
    }

    fn lose(&mut self, ctx: &mut Context<WorkerMessage>) {
        let neighbour = ctx.start(WorkerMessage::actor(|| Worker)).expect("its factory cannot fail");
        neighbour.stop().expect("it is live");
        neighbour.process(1).expect("it is live until its end is served");
    }

    fn events(&mut self, _ctx: &mut Context<WorkerMessage>) -> Vec<Fields> {
        EVENTS.take()
    }

    fn hold(&mut self, _ctx: &mut Context<WorkerMessage>, gate: Gate) {
        gate.pass();
    }

    fn told(&mut self, _ctx: &mut Context<WorkerMessage>) -> Vec<String> {
        EVENTS.take().into_iter().filter_map(|mut fields| fields.remove("message")).collect()
    }
}

type Fields = BTreeMap<&'static str, String>;

thread_local! {
    /// The events of this thread since the last look.
    static EVENTS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
}

thread_local! {
    /// The actor that the events of this thread are sent to, each as a line.
    static LOG: RefCell<Option<LogClient>> = const { RefCell::new(None) };
}

#[actor]
enum LogMessage {
    Line(String),
    #[reply(Vec<String>)]
    Lines,
}

#[derive(Default)]
struct Log(Vec<String>);

impl LogHandler for Log {
    fn line(&mut self, line: String) {
        self.0.push(line);
    }
    fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

/// The decisions of this thread since the last look.
fn decisions() -> Vec<Decision> {
    let number = |fields: &Fields, name| -> usize {
        let value = fields.get(name).unwrap_or_else(|| panic!("no field {name} in {fields:?}"));
        value.parse().unwrap_or_else(|_| panic!("{name} is no number in {fields:?}"))
    };
    EVENTS
        .take()
        .into_iter()
        .filter(|fields| fields.contains_key("option"))
        .map(|fields| (number(&fields, "thread"), number(&fields, "option"), number(&fields, "options")))
        .collect()
}

/// Runs a test under the watchdog, with the collector in place.
fn collected(body: impl FnOnce() + Send + 'static) {
    static INSTALLED: Once = Once::new();
    // One for the process, before the first event: with a collector a test, what `tracing` remembers of an event
    // depends on which test meets it first.
    INSTALLED.call_once(|| set_global_default(Collector).expect("nobody else installs one"));
    bounded(body);
}

/// Keeps the fields of every event of zctor's on the thread where it happens.
struct Collector;

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("zctor")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut visitor = Visitor::default();
        event.record(&mut visitor);
        visitor.fields.insert("level", event.metadata().level().to_string());
        if let Some(log) = LOG.with_borrow(Clone::clone) {
            // As a program does whose log is an actor.
            let _ = log.line(format!("{:?}", visitor.fields.get("message")));
        }
        EVENTS.with_borrow_mut(|events| events.push(visitor.fields));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Visitor {
    fields: Fields,
}

impl Visit for Visitor {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

#[test]
fn each_rotated_send_and_call_tells_its_thread_and_which_option_it_is() {
    collected(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(5, WorkerMessage::actor(|| Worker)).unwrap();
        for task in 1..=6 {
            engine.send(WorkerMessage::Process { task }).unwrap();
        }
        // The guide's own six tasks, "option {} of {}" counted from one.
        assert_eq!(decisions(), [(0, 1, 5), (1, 2, 5), (2, 3, 5), (3, 4, 5), (4, 5, 5), (0, 1, 5)]);
        let place = worker.place().unwrap();
        assert_eq!(decisions(), [(place, 2, 5)]);
    });
}

#[test]
fn each_message_of_a_batch_tells_its_decision() {
    collected(|| {
        let engine = ActorEngine::new();
        let worker: WorkerClient = engine.pool(3, WorkerMessage::actor(|| Worker)).unwrap();
        let batch = |count| (0..count).map(|task| WorkerMessage::Process { task });
        worker.send_all(batch(5)).unwrap();
        assert_eq!(decisions(), [(0, 1, 3), (1, 2, 3), (2, 3, 3), (0, 1, 3), (1, 2, 3)]);
        worker.send_all(batch(1)).unwrap();
        assert_eq!(decisions(), [(2, 3, 3)]);
        // Where one is chosen there is nothing to decide.
        worker.pin(worker.instances()[1]).send_all(batch(5)).unwrap();
        assert_eq!(decisions(), []);
    });
}

#[test]
fn a_decision_inside_a_handler_is_told_too() {
    collected(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(|| Worker)).unwrap();
        assert_eq!(worker.pass_on().unwrap(), [(1, 2, 3)]);
    });
}

#[test]
fn a_keyed_and_a_least_loaded_message_tell_where_they_go() {
    collected(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(|| Worker)).unwrap();
        for cabinet in 0..10_u64 {
            let place = worker.keyed(&cabinet).place().unwrap();
            assert_eq!(decisions(), [(place, place + 1, 3)]);
            worker.file(cabinet).unwrap();
            assert_eq!(decisions(), [(place, place + 1, 3)]);
        }
        let place = worker.least_loaded().place().unwrap();
        assert_eq!(decisions(), [(place, place + 1, 3)]);
    });
}

#[test]
fn a_message_for_a_bounded_mailbox_tells_where_it_goes_and_one_without_room_tells_nothing() {
    collected(|| {
        let engine = ActorEngine::new();
        let bounded = |_| ActorThread::new().mailbox_bound(2);
        let worker: WorkerClient = engine.pool_on(2, bounded, WorkerMessage::actor(|| Worker)).unwrap();
        let gates = [Gate::new(), Gate::new()];
        for gate in &gates {
            worker.hold(gate.clone()).unwrap();
            gate.await_arrivals(1);
        }
        assert_eq!(decisions(), [(0, 1, 2), (1, 2, 2)]);
        worker.process(0).unwrap();
        assert_eq!(worker.send_all([WorkerMessage::Process { task: 1 }]).unwrap(), 1);
        assert_eq!(decisions(), [(0, 1, 2), (1, 2, 2)]);
        let asked = [worker.non_blocking().place(), worker.non_blocking().place()];
        assert_eq!(decisions(), [(0, 1, 2), (1, 2, 2)]);
        let in_no_time = worker.within(Duration::ZERO);
        in_no_time.process(2).unwrap_err();
        in_no_time.place().unwrap_err();
        worker.non_blocking().place().wait().unwrap_err();
        assert_eq!(decisions(), []);
        gates.iter().for_each(Gate::open);
        assert_eq!(asked.map(|place| place.wait().unwrap()), [0, 1]);
        assert_eq!(worker.place().unwrap(), 0);
        assert_eq!(decisions(), [(0, 1, 2)]);
    });
}

/// Keeps accounts by their numbers.
#[actor]
enum ClerkMessage {
    #[reply(u64)]
    Sum {
        #[key]
        account: u64,
    },
}

struct Clerk;

impl ClerkHandler for Clerk {
    fn sum(&mut self, account: u64) -> u64 {
        account
    }
}

#[actor(calls(ClerkMessage))]
enum OfficeMessage {
    /// Asks the clerk of an account, and tells what was decided on this thread.
    #[reply(Vec<Decision>)]
    Ask(u64),
}

struct Office;

impl OfficeHandler for Office {
    fn ask(&mut self, ctx: &mut Context<OfficeMessage>, account: u64) -> Vec<Decision> {
        decisions();
        assert_eq!(ctx.call(ClerkMessage::sum(account)), Ok(account));
        decisions()
    }
}

#[test]
fn a_call_by_key_tells_once_where_it_goes_on_the_spot_and_from_outside() {
    collected(|| {
        let engine = ActorEngine::new();
        let clerk = || ClerkMessage::actor(|| Clerk);
        let shared = ActorThread::new().register(clerk()).register(clerk());
        engine.spawn(shared.register(OfficeMessage::actor(|| Office))).unwrap();
        let (office, clerk) = (engine.client::<OfficeMessage>().unwrap(), engine.client::<ClerkMessage>().unwrap());
        decisions();
        for account in 0..10 {
            assert_eq!(clerk.non_blocking().sum(account).wait(), Ok(account));
            let asked = decisions();
            assert!(matches!(asked[..], [(0, 1 | 2, 2)]), "{asked:?}");
            assert_eq!(clerk.sum(account), Ok(account));
            assert_eq!(decisions(), asked);
            assert_eq!(office.ask(account).unwrap(), asked);
            decisions();
        }
    });
}

#[test]
fn a_refused_message_tells_no_decision() {
    collected(|| {
        let engine = ActorEngine::new();
        engine.send(WorkerMessage::Process { task: 1 }).unwrap_err();
        assert_eq!(decisions(), []);
    });
}

#[test]
fn a_restart_and_a_dead_letter_are_events() {
    collected(|| {
        let engine = ActorEngine::new();
        let worker: WorkerClient = engine.start(WorkerMessage::actor(|| Worker)).unwrap();
        assert!(worker.r#break().is_err());
        let told = worker.told().unwrap();
        assert!(told.iter().any(|text| text.contains("built again")), "{told:?}");
        worker.lose().unwrap();
        engine.settle();
        let told = worker.told().unwrap();
        assert!(told.iter().any(|text| text.contains("nobody handles it any more")), "{told:?}");
    });
}

#[test]
fn each_dead_letter_is_an_event_with_a_hook_as_without_and_what_was_given_up_is_told_apart() {
    collected(|| {
        for hook in [false, true] {
            let engine = ActorEngine::new();
            let told = Counter::new();
            if hook {
                let told = told.clone();
                engine.on_dead_letter(move |_| {
                    let _ = told.increment();
                });
            }
            let worker: WorkerClient = engine.start(WorkerMessage::actor(|| Worker)).unwrap();
            let other: WorkerClient = engine.start(WorkerMessage::actor(|| Worker)).unwrap();
            let gate = Gate::new();
            other.hold(gate.clone()).unwrap();
            gate.await_arrivals(1);
            drop(other.non_blocking().place());
            gate.open();
            for _ in 0..3 {
                worker.lose().unwrap();
            }
            let letters = |events: Vec<Fields>| -> Vec<(String, String, String)> {
                let letters = events.into_iter().filter(|fields| fields.contains_key("why"));
                letters.map(|fields| ["level", "variant", "why"].map(|name| fields[name].clone()).into()).collect()
            };
            let dead = ("WARN".to_owned(), "\"Process\"".to_owned(), "its instance had ended".to_owned());
            assert_eq!(letters(worker.events().unwrap()), vec![dead; 3]);
            let given_up = ("DEBUG".to_owned(), "\"Place\"".to_owned(), "its caller had given up".to_owned());
            assert_eq!(letters(other.events().unwrap()), [given_up]);
            assert_eq!(told.get(), if hook { 4 } else { 0 });
            assert_eq!((engine.stats().dead_letters, engine.stats().skipped), (4, 1));
            let report = engine.shutdown().unwrap();
            assert_eq!((report.dead_letters, report.skipped), (4, 1));
        }
    });
}

#[test]
fn a_panic_is_an_event_with_its_origin_text_and_consequence() {
    collected(|| {
        let engine = ActorEngine::new();
        engine.on_panic(|_| {});
        let worker: WorkerClient = engine.start(WorkerMessage::actor(|| Worker)).unwrap();
        assert!(worker.r#break().is_err());
        let events = worker.events().unwrap();
        let [panic] = &events[..] else { panic!("one event: {events:?}") };
        let field = |name| panic.get(name).map(String::as_str);
        assert_eq!((field("origin"), field("text")), (Some("Break"), Some("\"broken\"")));
        assert_eq!((field("in_window"), field("message_type")), (Some("1"), Some("\"WorkerMessage\"")));
        assert_eq!(field("instance"), Some(worker.instance_id().unwrap().to_string().as_str()));
        assert_eq!((field("level"), field("backoff_ms")), (Some("WARN"), None));
    });
}

/// What the subscriber does is no event: else the event of its own message would be told by a message, without end.
#[test]
fn a_subscriber_may_send_each_event_to_a_pooled_actor() {
    collected(|| {
        let engine = ActorEngine::new();
        let log: LogClient = engine.pool(1, LogMessage::actor(Log::default)).unwrap();
        let workers = engine.pool(2, WorkerMessage::actor(|| Worker)).unwrap();
        LOG.set(Some(log.clone()));
        for task in 0..3 {
            workers.process(task).unwrap();
        }
        LOG.set(None);
        assert_eq!(log.lines().unwrap(), vec!["Some(\"routed\")"; 3]);
    });
}
