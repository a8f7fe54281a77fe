//! The forms of a send and of a call in zctor, side by side: what a user may write for the same thing.
//!
//! All forms of a table reach the same instance, and their lots take turns in one process.

use std::sync::mpsc::{self, Receiver, Sender};

use zctor::{ActorEngine, ActorThread, Context, EngineHandle, actor};

use super::sink::{self, sum_to};
use super::{Field, Spec, Threads};
use crate::measure::{Figure, Form, Plan, side_by_side};

#[actor]
enum TargetMessage {
    /// The `i`-th of so many.
    Put(u64, u64, u64),
    #[reply(u64)]
    Get(u64, u64, u64),
}

/// Adds up what it is sent, and tells the outside when a lot is complete.
struct Target {
    seen: u64,
    sum: u64,
    done: Sender<u64>,
}

impl TargetHandler for Target {
    fn put(&mut self, value: u64, count: u64, _: u64) {
        self.sum += value;
        self.seen += 1;
        if self.seen == count {
            self.done.send(self.sum).expect("the outside waits");
            (self.seen, self.sum) = (0, 0);
        }
    }

    fn get(&mut self, a: u64, b: u64, _: u64) -> u64 {
        a + b
    }
}

/// By which form.
enum By {
    Context,
    Local,
    Engine,
    Client(TargetClient),
}

#[actor(calls(TargetMessage))]
enum CallerMessage {
    #[reply(u64)]
    Calls(By, u64),
    #[reply(())]
    Sends(By, u64),
}

struct Caller;

const LIVES: &str = "the target lives";

impl CallerHandler for Caller {
    fn calls(&mut self, ctx: &mut Context<CallerMessage>, by: By, count: u64) -> u64 {
        let get = |value| TargetMessage::get(value, 1, 0);
        match by {
            By::Context => (0..count).map(|value| ctx.call(get(value)).expect(LIVES)).sum(),
            By::Local => (0..count).map(|value| ctx.call_local(get(value)).expect(LIVES)).sum(),
            By::Engine => call_engine(&ctx.engine(), count),
            By::Client(client) => call_client(&client, count),
        }
    }

    fn sends(&mut self, ctx: &mut Context<CallerMessage>, by: By, count: u64) {
        let put = |value| TargetMessage::Put(value, count, 0);
        match by {
            By::Context => (0..count).for_each(|value| ctx.send(put(value)).expect(LIVES)),
            By::Local => (0..count).for_each(|value| ctx.send_local(put(value)).expect(LIVES)),
            By::Engine => send_engine(&ctx.engine(), count),
            By::Client(client) => send_client(&client, count),
        }
    }
}

fn call_client(client: &TargetClient, count: u64) -> u64 {
    (0..count).map(|value| client.get(value, 1, 0).expect(LIVES)).sum()
}

fn call_engine(engine: &EngineHandle, count: u64) -> u64 {
    (0..count).map(|value| engine.call(TargetMessage::get(value, 1, 0)).expect(LIVES)).sum()
}

fn send_client(client: &TargetClient, count: u64) {
    (0..count).for_each(|value| client.put(value, count, 0).expect(LIVES));
}

fn send_engine(engine: &EngineHandle, count: u64) {
    (0..count).for_each(|value| engine.send(TargetMessage::Put(value, count, 0)).expect(LIVES));
}

/// A target and a caller, each in a pool of one.
struct Pair {
    engine: ActorEngine,
    caller: CallerClient,
    pooled: TargetClient,
    bound: TargetClient,
    sums: Receiver<u64>,
}

/// The two on so many threads.
fn pair(threads: usize) -> Pair {
    let engine = ActorEngine::new();
    let (done, sums) = mpsc::channel();
    let target = TargetMessage::actor(move || Target { seen: 0, sum: 0, done: done.clone() });
    let caller = CallerMessage::actor(|| Caller);
    if threads == 1 {
        engine.spawn(ActorThread::new().register(target).register(caller)).expect("threads can be had");
    } else {
        engine.spawn(ActorThread::new().register(target)).expect("threads can be had");
        engine.spawn(ActorThread::new().register(caller)).expect("threads can be had");
    }
    let pooled: TargetClient = engine.client::<TargetMessage>().expect("it was just registered");
    let bound = pooled.pin(pooled.instances()[0]);
    let caller = engine.client::<CallerMessage>().expect("it was just registered");
    Pair { engine, caller, pooled, bound, sums }
}

/// A form that a handler has, under its name.
type Inside<'a> = (&'static str, Box<dyn Fn() -> By + 'a>);

/// The forms that a handler has.
fn inside(pair: &Pair, is_same_thread: bool) -> Vec<Inside<'_>> {
    let mut forms: Vec<Inside<'_>> = vec![
        ("bound client", Box::new(|| By::Client(pair.bound.clone()))),
        ("pooled client", Box::new(|| By::Client(pair.pooled.clone()))),
        ("context", Box::new(|| By::Context)),
        ("engine", Box::new(|| By::Engine)),
    ];
    if is_same_thread {
        forms.push(("`.._local`", Box::new(|| By::Local)));
    }
    forms
}

const CALL: Spec = Spec { unit: "ns a call", field: Field::Alone, stretch: 3, has_many_rounds: true, ..Spec::BASE };
const SEND: Spec = Spec { unit: "ns a message", field: Field::Alone, stretch: 3, has_many_rounds: true, ..Spec::BASE };

pub(crate) const CALL_OUTSIDE: Spec = Spec {
    name: "forms-call",
    title: "The forms of a call, from an outside thread",
    about: "A thread that is no actor's calls one instance: by a client that is bound to it, by one of its pool, by the \
            engine. All forms take turns in one process, here and below.",
    threads: Threads::One,
    ..CALL
};

pub(crate) const CALL_INSIDE: Spec = Spec {
    name: "forms-call-inside",
    title: "The forms of a call, to an actor on another thread",
    about: "A handler calls an instance on another thread: by a client that is bound to it, by one of its pool, by its \
            context, by the engine's handle.",
    threads: Threads::Exactly(2),
    ..CALL
};

pub(crate) const CALL_SAME: Spec = Spec {
    name: "forms-call-same-thread",
    title: "The forms of a call, between two actors of one thread",
    about: "The same on one thread, and by `call_local`.",
    threads: Threads::One,
    ..CALL
};

pub(crate) const SEND_OUTSIDE: Spec = Spec {
    name: "forms-send",
    title: "The forms of a send, from an outside thread",
    about: "As above, with messages one way.",
    threads: Threads::One,
    ..SEND
};

pub(crate) const SEND_INSIDE: Spec = Spec {
    name: "forms-send-inside",
    title: "The forms of a send, to an actor on another thread",
    about: "As above, with messages one way.",
    threads: Threads::Exactly(2),
    ..SEND
};

pub(crate) const SEND_SAME: Spec = Spec {
    name: "forms-send-same-thread",
    title: "The forms of a send, between two actors of one thread",
    about: "As above, with messages one way, and by `send_local`.",
    threads: Threads::One,
    ..SEND
};

/// The workload of this name.
pub(super) fn find(name: &str) -> Option<fn(&Plan) -> Vec<Figure>> {
    let run: fn(&Plan) -> Vec<Figure> = match name {
        _ if name == CALL_OUTSIDE.name => calls_outside,
        _ if name == CALL_INSIDE.name => |plan| calls_inside(plan, 2),
        _ if name == CALL_SAME.name => |plan| calls_inside(plan, 1),
        _ if name == SEND_OUTSIDE.name => sends_outside,
        _ if name == SEND_INSIDE.name => |plan| sends_inside(plan, 2),
        _ if name == SEND_SAME.name => |plan| sends_inside(plan, 1),
        _ => return None,
    };
    Some(run)
}

fn calls_outside(plan: &Plan) -> Vec<Figure> {
    let Pair { engine, pooled, bound, .. } = pair(1);
    let engine = engine.handle();
    let check = |sum, count| assert_eq!(sum, sum_to(count) + count);
    let forms: Vec<Form<'_>> = vec![
        ("bound client", Box::new(|count| check(call_client(&bound, count), count))),
        ("pooled client", Box::new(|count| check(call_client(&pooled, count), count))),
        ("engine", Box::new(|count| check(call_engine(&engine, count), count))),
    ];
    side_by_side(plan, 20, 20_000, forms)
}

fn calls_inside(plan: &Plan, threads: usize) -> Vec<Figure> {
    fn lot<'a>(caller: &'a CallerClient, (name, by): Inside<'a>) -> Form<'a> {
        (name, Box::new(move |count| assert_eq!(caller.calls(by(), count), Ok(sum_to(count) + count))))
    }
    let pair = pair(threads);
    let forms = inside(&pair, threads == 1).into_iter().map(|form| lot(&pair.caller, form));
    side_by_side(plan, 20, 20_000, forms.collect())
}

fn sends_outside(plan: &Plan) -> Vec<Figure> {
    let Pair { engine, pooled, bound, sums, .. } = pair(1);
    let (engine, sums) = (engine.handle(), &sums);
    let forms: Vec<Form<'_>> = vec![
        ("bound client", Box::new(|count| send_client(&bound, count))),
        ("pooled client", Box::new(|count| send_client(&pooled, count))),
        ("engine", Box::new(|count| send_engine(&engine, count))),
    ];
    let checked = forms.into_iter().map(|(name, mut send)| -> Form<'_> {
        let lot = move |count| {
            send(count);
            sink::expect(sums, sum_to(count));
        };
        (name, Box::new(lot))
    });
    side_by_side(plan, 1_000, 100_000, checked.collect())
}

fn sends_inside(plan: &Plan, threads: usize) -> Vec<Figure> {
    fn lot<'a>(Pair { caller, sums, .. }: &'a Pair, (name, by): Inside<'a>) -> Form<'a> {
        let lot = move |count| {
            caller.sends(by(), count).expect("the caller lives");
            sink::expect(sums, sum_to(count));
        };
        (name, Box::new(lot))
    }
    let pair = pair(threads);
    let forms = inside(&pair, threads == 1).into_iter().map(|form| lot(&pair, form));
    side_by_side(plan, 1_000, 100_000, forms.collect())
}
