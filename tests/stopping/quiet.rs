//! The shutdown: the edge closes, the inside runs until quiet, threads stop in reverse order, and the report adds up.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, EngineHandle, Restart, ShutdownError, SpawnError, actor};
use zctor_tests::{Counter, DropGuard, Gate, IN_TIME, LIMIT, bounded, receive, receive_many};

const LEVELS: u32 = if cfg!(miri) { 4 } else { 12 };
const CHORES: usize = 20_000;

type Job = Box<dyn FnOnce(&mut Context<WorkMessage>) + Send>;

#[actor(ctx)]
enum WorkMessage {
    /// Sends two of the level below.
    Grow(u32),
    #[reply(())]
    Run(Job),
    Later(Job),
    #[reply(())]
    Hold(Gate),
    #[reply(())]
    Call,
    Break,
}

struct Work {
    handled: Counter,
    ends: Option<Sender<(usize, &'static str)>>,
    dropped: Option<DropGuard>,
    thread: usize,
}

impl Work {
    fn tell(&self, what: &'static str) {
        if let Some(ends) = &self.ends {
            // A test that has seen enough may be gone.
            let _ = ends.send((self.thread, what));
        }
    }
}

impl WorkHandler for Work {
    fn grow(&mut self, ctx: &mut Context<WorkMessage>, level: u32) {
        self.handled.increment();
        if level > 0 {
            for _ in 0..2 {
                ctx.send(WorkMessage::Grow(level - 1)).expect("the inside is still accepted");
            }
        }
    }
    fn run(&mut self, ctx: &mut Context<WorkMessage>, job: Job) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<WorkMessage>, job: Job) {
        job(ctx);
    }
    fn hold(&mut self, _: &mut Context<WorkMessage>, gate: Gate) {
        gate.pass();
    }
    fn call(&mut self, _: &mut Context<WorkMessage>) {}
    fn r#break(&mut self, _: &mut Context<WorkMessage>) {
        panic!("the work breaks");
    }
    fn on_start(&mut self, ctx: &mut Context<WorkMessage>) {
        self.thread = ctx.thread_id().index();
    }
    fn on_stop(&mut self, _: &mut Context<WorkMessage>) {
        self.tell("stop");
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        drop(self.dropped.take());
        self.tell("drop");
    }
}

#[derive(Clone, Default)]
struct Seen {
    handled: Counter,
    built: Counter,
    dropped: Counter,
    ends: Option<Sender<(usize, &'static str)>>,
}

impl Seen {
    fn actor(&self) -> zctor::Actor<WorkMessage, Work> {
        let seen = self.clone();
        WorkMessage::actor(move || {
            seen.built.increment();
            Work {
                handled: seen.handled.clone(),
                ends: seen.ends.clone(),
                dropped: Some(seen.dropped.guard()),
                thread: usize::MAX,
            }
        })
    }
}

fn is_stopped<R>(result: &Result<R, CallError>) -> bool {
    matches!(result, Err(CallError::Stopped { message: "WorkMessage", .. }))
}

#[test]
fn an_engine_without_threads_shuts_down() {
    bounded(|| {
        let engine = ActorEngine::new();
        let report = engine.shutdown().unwrap();
        assert!(report.instances.is_empty());
        assert_eq!((report.handled(), report.panicked(), report.left, report.dead_letters), (0, 0, 0, 0));
    });
}

#[test]
fn messages_that_produce_messages_are_all_handled() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(3, seen.actor()).unwrap();
        work.grow(LEVELS).unwrap();
        let report = engine.shutdown().unwrap();
        let all = (1 << (LEVELS + 1)) - 1;
        assert_eq!(seen.handled.get(), all);
        assert_eq!((report.handled(), report.left, report.dead_letters), (all, 0, 0));
        assert_eq!((seen.built.get(), seen.dropped.get()), (3, 3));
    });
}

#[test]
fn the_closed_edge_refuses_the_outside_while_the_inside_goes_on() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let gate = Gate::new();
        let held = gate.clone();
        work.later(Box::new(move |ctx| {
            held.pass();
            ctx.send(WorkMessage::Grow(3)).expect("the inside is still accepted");
        }))
        .unwrap();
        gate.await_arrivals(1);
        engine.handle().stop();
        // A refused send comes back.
        let refused = work.grow(9).unwrap_err();
        assert!(refused.is_stopped());
        assert!(matches!(refused.into_inner(), WorkMessage::Grow(9)));
        assert!(engine.send(WorkMessage::Grow(9)).unwrap_err().is_stopped());
        assert!(is_stopped(&work.call()));
        assert!(is_stopped(&engine.call(WorkMessage::call())));
        assert!(is_stopped(&work.non_blocking().call().wait()));
        assert!(matches!(engine.spawn(ActorThread::new().register(seen.actor())), Err(SpawnError::Stopped)));
        gate.open();
        let report = engine.shutdown().unwrap();
        assert_eq!(seen.handled.get(), 15);
        // The refusals are no dead letters: their senders know.
        assert_eq!((report.handled(), report.left, report.dead_letters), (16, 0, 0));
    });
}

#[test]
fn threads_stop_in_reverse_order_of_their_start() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        engine.pool(4, seen.actor()).unwrap();
        engine.settle();
        engine.shutdown().unwrap();
        let expected: Vec<_> = (0..4).rev().flat_map(|thread| [(thread, "stop"), (thread, "drop")]).collect();
        assert_eq!(receive_many(&told, 8), expected);
    });
}

#[test]
fn the_report_counts_what_was_accepted() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(3, seen.actor()).unwrap();
        let lone = engine.start(seen.actor()).unwrap();
        let mut accepted = 0;
        for _ in 0..30 {
            work.grow(0).unwrap();
            accepted += 1;
        }
        for _ in 0..6 {
            work.r#break().unwrap();
            accepted += 1;
        }
        // What is queued behind the end of an instance that has no siblings is lost, and said to be.
        let gate = Gate::new();
        let held = gate.clone();
        lone.later(Box::new(move |ctx| {
            held.pass();
            ctx.stop();
        }))
        .unwrap();
        gate.await_arrivals(1);
        for _ in 0..4 {
            lone.grow(0).unwrap();
        }
        gate.open();
        engine.settle();
        accepted += 5;
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (31, 6, 4, 0));
        assert_eq!(report.handled() + report.panicked() + report.dead_letters + report.left, accepted);
        // The one that ended before is counted beside those that lived until the end.
        assert_eq!((report.earlier.instances, report.earlier.handled, report.earlier.panicked), (1, 1, 0));
        assert_eq!(report.instances.iter().map(|one| (one.handled, one.panicked)).collect::<Vec<_>>(), [(10, 2); 3]);
        assert!(report.instances.iter().all(|one| one.message == "WorkMessage"));
        assert!(report.to_string().contains("WorkMessage"));
        assert_eq!((seen.built.get(), seen.dropped.get()), (10, 10));
    });
}

#[test]
fn after_the_shutdown_every_client_answers_stopped() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let pinned = work.pin(work.instances()[1]);
        let least_loaded = work.least_loaded();
        let (limited, handle) = (work.within(LIMIT), engine.handle());
        engine.shutdown().unwrap();
        for client in [&work, &pinned, &least_loaded, &limited] {
            assert!(client.grow(1).unwrap_err().is_stopped());
            assert!(is_stopped(&client.call()));
            assert!(is_stopped(&client.non_blocking().call().wait()));
            assert!(is_stopped(&client.call_all_with(|_| WorkMessage::call())));
            assert!(client.send_all([WorkMessage::Break]).unwrap_err().is_stopped());
        }
        assert!(is_stopped(&work.broadcast_with(|_| WorkMessage::Break)));
        assert!(handle.send(WorkMessage::Break).unwrap_err().is_stopped());
        assert!(is_stopped(&handle.call(WorkMessage::call())));
        assert!(is_stopped(&handle.client::<WorkMessage>()));
        assert!(matches!(handle.start(seen.actor()), Err(SpawnError::Stopped)));
        assert!(matches!(handle.pool(2, seen.actor()), Err(SpawnError::Stopped)));
        engine.settle();
        engine.wait();
    });
}

#[test]
fn a_second_shutdown_gives_the_same_report() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        work.grow(3).unwrap();
        work.r#break().unwrap();
        let first = engine.shutdown().unwrap();
        let second = engine.shutdown().unwrap();
        let third = engine.shutdown_timeout(Duration::from_secs(1)).unwrap();
        assert_eq!((first.handled(), first.panicked()), (15, 1));
        assert_eq!(first.to_string(), second.to_string());
        assert_eq!(first.to_string(), third.to_string());
        engine.handle().stop();
    });
}

#[test]
fn two_shutdowns_at_once_give_the_same_report() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.pool(3, seen.actor()).unwrap().grow(LEVELS).unwrap();
        thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| engine.shutdown().unwrap().to_string()));
            let [first, second] = both.map(|one| one.join().unwrap());
            assert_eq!(first, second);
        });
        assert_eq!(seen.handled.get(), (1 << (LEVELS + 1)) - 1);
    });
}

#[test]
fn the_drop_of_the_engine_shuts_it_down() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        let work = engine.pool(2, seen.actor()).unwrap();
        work.grow(LEVELS).unwrap();
        drop(engine);
        assert_eq!(seen.handled.get(), (1 << (LEVELS + 1)) - 1);
        assert_eq!((seen.built.get(), seen.dropped.get()), (2, 2));
        assert_eq!(told.try_iter().filter(|(_, what)| *what == "stop").count(), 2);
        assert!(is_stopped(&work.call()));
    });
}

#[test]
fn stop_from_a_handler_returns_and_wait_returns_when_all_is_over() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let (went_on, told) = mpsc::channel();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| engine.wait());
            work.later(Box::new(move |ctx| {
                ctx.engine().stop();
                ctx.engine().stop();
                assert!(ctx.stopping());
                ctx.send(WorkMessage::Grow(3)).expect("the inside is still accepted");
                went_on.send(()).expect("the test listens");
            }))
            .unwrap();
            receive(&told);
            waiting.join().unwrap();
        });
        assert_eq!(seen.handled.get(), 15);
        assert_eq!((seen.built.get(), seen.dropped.get()), (2, 2));
        assert_eq!(engine.shutdown().unwrap().handled(), 16);
    });
}

#[test]
fn an_engine_dropped_on_an_actor_thread_of_its_own_begins_the_shutdown() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        let work = engine.pool(2, seen.actor()).unwrap();
        let handle = engine.handle();
        let (went_on, returned) = mpsc::channel();
        work.later(Box::new(move |_| {
            drop(engine);
            went_on.send(()).expect("the test listens");
        }))
        .unwrap();
        receive(&returned);
        let mut told = receive_many(&told, 4);
        told.sort_unstable();
        assert_eq!(told, [(0, "drop"), (0, "stop"), (1, "drop"), (1, "stop")]);
        assert!(is_stopped(&work.call()));
        assert!(is_stopped(&handle.call(WorkMessage::call())));
    });
}

#[test]
fn an_engine_dropped_on_an_actor_thread_of_another_ends() {
    bounded(|| {
        let (outer, inner) = (ActorEngine::new(), ActorEngine::new());
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        inner.pool(2, seen.actor()).unwrap().grow(3).unwrap();
        let work = outer.pool(1, Seen::default().actor()).unwrap();
        work.run(Box::new(move |_| drop(inner))).unwrap();
        assert_eq!(receive_many(&told, 4).len(), 4);
        assert_eq!(seen.handled.get(), 15);
        outer.shutdown().unwrap();
    });
}

#[test]
fn a_shutdown_on_an_actor_thread_of_its_own_is_an_error() {
    bounded(|| {
        let (engine, seen) = (Arc::new(ActorEngine::new()), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let inside = Arc::clone(&engine);
        let (tell, told) = mpsc::channel();
        work.run(Box::new(move |_| {
            let both = [inside.shutdown(), inside.shutdown_timeout(LIMIT)];
            tell.send(both.map(|ended| ended.err().map(|error| error.to_string()))).expect("the test listens");
        }))
        .unwrap();
        for error in receive(&told) {
            assert!(!error.expect("it cannot join its own thread").is_empty());
        }
        engine.shutdown().unwrap();
        assert_eq!((seen.built.get(), seen.dropped.get()), (2, 2));
    });
}

#[test]
fn clients_and_handles_held_in_states_keep_nothing_alive() {
    #[actor]
    enum HolderMessage {
        Take(WorkClient, EngineHandle),
        TakeMe(HolderClient),
    }
    #[derive(Default)]
    struct Holder {
        work: Vec<WorkClient>,
        handles: Vec<EngineHandle>,
        holders: Vec<HolderClient>,
        _dropped: Option<DropGuard>,
    }
    impl HolderHandler for Holder {
        fn take(&mut self, work: WorkClient, handle: EngineHandle) {
            self.work.push(work);
            self.handles.push(handle);
        }
        fn take_me(&mut self, holder: HolderClient) {
            self.holders.push(holder);
        }
    }
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let dropped = Counter::new();
        let counter = dropped.clone();
        let work = engine.pool(1, seen.actor()).unwrap();
        let holder = engine
            .pool(2, HolderMessage::actor(move || Holder { _dropped: Some(counter.guard()), ..Holder::default() }))
            .unwrap();
        for _ in 0..4 {
            holder.take(work.clone(), engine.handle()).unwrap();
            holder.take_me(holder.clone()).unwrap();
            holder.take_me(holder.pin(holder.instances()[0])).unwrap();
        }
        drop(engine);
        assert_eq!((dropped.get(), seen.dropped.get()), (2, 1));
    });
}

#[test]
fn a_deadline_names_the_thread_whose_handler_does_not_return_and_answers_who_waits_for_it() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.spawn(ActorThread::named("healthy").register(seen.actor())).unwrap();
        engine.spawn(ActorThread::named("stubborn").register(seen.actor())).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let stubborn = work.pin(work.instances()[1]);
        let gate = Gate::new();
        thread::scope(|scope| {
            let (held, client) = (gate.clone(), stubborn.clone());
            let waiting = scope.spawn(move || client.hold(held));
            gate.await_arrivals(1);
            let queued = stubborn.non_blocking().call();
            stubborn.grow(0).unwrap();
            let limit = Duration::from_millis(100);
            let error = engine.shutdown_timeout(limit).expect_err("a handler does not return");
            assert!(error.to_string().contains("stubborn"), "{error}");
            // Nobody waits for it any more.
            assert!(is_stopped(&waiting.join().unwrap()));
            assert!(is_stopped(&queued.wait()));
            assert!(is_stopped(&stubborn.call()));
            assert!(is_stopped(&work.call()));
            gate.open();
        });
        assert_eq!(seen.handled.get(), 0);
    });
}

#[test]
fn an_abandoned_thread_ends_once_its_handler_returns() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        engine.spawn(ActorThread::named("stubborn").register(seen.actor()).register(seen.actor())).unwrap();
        let gate = Gate::new();
        let held = engine.client::<WorkMessage>().unwrap().non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        engine.shutdown_timeout(Duration::from_millis(20)).expect_err("a handler does not return");
        assert!(is_stopped(&held.wait()));
        assert!(told.try_recv().is_err());
        gate.open();
        // Its states are dropped where they lived.
        let dropped = receive_many(&told, 4).into_iter().filter(|(_, what)| *what == "drop").count();
        assert_eq!((dropped, seen.dropped.get()), (2, 2));
    });
}

#[test]
fn a_handler_that_waits_for_a_stubborn_thread_is_answered_too() {
    #[actor(calls(WorkMessage))]
    enum WaiterMessage {
        Wait(Gate, Sender<Result<(), CallError>>),
    }
    struct Waiter;
    impl WaiterHandler for Waiter {
        fn wait(&mut self, ctx: &mut Context<WaiterMessage>, gate: Gate, seen: Sender<Result<(), CallError>>) {
            seen.send(ctx.call(WorkMessage::hold(gate))).expect("the test listens");
        }
    }
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.spawn(ActorThread::named("stubborn").register(seen.actor())).unwrap();
        engine.spawn(ActorThread::named("waiter").register(WaiterMessage::actor(|| Waiter))).unwrap();
        let gate = Gate::new();
        let (outcome, ended) = mpsc::channel();
        engine.send(WaiterMessage::Wait(gate.clone(), outcome)).unwrap();
        gate.await_arrivals(1);
        let error = engine.shutdown_timeout(Duration::from_millis(100)).expect_err("a handler does not return");
        assert!(error.to_string().contains("stubborn"), "{error}");
        assert!(is_stopped(&receive(&ended)));
        gate.open();
    });
}

#[test]
fn a_deadline_ends_an_inside_that_is_never_quiet() {
    #[actor(ctx)]
    enum RestlessMessage {
        Again(Sender<()>),
    }
    struct Restless(DropGuard);
    impl RestlessHandler for Restless {
        fn again(&mut self, ctx: &mut Context<RestlessMessage>, refused: Sender<()>) {
            let _dropped_with_the_state = &self.0;
            if ctx.send(RestlessMessage::Again(refused.clone())).is_err() {
                // A test that has seen enough may be gone.
                let _ = refused.send(());
            }
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let dropped = Counter::new();
        let counter = dropped.clone();
        let restless = engine.pool(2, RestlessMessage::actor(move || Restless(counter.guard()))).unwrap();
        let (refused, _told) = mpsc::channel();
        restless.again(refused).unwrap();
        // Every handler returns, so every thread is joined, though the inside would go on for ever.
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert!(report.handled() > 0);
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn a_limit_too_big_for_the_clock_waits_until_all_is_quiet() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.pool(2, seen.actor()).unwrap().grow(LEVELS).unwrap();
        let report = engine.shutdown_timeout(Duration::MAX).unwrap();
        assert_eq!(report.handled(), (1 << (LEVELS + 1)) - 1);
    });
}

#[test]
fn timers_close_with_the_edge() {
    #[actor(ctx)]
    enum TickerMessage {
        #[reply(())]
        Begin,
        Tick,
    }
    struct Ticker(Sender<()>);
    impl TickerHandler for Ticker {
        fn begin(&mut self, ctx: &mut Context<TickerMessage>) {
            drop(ctx.send_every(Duration::from_millis(1), || TickerMessage::Tick));
        }
        fn tick(&mut self, _: &mut Context<TickerMessage>) {
            // A test that has seen enough may be gone.
            let _ = self.0.send(());
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tick, ticks) = mpsc::channel();
        let ticker = engine.pool(1, TickerMessage::actor(move || Ticker(tick.clone()))).unwrap();
        ticker.begin().unwrap();
        receive_many(&ticks, 3);
        let report = engine.shutdown().unwrap();
        assert_eq!(report.left, 0);
    });
}

#[test]
fn a_thread_spawned_by_a_handler_is_shut_down_as_well() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(1, seen.actor()).unwrap();
        let inner = seen.clone();
        work.run(Box::new(move |ctx| {
            ctx.engine().spawn(ActorThread::new().register(inner.actor())).expect("the factory does not fail");
            ctx.start(inner.actor()).expect("the factory does not fail");
        }))
        .unwrap();
        work.grow(5).unwrap();
        let report = engine.shutdown().unwrap();
        assert_eq!(report.instances.len(), 3);
        assert_eq!(report.handled(), 64);
        assert_eq!((seen.built.get(), seen.dropped.get()), (3, 3));
    });
}

#[test]
fn a_call_that_was_passed_on_ends_when_its_new_thread_is_abandoned() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let (leaving, stubborn) = (Gate::new(), Gate::new());
        let held = leaving.clone();
        work.pin(work.instances()[0])
            .later(Box::new(move |ctx| {
                held.pass();
                ctx.stop();
            }))
            .unwrap();
        leaving.await_arrivals(1);
        // The turn is at the one that leaves, so its sibling gets the call from it.
        let call = work.non_blocking().hold(stubborn.clone());
        assert_eq!(engine.stats().threads[0].queued, 2, "the call is behind the one at the gate");
        thread::scope(|scope| {
            let waiting = scope.spawn(move || call.wait());
            leaving.open();
            stubborn.await_arrivals(1);
            engine.shutdown_timeout(Duration::from_millis(100)).expect_err("a handler does not return");
            assert!(is_stopped(&waiting.join().unwrap()));
        });
        stubborn.open();
    });
}

#[test]
fn a_deadline_ends_a_thread_between_two_messages_of_a_batch() {
    #[actor]
    enum ChoreMessage {
        Work,
    }
    struct Chore;
    impl ChoreHandler for Chore {
        fn work(&mut self) {
            // Takes a moment, so that the batch takes far longer than the shutdown has.
            let (_never, nothing) = mpsc::channel::<()>();
            let _ = nothing.recv_timeout(Duration::from_millis(1));
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let chore = engine.pool(1, ChoreMessage::actor(|| Chore)).unwrap();
        assert_eq!(chore.send_all((0..CHORES).map(|_| ChoreMessage::Work)).unwrap(), CHORES);
        // Every handler returns, so nothing is abandoned, however long the batch is.
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        let chores = u64::try_from(CHORES).unwrap();
        assert!(report.dead_letters > 0);
        assert_eq!((report.handled() + report.dead_letters, report.left), (chores, 0));
    });
}

#[test]
fn a_shutdown_does_not_wait_for_an_on_start_that_always_panics() {
    #[actor]
    enum OfflineMessage {
        Note,
    }
    struct Offline(Sender<()>);
    impl OfflineHandler for Offline {
        fn note(&mut self) {}
        fn on_start(&mut self, _: &mut Context<OfflineMessage>) {
            // A test that has seen enough may be gone.
            let _ = self.0.send(());
            panic!("no connection");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tried, tries) = mpsc::channel();
        let offline = engine.pool(1, OfflineMessage::actor(move || Offline(tried.clone()))).unwrap();
        offline.note().unwrap();
        receive_many(&tries, 4);
        // It rests now and then, with mail that waits for it.
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.dead_letters, report.left), (0, 1, 0));
    });
}

#[test]
fn a_deadline_answers_a_handler_that_waits_for_a_resting_neighbour() {
    #[actor]
    enum TiredMessage {
        Break,
        #[reply(u8)]
        Call,
    }
    struct Tired;
    impl TiredHandler for Tired {
        fn r#break(&mut self) {
            panic!("it breaks");
        }
        fn call(&mut self) -> u8 {
            1
        }
    }
    #[actor(calls(TiredMessage))]
    enum PatientMessage {
        #[reply(Result<u8, CallError>)]
        Ask(Gate),
    }
    struct Patient;
    impl PatientHandler for Patient {
        fn ask(&mut self, ctx: &mut Context<PatientMessage>, gate: Gate) -> Result<u8, CallError> {
            gate.pass();
            ctx.call(TiredMessage::call())
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let long = Duration::from_secs(3600);
        let tired = TiredMessage::actor(|| Tired).restart(Restart::always().backoff(long, long));
        let patient = PatientMessage::actor(|| Patient);
        engine.spawn(ActorThread::named("shared").register(patient).register(tired)).unwrap();
        for _ in 0..3 {
            engine.send(TiredMessage::Break).unwrap();
        }
        engine.settle();
        let gate = Gate::new();
        let ask = engine.client::<PatientMessage>().unwrap().non_blocking().ask(gate.clone());
        gate.await_arrivals(1);
        gate.open();
        // The thread ends in time, so it is not abandoned: what was held for the neighbour is given up.
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert_eq!(ask.wait(), Ok(Err(CallError::Stopped { message: "TiredMessage" })));
        assert_eq!((report.handled(), report.panicked(), report.left), (1, 3, 0));
    });
}

#[test]
fn the_report_says_what_each_instance_of_an_abandoned_thread_has_left() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let thread =
            ActorThread::named("stubborn").register(seen.actor()).register(seen.actor()).register(seen.actor());
        engine.spawn(thread).unwrap();
        engine.pool(1, seen.actor()).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let pins: Vec<WorkClient> = work.instances().into_iter().map(|id| work.pin(id)).collect();
        pins[3].call().unwrap();
        let (first, second) = (Gate::new(), Gate::new());
        let held = pins[0].non_blocking().hold(first.clone());
        first.await_arrivals(1);
        // What waits by now the thread takes in at once, when it has done with this.
        let stuck = pins[0].non_blocking().hold(second.clone());
        pins[0].grow(0).unwrap();
        assert!(pins[1].send_all((0..5).map(|_| WorkMessage::Grow(0))).is_ok());
        pins[1].grow(0).unwrap();
        first.open();
        second.await_arrivals(1);
        held.wait().unwrap();
        // And this it does not.
        pins[1].grow(0).unwrap();
        pins[2].grow(0).unwrap();
        let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        let ShutdownError::Abandoned { report, .. } = error else { panic!("a thread was abandoned") };
        let counts: Vec<_> = report.instances.iter().map(|one| (one.handled, one.panicked, one.left)).collect();
        assert_eq!(counts, [(1, 0, 2), (0, 0, 6), (0, 0, 0), (1, 0, 0)]);
        assert_eq!((report.handled(), report.dead_letters, report.left), (2, 2, 8));
        assert!(report.to_string().contains("0 handled, 0 panicked, 6 left"), "{report}");
        second.open();
        drop(stuck);
    });
}

#[test]
fn of_a_batch_that_does_not_end_the_rest_is_left() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(1, seen.actor()).unwrap();
        let gate = Gate::new();
        let held = gate.clone();
        let stuck: Job = Box::new(move |_| held.pass());
        let batch = [WorkMessage::Grow(0), WorkMessage::Break, WorkMessage::Later(stuck), WorkMessage::Grow(0)];
        assert!(work.send_all(batch).is_ok());
        gate.await_arrivals(1);
        let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        let ShutdownError::Abandoned { report, .. } = error else { panic!("a thread was abandoned") };
        assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (1, 1, 0, 2));
        assert_eq!(report.instances[0].left, 2);
        gate.open();
    });
}

#[test]
fn an_on_stop_that_does_not_return_leaves_no_message() {
    #[actor(ctx)]
    enum ClingMessage {
        Leave,
    }
    struct Cling(Gate);
    impl ClingHandler for Cling {
        fn leave(&mut self, ctx: &mut Context<ClingMessage>) {
            ctx.stop();
        }
        fn on_stop(&mut self, _: &mut Context<ClingMessage>) {
            self.0.pass();
        }
    }
    bounded(|| {
        for leaves in [false, true] {
            let (engine, gate) = (ActorEngine::new(), Gate::new());
            let held = gate.clone();
            let cling = engine.pool(1, ClingMessage::actor(move || Cling(held.clone()))).unwrap();
            if leaves {
                cling.leave().unwrap();
            }
            let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a hook does not return");
            let ShutdownError::Abandoned { threads, report } = error else { panic!("a thread was abandoned") };
            assert_eq!((report.handled(), report.left), (u64::from(leaves), 0));
            let runs = threads[0].runs.expect("its code runs");
            assert_eq!(
                (Some(&runs.instance), runs.message),
                (report.instances.first().map(|one| &one.id), "ClingMessage")
            );
            gate.open();
        }
    });
}

// Fails now and then so far: who waits is looked at after they were answered.
#[test]
fn the_error_says_whose_code_runs_and_who_waits_for_whom() {
    #[actor(calls(WorkMessage))]
    enum AskMessage {
        Ask(Gate, WorkClient),
    }
    struct Ask;
    impl AskHandler for Ask {
        fn ask(&mut self, _: &mut Context<AskMessage>, gate: Gate, work: WorkClient) {
            // It ends with the thread that it waits for.
            let _ = work.hold(gate);
        }
    }
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.spawn(ActorThread::named("stubborn").register(seen.actor()).register(seen.actor())).unwrap();
        engine.spawn(ActorThread::named("waiting").register(seen.actor()).register(AskMessage::actor(|| Ask))).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let second = work.pin(work.instances()[1]);
        let (gate, stats) = (Gate::new(), || engine.stats().threads);
        engine.send(AskMessage::Ask(gate.clone(), second.clone())).unwrap();
        gate.await_arrivals(1);
        while stats()[1].waits.is_empty() {
            thread::yield_now();
        }
        let check = |threads: &[zctor::ThreadStats]| {
            let [stubborn, waiting] = threads else { panic!("there are two: {threads:?}") };
            assert_eq!((&*stubborn.name, stubborn.waits.len()), ("stubborn", 0));
            let runs = stubborn.runs.expect("a handler runs");
            assert_eq!((Some(runs.instance), runs.message), (second.instance_id(), "WorkMessage"));
            assert_eq!((&*waiting.name, waiting.waits.len()), ("waiting", 1));
            let wait = waiting.waits[0];
            assert_eq!((wait.message, wait.callee, wait.on), ("AskMessage", "WorkMessage", stubborn.thread));
            assert_eq!(waiting.runs.map(|runs| runs.instance), Some(wait.instance));
            assert!(stubborn.to_string().ends_with("runs `WorkMessage` 0.1"), "{stubborn}");
            assert!(waiting.to_string().ends_with("`AskMessage` 1.1 waits for `WorkMessage` on thread 0"), "{waiting}");
        };
        check(&stats());
        let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        let ShutdownError::Abandoned { threads, .. } = error else { panic!("threads were abandoned") };
        assert_eq!(threads[0].runs.map(|runs| runs.message), Some("WorkMessage"));
        // The waiting thread is answered when the time is up: too late to end in time.
        check(&threads);
        gate.open();
    });
}

#[test]
fn a_wait_is_over_in_the_statistics_when_it_ends() {
    #[actor(calls(WorkMessage))]
    enum AskMessage {
        Ask(Gate, Gate),
    }
    struct Ask;
    impl AskHandler for Ask {
        fn ask(&mut self, ctx: &mut Context<AskMessage>, first: Gate, second: Gate) {
            ctx.call(WorkMessage::hold(first)).expect("the gate is opened");
            second.pass();
        }
    }
    bounded(|| {
        // On one thread, where the wait runs the callee, and on two.
        for threads in [1, 2] {
            let (engine, seen) = (ActorEngine::new(), Seen::default());
            if threads == 1 {
                engine.spawn(ActorThread::new().register(AskMessage::actor(|| Ask)).register(seen.actor())).unwrap();
            } else {
                engine.pool(1, AskMessage::actor(|| Ask)).unwrap();
                engine.pool(1, seen.actor()).unwrap();
            }
            let (first, second) = (Gate::new(), Gate::new());
            engine.send(AskMessage::Ask(first.clone(), second.clone())).unwrap();
            first.await_arrivals(1);
            let runs = |thread: usize| engine.stats().threads[thread].runs.map(|runs| runs.message);
            assert_eq!(runs(threads - 1), Some("WorkMessage"));
            first.open();
            second.await_arrivals(1);
            assert_eq!((runs(0), engine.stats().threads[0].waits.len()), (Some("AskMessage"), 0));
            second.open();
            engine.settle();
            assert!(engine.stats().threads.iter().all(|thread| thread.runs.is_none() && thread.waits.is_empty()));
        }
    });
}

#[test]
fn a_hook_that_holds_the_last_owner_of_its_engine_hangs_nobody() {
    bounded(|| {
        let engine = Arc::new(ActorEngine::new());
        let handle = engine.handle();
        let owner = Arc::clone(&engine);
        engine.on_end(move |_| drop(owner.stats()));
        drop(engine);
        handle.stop();
        // Its owner is dropped by whoever drives the shutdown, who comes to an end, and lets go of the engine.
        while format!("{handle:?}") != "EngineHandle(gone)" {
            thread::yield_now();
        }
    });
}
