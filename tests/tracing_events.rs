//! With the feature `tracing`, every routing decision is an event that tells the thread, which of the options it is,
//! and how many there were.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};
use zctor::{ActorEngine, Context, actor};
use zctor_tests::bounded;

#[actor(ctx)]
#[derive(Clone)]
enum WorkerMessage {
    Process {
        task: u32,
    },
    #[reply(usize)]
    Place,
    /// Sends from inside, seen by the same collector.
    #[reply(())]
    PassOn {
        collector: Collector,
    },
    File {
        #[key]
        cabinet: u64,
    },
}

struct Worker;

impl WorkerHandler for Worker {
    fn process(&mut self, _ctx: &mut Context<WorkerMessage>, _task: u32) {}

    fn place(&mut self, ctx: &mut Context<WorkerMessage>) -> usize {
        ctx.thread_id().index()
    }

    fn pass_on(&mut self, ctx: &mut Context<WorkerMessage>, collector: Collector) {
        with_default(collector, || ctx.send(WorkerMessage::Process { task: 0 })).expect("it is live itself");
    }

    fn file(&mut self, _ctx: &mut Context<WorkerMessage>, _cabinet: u64) {}
}

/// Keeps the fields of every event of zctor's; clones keep them together.
#[derive(Clone, Default)]
struct Collector {
    events: Arc<Mutex<Vec<Fields>>>,
}

type Fields = BTreeMap<&'static str, String>;

impl Collector {
    /// The routing decisions seen since the last look: thread, option, options.
    fn decisions(&self) -> Vec<(usize, usize, usize)> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events
            .drain(..)
            .filter(|fields| fields.contains_key("option"))
            .map(|fields| {
                let number = |name| {
                    let value: &String = fields.get(name).unwrap_or_else(|| panic!("no field {name} in {fields:?}"));
                    value.parse().unwrap_or_else(|_| panic!("{name} is no number in {fields:?}"))
                };
                (number("thread"), number("option"), number("options"))
            })
            .collect()
    }
}

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
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(visitor.fields);
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
        let mut text = String::new();
        write!(text, "{value:?}").expect("a string takes everything");
        self.fields.insert(field.name(), text);
    }
}

#[test]
fn each_rotated_send_and_call_tells_its_thread_and_which_option_it_is() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(5, WorkerMessage::actor(|| Worker)).unwrap();
        let collector = Collector::default();
        with_default(collector.clone(), || {
            for task in 1..=6 {
                engine.send(WorkerMessage::Process { task }).unwrap();
            }
        });
        // The guide's own six tasks, "option {} of {}" counted from one.
        assert_eq!(collector.decisions(), [(0, 1, 5), (1, 2, 5), (2, 3, 5), (3, 4, 5), (4, 5, 5), (0, 1, 5)]);
        let place = with_default(collector.clone(), || worker.place().unwrap());
        assert_eq!(collector.decisions(), [(place, 2, 5)]);
    });
}

#[test]
fn a_decision_inside_a_handler_is_told_too() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(|| Worker)).unwrap();
        let collector = Collector::default();
        worker.pass_on(collector.clone()).unwrap();
        assert_eq!(collector.decisions(), [(1, 2, 3)]);
    });
}

#[test]
fn a_keyed_and_a_least_loaded_message_tell_where_they_go() {
    bounded(|| {
        let engine = ActorEngine::new();
        let worker = engine.pool(3, WorkerMessage::actor(|| Worker)).unwrap();
        let collector = Collector::default();
        for cabinet in 0..10_u64 {
            let place = with_default(collector.clone(), || worker.keyed(&cabinet).place().unwrap());
            assert_eq!(collector.decisions(), [(place, place + 1, 3)]);
            with_default(collector.clone(), || worker.file(cabinet).unwrap());
            assert_eq!(collector.decisions(), [(place, place + 1, 3)]);
        }
        let place = with_default(collector.clone(), || worker.least_loaded().place().unwrap());
        assert_eq!(collector.decisions(), [(place, place + 1, 3)]);
    });
}

#[test]
fn a_refused_message_tells_no_decision() {
    bounded(|| {
        let engine = ActorEngine::new();
        let collector = Collector::default();
        with_default(collector.clone(), || {
            engine.send(WorkerMessage::Process { task: 1 }).unwrap_err();
        });
        assert_eq!(collector.decisions(), []);
    });
}
