//! A pipe turns an outcome into a message, without waiting and on the instance's own thread.

use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ThreadId};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{Gate, bounded, receive, receive_many};

#[actor]
enum SourceMessage {
    #[reply(i64)]
    Double(i64),
    #[reply(String)]
    Text(String),
    #[reply(())]
    Hold(Gate),
    #[reply(i64)]
    Break,
}

struct Source;

impl SourceHandler for Source {
    fn double(&mut self, value: i64) -> i64 {
        2 * value
    }
    fn text(&mut self, text: String) -> String {
        text
    }
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn r#break(&mut self) -> i64 {
        panic!("the source breaks");
    }
}

type Job = Box<dyn FnOnce(&mut Sink, &mut Context<SinkMessage>) + Send>;

#[actor(ctx)]
enum SinkMessage {
    #[reply(())]
    Run(Job),
    Outcome(Result<i64, CallError>),
    Held(Result<(), CallError>),
    Two(Result<i64, CallError>, Result<String, CallError>),
    Many(Vec<Result<i64, CallError>>),
    #[reply(i64)]
    Mine,
    #[reply(())]
    Reset,
    #[reply(())]
    Break,
    #[reply(())]
    Stop,
}

#[derive(Debug, PartialEq)]
enum Seen {
    Outcome(Result<i64, CallError>),
    Held(Result<(), CallError>),
    Two(Result<i64, CallError>, Result<String, CallError>),
    Many(Vec<Result<i64, CallError>>),
}

struct Sink {
    /// A sink stays on its thread, and so may what its pipes capture.
    kept: Rc<str>,
    seen: Sender<Seen>,
}

impl SinkHandler for Sink {
    fn run(&mut self, ctx: &mut Context<SinkMessage>, job: Job) {
        job(self, ctx);
    }
    fn outcome(&mut self, _: &mut Context<SinkMessage>, outcome: Result<i64, CallError>) {
        self.seen.send(Seen::Outcome(outcome)).expect("the test listens");
    }
    fn held(&mut self, _: &mut Context<SinkMessage>, outcome: Result<(), CallError>) {
        self.seen.send(Seen::Held(outcome)).expect("the test listens");
    }
    fn two(&mut self, _: &mut Context<SinkMessage>, first: Result<i64, CallError>, second: Result<String, CallError>) {
        self.seen.send(Seen::Two(first, second)).expect("the test listens");
    }
    fn many(&mut self, _: &mut Context<SinkMessage>, outcomes: Vec<Result<i64, CallError>>) {
        self.seen.send(Seen::Many(outcomes)).expect("the test listens");
    }
    fn mine(&mut self, _: &mut Context<SinkMessage>) -> i64 {
        11
    }
    fn reset(&mut self, ctx: &mut Context<SinkMessage>) {
        ctx.reset();
    }
    fn r#break(&mut self, _: &mut Context<SinkMessage>) {
        panic!("the sink breaks");
    }
    fn stop(&mut self, ctx: &mut Context<SinkMessage>) {
        ctx.stop();
    }
}

fn sink(seen: &Sender<Seen>) -> zctor::Actor<SinkMessage, Sink> {
    let seen = seen.clone();
    SinkMessage::actor(move || Sink { kept: Rc::from("kept"), seen: seen.clone() })
}

/// A source and a sink, on one thread or on two.
fn engine(shared: bool) -> (ActorEngine, SinkClient, Receiver<Seen>, Sender<Seen>) {
    let engine = ActorEngine::new();
    let (seen, outcomes) = mpsc::channel();
    let source = ActorThread::new().register(SourceMessage::actor(|| Source));
    if shared {
        engine.spawn(source.register(sink(&seen))).expect("the factories do not fail");
    } else {
        engine.spawn(source).expect("the factory does not fail");
        engine.spawn(ActorThread::new().register(sink(&seen))).expect("the factory does not fail");
    }
    let client = engine.client::<SinkMessage>().expect("it was spawned");
    (engine, client, outcomes, seen)
}

#[test]
fn a_request_is_piped() {
    bounded(|| {
        for shared in [false, true] {
            let (_engine, sink, outcomes, _seen) = engine(shared);
            sink.run(Box::new(|_, ctx| drop(ctx.pipe(SourceMessage::double(4), SinkMessage::Outcome)))).unwrap();
            assert_eq!(receive(&outcomes), Seen::Outcome(Ok(8)));
        }
    });
}

#[test]
fn a_pending_is_piped() {
    bounded(|| {
        for shared in [false, true] {
            let (engine, sink, outcomes, _seen) = engine(shared);
            let source = engine.client::<SourceMessage>().unwrap();
            // Made inside, and made outside and handed in.
            let outside = source.non_blocking().double(5);
            sink.run(Box::new(move |_, ctx| {
                let source = ctx.non_blocking::<SourceMessage>().expect("the source lives");
                ctx.pipe(source.double(4), SinkMessage::Outcome);
                ctx.pipe(outside, SinkMessage::Outcome);
            }))
            .unwrap();
            let mut seen = receive_many(&outcomes, 2);
            seen.sort_by_key(|seen| format!("{seen:?}"));
            assert_eq!(seen, [Seen::Outcome(Ok(10)), Seen::Outcome(Ok(8))]);
        }
    });
}

#[test]
fn a_pending_that_is_answered_already_is_piped() {
    bounded(|| {
        let (engine, sink, outcomes, _seen) = engine(false);
        let answered = engine.client::<SourceMessage>().unwrap().non_blocking().double(5);
        engine.settle();
        sink.run(Box::new(move |_, ctx| drop(ctx.pipe(answered, SinkMessage::Outcome)))).unwrap();
        assert_eq!(receive(&outcomes), Seen::Outcome(Ok(10)));
    });
}

#[test]
fn a_tuple_is_piped_when_all_are_there() {
    bounded(|| {
        for shared in [false, true] {
            let (_engine, sink, outcomes, _seen) = engine(shared);
            sink.run(Box::new(|_, ctx| {
                let source = ctx.non_blocking::<SourceMessage>().expect("the source lives");
                let both = (source.double(1), source.text("text".to_owned()));
                ctx.pipe(both, |(first, second)| SinkMessage::Two(first, second));
                let three = (source.double(1), source.double(2), source.double(3));
                ctx.pipe(three, |(first, second, third)| SinkMessage::Many(vec![first, second, third]));
            }))
            .unwrap();
            assert_eq!(receive(&outcomes), Seen::Two(Ok(2), Ok("text".to_owned())));
            assert_eq!(receive(&outcomes), Seen::Many(vec![Ok(2), Ok(4), Ok(6)]));
        }
    });
}

#[test]
fn a_vector_is_piped_in_its_own_order() {
    bounded(|| {
        for shared in [false, true] {
            let (_engine, sink, outcomes, _seen) = engine(shared);
            sink.run(Box::new(|_, ctx| {
                let source = ctx.non_blocking::<SourceMessage>().expect("the source lives");
                let all: Vec<_> = (0..20).map(|value| source.double(value)).collect();
                ctx.pipe(all, SinkMessage::Many);
            }))
            .unwrap();
            assert_eq!(receive(&outcomes), Seen::Many((0..20).map(|value| Ok(2 * value)).collect()));
        }
    });
}

#[test]
fn an_empty_vector_is_there_at_once() {
    bounded(|| {
        let (_engine, sink, outcomes, _seen) = engine(false);
        sink.run(Box::new(|_, ctx| drop(ctx.pipe(Vec::new(), SinkMessage::Many)))).unwrap();
        assert_eq!(receive(&outcomes), Seen::Many(Vec::new()));
    });
}

#[test]
fn a_pipe_does_not_block_and_its_outcome_comes_after_the_handler() {
    bounded(|| {
        let (_engine, sink, outcomes, seen) = engine(true);
        let gate = Gate::new();
        let held = gate.clone();
        sink.run(Box::new(move |sink, ctx| {
            ctx.pipe(SourceMessage::double(1), SinkMessage::Outcome);
            sink.seen.send(Seen::Many(Vec::new())).expect("the test listens");
        }))
        .unwrap();
        assert_eq!(receive(&outcomes), Seen::Many(Vec::new()));
        assert_eq!(receive(&outcomes), Seen::Outcome(Ok(2)));

        // The instance serves others while what it piped is being worked on.
        let (_engine, sink, outcomes, _others) = engine(false);
        drop(seen);
        sink.run(Box::new(move |_, ctx| drop(ctx.pipe(SourceMessage::hold(held), SinkMessage::Held)))).unwrap();
        gate.await_arrivals(1);
        assert_eq!(sink.mine(), Ok(11));
        assert!(outcomes.try_recv().is_err());
        gate.open();
        assert_eq!(receive(&outcomes), Seen::Held(Ok(())));
    });
}

#[test]
fn an_instance_may_pipe_a_request_to_its_own_type() {
    bounded(|| {
        let (_engine, sink, outcomes, _seen) = engine(false);
        sink.run(Box::new(|_, ctx| {
            ctx.pipe(SinkMessage::mine(), SinkMessage::Outcome);
            let itself = ctx.me().non_blocking().mine();
            ctx.pipe(itself, SinkMessage::Outcome);
        }))
        .unwrap();
        assert_eq!(receive_many(&outcomes, 2), [Seen::Outcome(Ok(11)), Seen::Outcome(Ok(11))]);
    });
}

#[test]
fn the_closure_runs_on_the_instances_own_thread_and_may_hold_what_cannot_leave_it() {
    bounded(|| {
        for shared in [false, true] {
            let (_engine, sink, outcomes, _seen) = engine(shared);
            let (here, threads) = mpsc::channel::<ThreadId>();
            sink.run(Box::new(move |sink, ctx| {
                let kept = Rc::clone(&sink.kept);
                here.send(thread::current().id()).expect("the test listens");
                ctx.pipe(SourceMessage::double(1), move |outcome| {
                    assert_eq!(&*kept, "kept");
                    here.send(thread::current().id()).expect("the test listens");
                    SinkMessage::Outcome(outcome)
                });
            }))
            .unwrap();
            assert_eq!(receive(&outcomes), Seen::Outcome(Ok(2)));
            assert_eq!(receive(&threads), receive(&threads));
        }
    });
}

#[test]
fn errors_arrive_as_outcomes() {
    #[actor]
    enum AbsentMessage {
        #[reply(i64)]
        Get,
    }
    struct Absent;
    impl AbsentHandler for Absent {
        fn get(&mut self) -> i64 {
            1
        }
    }
    bounded(|| {
        let (engine, sink, outcomes, _seen) = engine(false);
        sink.run(Box::new(|_, ctx| {
            ctx.pipe(SourceMessage::r#break(), SinkMessage::Outcome);
            ctx.pipe(AbsentMessage::get(), SinkMessage::Outcome);
        }))
        .unwrap();
        let seen = receive_many(&outcomes, 2);
        let is = |kind: fn(&CallError) -> bool| {
            seen.iter().filter(|seen| matches!(seen, Seen::Outcome(Err(error)) if kind(error))).count()
        };
        assert_eq!(is(|error| matches!(error, CallError::Panicked { message: "SourceMessage", .. })), 1);
        assert_eq!(is(|error| matches!(error, CallError::NotRegistered { message: "AbsentMessage", .. })), 1);

        // Among several, each has its own.
        sink.run(Box::new(|_, ctx| {
            let source = ctx.non_blocking::<SourceMessage>().expect("the source lives");
            ctx.pipe(vec![source.double(1), source.r#break(), source.double(2)], SinkMessage::Many);
        }))
        .unwrap();
        let Seen::Many(outcomes_of_many) = receive(&outcomes) else { panic!("it piped a vector") };
        assert_eq!((&outcomes_of_many[0], &outcomes_of_many[2]), (&Ok(2), &Ok(4)));
        assert!(matches!(outcomes_of_many[1], Err(CallError::Panicked { .. })));

        // An instance that ends before it answers.
        let absent = engine.start(AbsentMessage::actor(|| Absent)).unwrap();
        absent.stop().unwrap();
        engine.settle();
        sink.run(Box::new(move |_, ctx| {
            let pending = absent.non_blocking().get();
            ctx.pipe(pending, SinkMessage::Outcome);
        }))
        .unwrap();
        assert_eq!(receive(&outcomes), Seen::Outcome(Err(CallError::Stopped { message: "AbsentMessage" })));
    });
}

#[test]
fn a_pipe_ends_with_the_state_that_made_it() {
    bounded(|| {
        for (panics, end) in [
            (0, (|sink| sink.reset().unwrap()) as fn(&SinkClient)),
            (1, |sink| assert!(sink.r#break().is_err())),
            (0, |sink| sink.stop().unwrap()),
        ] {
            let (engine, sink, outcomes, _seen) = engine(false);
            let gate = Gate::new();
            let held = gate.clone();
            sink.run(Box::new(move |_, ctx| {
                ctx.pipe(SourceMessage::hold(held), |_| panic!("the state is gone"));
                ctx.pipe(SourceMessage::double(1), |_| panic!("the state is gone"));
            }))
            .unwrap();
            gate.await_arrivals(1);
            end(&sink);
            gate.open();
            engine.settle();
            assert!(outcomes.try_recv().is_err());
            let report = engine.shutdown().unwrap();
            assert_eq!(report.panicked(), panics);
        }
    });
}

#[test]
fn a_panic_in_the_closure_takes_no_thread_down() {
    bounded(|| {
        let (engine, sink, outcomes, _seen) = engine(true);
        sink.run(Box::new(|_, ctx| drop(ctx.pipe(SourceMessage::double(1), |_| panic!("the closure panics")))))
            .unwrap();
        engine.settle();
        assert_eq!(engine.call(SourceMessage::double(3)), Ok(6));
        assert_eq!(sink.mine(), Ok(11));
        assert!(outcomes.try_recv().is_err());
        engine.shutdown().unwrap();
    });
}

#[test]
fn a_pipe_inherits_no_deadline() {
    bounded(|| {
        let (_engine, sink, outcomes, _seen) = engine(false);
        let gate = Gate::new();
        let held = gate.clone();
        let limit = Duration::from_millis(100);
        let _ = sink
            .within(limit)
            .run(Box::new(move |_, ctx| drop(ctx.pipe(SourceMessage::hold(held), SinkMessage::Held))));
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(2 * limit);
        gate.open();
        assert_eq!(receive(&outcomes), Seen::Held(Ok(())));
    });
}

#[test]
fn what_is_piped_when_the_engine_stops_ends() {
    bounded(|| {
        let (engine, sink, outcomes, _seen) = engine(false);
        let gate = Gate::new();
        let held = gate.clone();
        sink.run(Box::new(move |_, ctx| drop(ctx.pipe(SourceMessage::hold(held), SinkMessage::Held)))).unwrap();
        gate.await_arrivals(1);
        engine.handle().stop();
        gate.open();
        // The inside runs until quiet, and what a reply turns into belongs to it.
        assert_eq!(receive(&outcomes), Seen::Held(Ok(())));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.left, 0);
    });
}
