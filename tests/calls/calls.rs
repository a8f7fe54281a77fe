//! A call is answered with its typed reply, from wherever it is made.

use std::collections::HashSet;
use std::sync::mpsc::{self, Sender};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{Gate, bounded, receive};

const CALLERS: i64 = if cfg!(miri) { 3 } else { 16 };
const CALLS: i64 = if cfg!(miri) { 5 } else { 200 };
const MESSAGES: u64 = if cfg!(miri) { 10 } else { 500 };

#[derive(Debug, PartialEq)]
struct DivideByZero;

/// Stands for a reply that is neither `Clone` nor `Sync`.
type Answer = Option<Box<dyn Fn(i64) -> i64 + Send>>;

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add {
        a: i64,
        b: i64,
    },
    #[reply(Result<i64, DivideByZero>)]
    Divide(i64, i64),
    #[reply(())]
    Reset,
    #[reply(Vec<u8>)]
    Fill(usize, u8),
    #[reply([u64; 512])]
    Table(u64),
    #[reply(Answer)]
    Adder(Option<i64>),
    #[reply(String)]
    Describe {
        prefix: String,
        value: Option<i64>,
    },
    Remember(i64),
    #[reply(i64)]
    Remembered,
}

#[derive(Default)]
struct Calculator {
    remembered: i64,
}

impl CalculatorHandler for Calculator {
    fn add(&mut self, a: i64, b: i64) -> i64 {
        a + b
    }
    fn divide(&mut self, a: i64, b: i64) -> Result<i64, DivideByZero> {
        a.checked_div(b).ok_or(DivideByZero)
    }
    fn reset(&mut self) {
        self.remembered = 0;
    }
    fn fill(&mut self, length: usize, byte: u8) -> Vec<u8> {
        vec![byte; length]
    }
    fn table(&mut self, value: u64) -> [u64; 512] {
        [value; 512]
    }
    fn adder(&mut self, amount: Option<i64>) -> Answer {
        amount.map(|amount| Box::new(move |value| value + amount) as Box<dyn Fn(i64) -> i64 + Send>)
    }
    fn describe(&mut self, prefix: String, value: Option<i64>) -> String {
        format!("{prefix}{value:?}")
    }
    fn remember(&mut self, value: i64) {
        self.remembered += value;
    }
    fn remembered(&mut self) -> i64 {
        self.remembered
    }
}

/// Calls the calculator from a handler.
#[actor(calls(CalculatorMessage))]
enum FrontMessage {
    #[reply(Result<i64, CallError>)]
    AddByContext(i64, i64),
    #[reply(Result<i64, CallError>)]
    AddByClient(i64, i64),
    #[reply(Result<Result<i64, DivideByZero>, CallError>)]
    Divide(i64, i64),
}

struct Front;

impl FrontHandler for Front {
    fn add_by_context(&mut self, ctx: &mut Context<FrontMessage>, a: i64, b: i64) -> Result<i64, CallError> {
        ctx.call(CalculatorMessage::add(a, b))
    }
    fn add_by_client(&mut self, ctx: &mut Context<FrontMessage>, a: i64, b: i64) -> Result<i64, CallError> {
        ctx.client::<CalculatorMessage>()?.add(a, b)
    }
    fn divide(
        &mut self,
        ctx: &mut Context<FrontMessage>,
        a: i64,
        b: i64,
    ) -> Result<Result<i64, DivideByZero>, CallError> {
        ctx.call(CalculatorMessage::divide(a, b))
    }
}

/// Calls the front, which calls the calculator.
#[actor(calls(FrontMessage))]
enum DeskMessage {
    #[reply(Result<i64, CallError>)]
    Add(i64, i64),
}

struct Desk;

impl DeskHandler for Desk {
    fn add(&mut self, ctx: &mut Context<DeskMessage>, a: i64, b: i64) -> Result<i64, CallError> {
        ctx.call(FrontMessage::add_by_context(a, b))?
    }
}

fn calculator_thread() -> ActorThread {
    ActorThread::new().register(CalculatorMessage::actor(Calculator::default))
}

fn shared_thread() -> ActorThread {
    calculator_thread().register(FrontMessage::actor(|| Front)).register(DeskMessage::actor(|| Desk))
}

#[test]
fn a_call_from_outside_is_answered_by_the_client_and_by_the_engine() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(calculator_thread()).unwrap();
        let calculator = engine.client::<CalculatorMessage>().unwrap();
        assert_eq!(calculator.add(10, 5), Ok(15));
        assert_eq!(calculator.call(CalculatorMessage::add(1, 2)), Ok(3));
        assert_eq!(engine.call(CalculatorMessage::add(2, 3)), Ok(5));
        assert_eq!(engine.handle().call(CalculatorMessage::add(3, 4)), Ok(7));
        engine.shutdown().unwrap();
    });
}

#[test]
fn a_reply_may_be_of_any_kind() {
    bounded(|| {
        let engine = ActorEngine::new();
        let calculator = engine.pool(1, CalculatorMessage::actor(Calculator::default)).unwrap();
        assert_eq!(calculator.reset(), Ok(()));
        assert_eq!(calculator.fill(1 << 20, 7).unwrap(), vec![7; 1 << 20]);
        assert_eq!(calculator.fill(0, 7).unwrap(), Vec::<u8>::new());
        assert_eq!(calculator.table(9).unwrap(), [9; 512]);
        assert_eq!(calculator.describe("a".to_owned(), Some(1)).unwrap(), "aSome(1)");
        let add_three = calculator.adder(Some(3)).unwrap().expect("an amount gives a closure");
        assert_eq!(add_three(4), 7);
        assert!(calculator.adder(None).unwrap().is_none());
    });
}

#[test]
fn the_error_of_the_domain_comes_inside_and_that_of_the_transport_outside() {
    bounded(|| {
        let engine = ActorEngine::new();
        let calculator = engine.pool(1, CalculatorMessage::actor(Calculator::default)).unwrap();
        engine.spawn(ActorThread::new().register(FrontMessage::actor(|| Front))).unwrap();
        let front = engine.client::<FrontMessage>().unwrap();
        assert_eq!(calculator.divide(6, 3), Ok(Ok(2)));
        assert_eq!(calculator.divide(6, 0), Ok(Err(DivideByZero)));
        assert_eq!(front.divide(6, 0), Ok(Ok(Err(DivideByZero))));
        engine.shutdown().unwrap();
        assert!(matches!(calculator.divide(6, 0), Err(CallError::Stopped { message: "CalculatorMessage", .. })));
    });
}

#[test]
fn a_handler_calls_an_instance_on_another_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(calculator_thread()).unwrap();
        engine.spawn(ActorThread::new().register(FrontMessage::actor(|| Front))).unwrap();
        let front = engine.client::<FrontMessage>().unwrap();
        for value in 0..CALLS {
            assert_eq!(front.add_by_context(value, 1), Ok(Ok(value + 1)));
            assert_eq!(front.add_by_client(value, 2), Ok(Ok(value + 2)));
        }
    });
}

#[test]
fn a_handler_calls_an_instance_on_its_own_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(shared_thread()).unwrap();
        assert_eq!(engine.thread_count(), 1);
        let front = engine.client::<FrontMessage>().unwrap();
        for value in 0..CALLS {
            assert_eq!(front.add_by_context(value, 1), Ok(Ok(value + 1)));
            assert_eq!(front.add_by_client(value, 2), Ok(Ok(value + 2)));
        }
    });
}

#[test]
fn calls_nest_three_deep_across_shared_threads() {
    bounded(|| {
        let engine = ActorEngine::new();
        for _ in 0..3 {
            engine.spawn(shared_thread()).unwrap();
        }
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let desk = engine.client::<DeskMessage>().unwrap();
                scope.spawn(move || {
                    for value in 0..CALLS {
                        assert_eq!(desk.add(caller, value), Ok(Ok(caller + value)));
                    }
                });
            }
        });
        let report = engine.shutdown().unwrap();
        let calls = u64::try_from(CALLERS * CALLS).expect("it is a positive constant");
        assert_eq!(report.handled(), 3 * calls);
        assert_eq!((report.panicked(), report.left), (0, 0));
    });
}

#[test]
fn many_callers_at_once_each_get_their_own_reply() {
    bounded(|| {
        let engine = ActorEngine::new();
        let calculator = engine.pool(3, CalculatorMessage::actor(Calculator::default)).unwrap();
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let calculator = calculator.clone();
                scope.spawn(move || {
                    for value in 0..CALLS {
                        assert_eq!(calculator.add(caller * CALLS, value), Ok(caller * CALLS + value));
                    }
                });
            }
        });
    });
}

#[test]
fn call_all_asks_every_instance_once() {
    bounded(|| {
        #[actor(ctx)]
        #[derive(Clone)]
        enum PlaceMessage {
            #[reply(String)]
            Name,
        }
        struct Place;
        impl PlaceHandler for Place {
            fn name(&mut self, ctx: &mut Context<PlaceMessage>) -> String {
                ctx.instance_id().to_string()
            }
        }
        let engine = ActorEngine::new();
        let place = engine.pool(3, PlaceMessage::actor(|| Place)).unwrap();
        for replies in [
            engine.call_all(PlaceMessage::name()).unwrap(),
            place.call_all(PlaceMessage::name()).unwrap(),
            place.call_all_with(|_| PlaceMessage::name()).unwrap(),
            engine.call_all_with(|_| PlaceMessage::name()).unwrap(),
        ] {
            let asked: Vec<_> = replies.iter().map(|(id, _)| *id).collect();
            assert_eq!(asked, place.instances());
            for (id, reply) in &replies {
                assert_eq!(reply.as_ref(), Ok(&id.to_string()));
            }
            assert_eq!(replies.iter().map(|(_, reply)| reply.clone().unwrap()).collect::<HashSet<_>>().len(), 3);
        }
    });
}

#[test]
fn a_call_to_a_type_without_an_instance_is_not_registered() {
    bounded(|| {
        let engine = ActorEngine::new();
        let expected = CallError::NotRegistered { message: "CalculatorMessage" };
        assert_eq!(engine.call(CalculatorMessage::add(1, 2)), Err(expected.clone()));
        assert_eq!(engine.client::<CalculatorMessage>().err(), Some(expected.clone()));
        engine.spawn(ActorThread::new().register(FrontMessage::actor(|| Front))).unwrap();
        assert_eq!(engine.call(FrontMessage::add_by_context(1, 2)), Ok(Err(expected.clone())));
        assert_eq!(engine.call(FrontMessage::add_by_client(1, 2)), Ok(Err(expected)));
    });
}

#[test]
fn a_reply_leaves_after_every_message_its_handler_has_sent() {
    #[actor(ctx)]
    enum SourceMessage {
        #[reply(())]
        Pour(u64),
    }
    struct Source;
    impl SourceHandler for Source {
        fn pour(&mut self, ctx: &mut Context<SourceMessage>, count: u64) {
            for _ in 0..count {
                ctx.send(CalculatorMessage::Remember(1)).expect("the calculator lives");
            }
        }
    }
    bounded(|| {
        for shared in [false, true] {
            let engine = ActorEngine::new();
            let source = ActorThread::new().register(SourceMessage::actor(|| Source));
            if shared {
                engine.spawn(source.register(CalculatorMessage::actor(Calculator::default))).unwrap();
            } else {
                engine.spawn(source).unwrap();
                engine.spawn(calculator_thread()).unwrap();
            }
            let mut poured = 0;
            for count in [1, 10, MESSAGES] {
                engine.call(SourceMessage::pour(count)).unwrap();
                poured += i64::try_from(count).unwrap();
                assert_eq!(engine.call(CalculatorMessage::remembered()), Ok(poured), "shared: {shared}");
            }
        }
    });
}

#[test]
fn a_caller_is_served_while_another_waits_for_a_busy_instance() {
    #[actor]
    enum DoorMessage {
        #[reply(u32)]
        Pass(Gate, u32),
    }
    struct Door(Sender<u32>);
    impl DoorHandler for Door {
        fn pass(&mut self, gate: Gate, number: u32) -> u32 {
            gate.pass();
            self.0.send(number).expect("the test listens");
            number
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (passed, seen) = mpsc::channel();
        let door = engine.pool(2, DoorMessage::actor(move || Door(passed.clone()))).unwrap();
        let (closed, open) = (Gate::new(), Gate::new());
        open.open();
        thread::scope(|scope| {
            let first = scope.spawn(|| door.pass(closed.clone(), 1));
            closed.await_arrivals(1);
            assert_eq!(door.pass(open.clone(), 2), Ok(2));
            assert_eq!(receive(&seen), 2);
            closed.open();
            assert_eq!(first.join().unwrap(), Ok(1));
            assert_eq!(receive(&seen), 1);
        });
    });
}

#[test]
fn a_call_comes_after_what_its_handler_sent_before_whatever_handle_it_went_through() {
    #[actor(calls(CalculatorMessage))]
    enum MixerMessage {
        #[reply(Vec<i64>)]
        Mix(i64, CalculatorClient),
    }
    struct Mixer;
    impl MixerHandler for Mixer {
        fn mix(&mut self, ctx: &mut Context<MixerMessage>, rounds: i64, captured: CalculatorClient) -> Vec<i64> {
            let own = ctx.client::<CalculatorMessage>().expect("the calculator lives");
            let pinned = captured.pin(captured.instances()[0]);
            (0..rounds)
                .map(|round| {
                    ctx.send(CalculatorMessage::Remember(1)).expect("the calculator lives");
                    own.remember(1).expect("the calculator lives");
                    pinned.non_blocking().remember(1).expect("the calculator lives");
                    ctx.engine().send(CalculatorMessage::Remember(1)).expect("the calculator lives");
                    captured.send_all([CalculatorMessage::Remember(1)]).expect("the calculator lives");
                    match round % 3 {
                        0 => ctx.call(CalculatorMessage::remembered()),
                        1 => own.remembered(),
                        _ => pinned.non_blocking().remembered().wait(),
                    }
                    .expect("the calculator answers")
                })
                .collect()
        }
    }
    bounded(|| {
        for shared in [false, true] {
            let engine = ActorEngine::new();
            let mixer = MixerMessage::actor(|| Mixer);
            if shared {
                engine.spawn(calculator_thread().register(mixer)).unwrap();
            } else {
                engine.spawn(calculator_thread()).unwrap();
                engine.spawn(ActorThread::new().register(mixer)).unwrap();
            }
            let calculator = engine.client::<CalculatorMessage>().unwrap();
            let counts = engine.call(MixerMessage::mix(CALLS, calculator)).unwrap();
            assert_eq!(counts, (1..=CALLS).map(|round| 5 * round).collect::<Vec<_>>(), "shared: {shared}");
        }
    });
}

#[test]
fn a_callee_on_the_callers_thread_may_stop_reset_or_panic_in_the_call() {
    #[actor(ctx)]
    enum FickleMessage {
        #[reply(u64)]
        Count,
        #[reply(u64)]
        Reset,
        #[reply(u64)]
        Stop,
        #[reply(u64)]
        Break,
    }
    #[derive(Default)]
    struct Fickle(u64);
    impl FickleHandler for Fickle {
        fn count(&mut self, _: &mut Context<FickleMessage>) -> u64 {
            self.0 += 1;
            self.0
        }
        fn reset(&mut self, ctx: &mut Context<FickleMessage>) -> u64 {
            ctx.reset();
            self.0
        }
        fn stop(&mut self, ctx: &mut Context<FickleMessage>) -> u64 {
            ctx.stop();
            self.0
        }
        fn r#break(&mut self, _: &mut Context<FickleMessage>) -> u64 {
            panic!("it breaks");
        }
    }
    #[actor(calls(FickleMessage))]
    enum PatientMessage {
        #[reply(())]
        Try(Option<FickleClient>),
    }
    struct Patient;
    impl PatientHandler for Patient {
        fn r#try(&mut self, ctx: &mut Context<PatientMessage>, other: Option<FickleClient>) {
            let fickle = other
                .unwrap_or_else(|| ctx.start::<FickleMessage>(Fickle::default).expect("the factory does not fail"));
            assert_eq!((fickle.count(), fickle.count()), (Ok(1), Ok(2)));
            if fickle.reset() == Ok(2) && fickle.count() == Ok(1) {
                assert!(matches!(fickle.r#break(), Err(CallError::Panicked { .. })));
                assert_eq!(fickle.count(), Ok(1));
                assert_eq!(fickle.stop(), Ok(1));
            }
            // Built once, it ended with the reset; else with the stop.
            assert_eq!(fickle.count(), Err(CallError::Stopped { message: "FickleMessage" }));
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(PatientMessage::actor(|| Patient))).unwrap();
        let patient = engine.client::<PatientMessage>().unwrap();
        patient.r#try(None).unwrap();
        let on_its_own = engine.start(FickleMessage::actor(Fickle::default)).unwrap();
        patient.r#try(Some(on_its_own)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(FickleMessage::actor(Fickle::default))
                    .register(PatientMessage::actor(|| Patient)),
            )
            .unwrap();
        let local = engine.client::<FickleMessage>().unwrap();
        let [_, beside] = engine.client::<PatientMessage>().unwrap().instances()[..] else { panic!("there are two") };
        patient.pin(beside).r#try(Some(local.pin(local.instances()[0]))).unwrap();
    });
}

#[test]
fn a_call_waits_for_the_on_start_of_an_instance_just_started() {
    #[actor(ctx)]
    enum FreshMessage {
        #[reply(bool)]
        IsStarted,
    }
    #[derive(Default)]
    struct Fresh(bool);
    impl FreshHandler for Fresh {
        fn is_started(&mut self, _: &mut Context<FreshMessage>) -> bool {
            self.0
        }
        fn on_start(&mut self, _: &mut Context<FreshMessage>) {
            self.0 = true;
        }
    }
    #[actor(calls(FreshMessage))]
    enum StarterMessage {
        #[reply(())]
        Start,
    }
    struct Starter;
    impl StarterHandler for Starter {
        fn start(&mut self, ctx: &mut Context<StarterMessage>) {
            for _ in 0..10 {
                let fresh = ctx.start::<FreshMessage>(Fresh::default).expect("the factory does not fail");
                assert_eq!(fresh.is_started(), Ok(true));
                let fresh = ctx.engine().start(FreshMessage::actor(Fresh::default)).expect("the factory does not fail");
                assert_eq!(fresh.is_started(), Ok(true));
            }
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(1, StarterMessage::actor(|| Starter)).unwrap();
        engine.call(StarterMessage::start()).unwrap();
    });
}
