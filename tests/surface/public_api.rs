//! Every public name, used once as a program would use it: a name that leaves or changes its shape shows here.

use std::error::Error;
use std::ops::Deref;
use std::time::Duration;

use zctor::{
    Actor, ActorEngine, ActorOnce, ActorThread, Blocking, BoxError, CallError, CallableFrom, Client, Context, Dispatch,
    EarlierReport, EngineBuilder, EngineHandle, InstanceId, InstanceReport, IntoRequest, LocalRegistration, Message,
    MessageField, NoDeadline, NonBlocking, Pending, Pipe, PoolRegistration, Refused, Registration, Registry,
    RegistryEntry, Replies, ReplyTo, ReplyType, Report, Request, SendError, ShutdownError, SpawnError, Stats,
    StopError, ThreadId, ThreadStats, Timer, actor, available_threads,
};
use zctor_tests::bounded;

#[derive(Debug, PartialEq)]
struct DivideByZero;

#[actor]
#[derive(Clone)]
enum CalculatorMessage {
    /// Adds two numbers.
    #[reply(i64)]
    Add { a: i64, b: i64 },
    #[reply(Result<i64, DivideByZero>)]
    Divide(i64, i64),
    /// Forgets the history.
    Clear,
}

#[derive(Default)]
struct Calculator {
    history: Vec<i64>,
}

impl CalculatorHandler for Calculator {
    fn add(&mut self, a: i64, b: i64) -> i64 {
        self.history.push(a + b);
        a + b
    }
    fn divide(&mut self, a: i64, b: i64) -> Result<i64, DivideByZero> {
        a.checked_div(b).ok_or(DivideByZero)
    }
    fn clear(&mut self) {
        self.history.clear();
    }
}

/// Its accounts are sharded by their number.
#[actor]
enum BankMessage {
    #[reply(u64)]
    Deposit {
        #[key]
        account: u64,
        amount: u64,
    },
}

#[derive(Default)]
struct Bank {
    total: u64,
}

impl BankHandler for Bank {
    fn deposit(&mut self, _: u64, amount: u64) -> u64 {
        self.total += amount;
        self.total
    }
}

#[actor(calls(CalculatorMessage))]
enum DeskMessage {
    #[reply(Result<i64, CallError>)]
    Ask(i64),
    #[msg(internal)]
    Tick(u32),
    #[msg(name = noted)]
    Note(Result<i64, CallError>),
}

#[derive(Default)]
struct Desk {
    timers: Vec<Timer>,
    ticks: u32,
    noted: Vec<Result<i64, CallError>>,
}

impl DeskHandler for Desk {
    fn ask(&mut self, ctx: &mut Context<DeskMessage>, value: i64) -> Result<i64, CallError> {
        let _: (ThreadId, InstanceId, bool) = (ctx.thread_id(), ctx.instance_id(), ctx.stopping());
        let handle: EngineHandle = ctx.engine();
        let _: Registry = handle.registry();
        let me: DeskClient = ctx.me();
        let _: Result<(), SendError<DeskMessage>> = me.noted(Ok(1));
        let _: Result<(), SendError<CalculatorMessage>> = ctx.send(CalculatorMessage::Clear);
        let _: Result<usize, SendError<CalculatorMessage>> = ctx.broadcast(CalculatorMessage::Clear);
        let _: Result<(), SendError<CalculatorMessage>> = ctx.send_local(CalculatorMessage::Clear);
        let _: Result<i64, CallError> = ctx.call_local(CalculatorMessage::add(1, 1));
        let sum = ctx.call(CalculatorMessage::add(value, 1))?;
        let sum = ctx.client::<CalculatorMessage>()?.add(sum, 1)?;
        let unlimited: NoDeadline<'_, DeskMessage> = ctx.without_deadline();
        let sum = unlimited.call(CalculatorMessage::add(sum, 1))?;
        let sum = ctx.without_deadline().client::<CalculatorMessage>()?.add(sum, 1)?;
        let unwaited: CalculatorClient<NonBlocking> = ctx.non_blocking::<CalculatorMessage>()?;
        ctx.pipe(CalculatorMessage::add(1, 2), DeskMessage::Note);
        ctx.pipe(unwaited.add(1, 2), DeskMessage::Note);
        ctx.pipe((unwaited.add(1, 2), unwaited.divide(4, 2)), |(sum, _)| DeskMessage::Note(sum));
        ctx.pipe(vec![unwaited.add(1, 2)], |mut sums: Vec<_>| DeskMessage::Note(sums.remove(0)));
        self.timers.push(ctx.send_after(Duration::from_secs(3600), DeskMessage::Tick(1)));
        self.timers.push(ctx.send_every(Duration::from_secs(3600), || DeskMessage::Tick(1)));
        for timer in self.timers.drain(..) {
            timer.cancel();
        }
        let started: Result<CalculatorClient, SpawnError> = ctx.start::<CalculatorMessage>(Calculator::default);
        let _: Result<(), StopError> = started.expect("the factory does not fail").stop();
        ctx.reset();
        Ok(sum)
    }
    fn tick(&mut self, ctx: &mut Context<DeskMessage>, ticks: u32) {
        self.ticks += ticks;
        ctx.stop();
    }
    fn noted(&mut self, _: &mut Context<DeskMessage>, outcome: Result<i64, CallError>) {
        self.noted.push(outcome);
    }
    fn on_start(&mut self, _: &mut Context<DeskMessage>) {
        self.ticks = 0;
    }
    fn on_stop(&mut self, _: &mut Context<DeskMessage>) {
        self.noted.clear();
    }
}

fn is_message<M, C>()
where
    M: Message<Client = C>,
    C: From<Client<M>> + Deref<Target = Client<M>>,
{
}
fn is_dispatched<M: Dispatch<S>, S>() {}
fn is_callable_from<Caller, M: CallableFrom<Caller>>() {}
fn is_field<T: MessageField>() {}
fn is_reply<T: ReplyType>() {}
fn is_request<T: IntoRequest>() {}
fn is_piped<W: Pipe<Outcome = O>, O>() {}
fn is_registered<A: Registration<Message = M>, M: Message>(_: &A) {}
fn is_started<A: LocalRegistration<M>, M: Message>(_: &A) {}
fn is_pooled<A: PoolRegistration<M, S>, M: Message, S>(_: &A) {}

#[test]
fn the_traits_hold_for_what_the_macro_makes() {
    is_message::<CalculatorMessage, CalculatorClient>();
    is_message::<CalculatorMessage, CalculatorClient<Blocking>>();
    is_dispatched::<CalculatorMessage, Calculator>();
    is_callable_from::<DeskMessage, CalculatorMessage>();
    is_field::<i64>();
    is_reply::<Result<i64, DivideByZero>>();
    is_request::<Request<CalculatorMessage, i64>>();
    is_piped::<Pending<i64>, Result<i64, CallError>>();
    is_piped::<Request<CalculatorMessage, i64>, Result<i64, CallError>>();
    is_piped::<Vec<Pending<i64>>, Vec<Result<i64, CallError>>>();
    is_registered::<_, CalculatorMessage>(&CalculatorMessage::actor(Calculator::default));
    is_registered::<_, CalculatorMessage>(&CalculatorMessage::actor_once(Calculator::default));
    is_started::<_, CalculatorMessage>(&CalculatorMessage::actor(Calculator::default));
    is_started::<_, CalculatorMessage>(&Calculator::default);
    is_pooled(&CalculatorMessage::actor(Calculator::default));
    assert_eq!(CalculatorMessage::NAME, "CalculatorMessage");
    assert_eq!((CalculatorMessage::CALL_DEPTH, DeskMessage::CALL_DEPTH), (0, 1));
    assert_eq!(CalculatorMessage::Clear.variant(), "Clear");
    assert_eq!(CalculatorMessage::Add { a: 1, b: 2 }.variant(), "Add");
    let _: Option<ReplyTo<i64>> = None;
}

#[test]
fn a_handler_is_tested_without_an_engine() {
    let mut calculator = Calculator::default();
    assert_eq!(calculator.add(1, 2), 3);
    assert_eq!(calculator.divide(1, 0), Err(DivideByZero));
    calculator.clear();
    assert!(calculator.history.is_empty());
}

#[test]
fn the_program_of_the_first_page_runs() {
    fn program() -> Result<(), Box<dyn Error>> {
        let engine = ActorEngine::new();
        for _ in 0..5 {
            engine.spawn(ActorThread::new().register(CalculatorMessage::actor(Calculator::default)))?;
        }
        let calculator: CalculatorClient = engine.client::<CalculatorMessage>()?;
        assert_eq!(calculator.add(10, 5)?, 15);
        assert_eq!(calculator.divide(1, 0)?, Err(DivideByZero));
        calculator.clear()?;
        assert_eq!(engine.call(CalculatorMessage::add(10, 5))?, 15);
        engine.send(CalculatorMessage::Clear)?;
        assert_eq!(engine.broadcast(CalculatorMessage::Clear)?, 5);
        assert_eq!(calculator.within(Duration::from_secs(10)).add(2, 2)?, 4);
        let later = calculator.non_blocking().add(2, 3);
        assert_eq!(later.wait()?, 5);
        engine.shutdown()?;
        Ok(())
    }
    bounded(|| program().unwrap());
}

#[test]
fn the_engine_and_its_handle_have_what_the_design_says() {
    bounded(|| {
        assert!(available_threads() >= 1);
        let builder: EngineBuilder = ActorEngine::builder();
        let engine: ActorEngine = builder.name("named").build();
        let handle: EngineHandle = engine.handle();
        let actor: Actor<CalculatorMessage, Calculator> = CalculatorMessage::actor(Calculator::default);
        let thread: ThreadId = engine.spawn(ActorThread::named("first").stack_size(1 << 20).register(actor)).unwrap();
        assert_eq!((thread.index(), thread.to_string().as_str()), (0, "0"));
        let failing = CalculatorMessage::try_actor(|_| -> Result<Calculator, BoxError> { Err("no room".into()) });
        assert!(matches!(handle.spawn(ActorThread::new().register(failing)), Err(SpawnError::Factory { .. })));
        let pool: CalculatorClient = engine.pool(1, CalculatorMessage::actor(Calculator::default)).unwrap();
        let named = |index| ActorThread::named(format!("pool {index}"));
        let _: CalculatorClient = handle.pool_on(2, named, CalculatorMessage::actor(Calculator::default)).unwrap();
        let once: ActorOnce<CalculatorMessage, Calculator> = CalculatorMessage::actor_once(Calculator::default);
        let lone: CalculatorClient = engine.start(once).unwrap();
        assert!(engine.thread_count() >= 5);
        assert_eq!(engine.thread_count(), handle.thread_count());

        let registry: Registry = engine.registry();
        let entry: &RegistryEntry = registry.get::<CalculatorMessage>().unwrap();
        assert_eq!((entry.message(), entry.instances().len(), entry.threads().len()), ("CalculatorMessage", 4, 4));
        assert_eq!((registry.len(), registry.is_empty()), (1, false));
        assert!(registry.to_string().starts_with("CalculatorMessage -> [0, "));
        assert_eq!((&registry).into_iter().count(), registry.into_iter().count());

        engine.send(CalculatorMessage::Clear).unwrap();
        assert_eq!(handle.call(CalculatorMessage::add(1, 2)), Ok(3));
        assert_eq!(engine.broadcast(CalculatorMessage::Clear).unwrap(), 4);
        assert_eq!(engine.broadcast_with(|_: InstanceId| CalculatorMessage::Clear), Ok(4));
        let all: Replies<i64> = engine.call_all(CalculatorMessage::add(1, 2)).unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(handle.call_all_with(|_| CalculatorMessage::add(1, 2)).unwrap().len(), 4);

        let client: Client<CalculatorMessage> = Client::clone(&pool);
        client.send(CalculatorMessage::Clear).unwrap();
        assert_eq!(client.send_all([CalculatorMessage::Clear, CalculatorMessage::Clear]).unwrap(), 2);
        assert_eq!(client.call(CalculatorMessage::add(1, 2)), Ok(3));
        let pending: Pending<i64> = client.request(CalculatorMessage::add(1, 2));
        assert_eq!(pending.wait_timeout(Duration::MAX), Some(Ok(3)));
        assert!(pending.try_take().is_some());
        pending.detach();
        assert_eq!(client.broadcast(CalculatorMessage::Clear).unwrap(), 4);
        assert_eq!(client.broadcast_with(|_| CalculatorMessage::Clear), Ok(4));
        assert_eq!(client.call_all(CalculatorMessage::add(1, 2)).unwrap().len(), 4);
        assert_eq!(client.call_all_with(|_| CalculatorMessage::add(1, 2)).unwrap().len(), 4);
        let instances: Vec<InstanceId> = client.instances();
        assert_eq!((instances.len(), instances[0].thread()), (4, thread));
        let pinned: CalculatorClient = client.pin(instances[0]);
        assert_eq!((pinned.instance_id(), client.instance_id()), (Some(instances[0]), None));
        assert_eq!(pinned.add(1, 2), Ok(3));
        let least: CalculatorClient = client.least_loaded();
        assert_eq!(least.add(1, 2), Ok(3));
        assert!(pool == pool.clone() && pool != pinned);
        assert!(matches!(pool.stop(), Err(StopError::Unbound { message: "CalculatorMessage" })));
        lone.stop().unwrap();

        let bank = engine.pool(2, BankMessage::actor(Bank::default)).unwrap();
        assert_eq!(bank.deposit(7, 1), Ok(1));
        assert_eq!(bank.keyed(&7).deposit(7, 1), Ok(2));

        engine.settle();
        let stats: Stats = engine.stats();
        let first: &ThreadStats = &stats.threads[0];
        assert_eq!((first.thread, first.instances, first.queued, first.panicked), (thread, 1, 0, 0));
        assert!(first.name.contains("first") && first.handled > 0);
        assert_eq!((stats.queued(), stats.dead_letters, stats.skipped, stats.restarts), (0, 0, 0, 0));
        assert!(stats.handled() > first.handled);

        handle.stop();
        engine.wait();
        let report: Report = engine.shutdown().unwrap();
        let instance: &InstanceReport = &report.instances[0];
        assert_eq!((instance.id, instance.message, instance.panicked), (instances[0], "CalculatorMessage", 0));
        assert!(instance.handled > 0 && report.handled() > instance.handled);
        let earlier: EarlierReport = report.earlier;
        assert_eq!((earlier.instances, earlier.panicked), (1, 0));
        let again: Result<Report, ShutdownError> = engine.shutdown_timeout(Duration::from_secs(1));
        assert_eq!(again.unwrap().to_string(), report.to_string());

        match pool.clear() {
            Err(SendError::Stopped(refused)) => {
                let refused: Refused<CalculatorMessage> = refused;
                assert_eq!(refused.message(), "CalculatorMessage");
                assert!(matches!(refused.into_inner(), CalculatorMessage::Clear));
            }
            other => panic!("the engine has stopped: {other:?}"),
        }
    });
}

#[test]
fn the_context_has_what_the_design_says() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine
            .spawn(
                ActorThread::new()
                    .register(CalculatorMessage::actor(Calculator::default))
                    .register(DeskMessage::actor(Desk::default)),
            )
            .unwrap();
        let desk = engine.client::<DeskMessage>().unwrap();
        assert_eq!(desk.ask(1), Ok(Ok(5)));
        desk.tick(1).unwrap();
        engine.settle();
        assert!(matches!(desk.ask(1), Err(CallError::NotRegistered { .. })));
        engine.shutdown().unwrap();
    });
}
