//! User code may use the engine wherever it runs: no lock or borrow of the runtime is held meanwhile, and a panic of it
//! ends nothing.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, EngineHandle, SpawnError, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

/// Tells where it was run, and uses all of the engine that does not wait.
#[derive(Clone)]
struct Probe {
    handle: EngineHandle,
    seen: Sender<&'static str>,
}

impl Probe {
    fn use_the_engine(&self, place: &'static str) {
        let _ = self.handle.send(QuietMessage::Note);
        let _ = self.handle.broadcast(QuietMessage::Note);
        let _ = self.handle.stats();
        let _ = self.handle.registry().to_string();
        let _ = self.handle.thread_count();
        if let Ok(quiet) = self.handle.client::<QuietMessage>() {
            let _ = (quiet.instances(), quiet.least_loaded().note());
            quiet.non_blocking().count().detach();
            drop(quiet.non_blocking().count());
            assert!(matches!(quiet.count(), Err(CallError::Undeclared { .. } | CallError::Stopped { .. })));
        }
        // A test that has seen enough may be gone.
        let _ = self.seen.send(place);
    }
}

/// Uses the engine when it is dropped.
struct OnDrop(Probe, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.use_the_engine(self.1);
    }
}

/// Uses the engine when it is cloned.
struct OnClone(Probe);

impl Clone for OnClone {
    fn clone(&self) -> Self {
        self.0.use_the_engine("clone");
        Self(self.0.clone())
    }
}

#[actor]
#[derive(Clone)]
enum QuietMessage {
    Note,
    #[reply(u64)]
    Count,
}

#[derive(Default)]
struct Quiet(u64);

impl QuietHandler for Quiet {
    fn note(&mut self) {
        self.0 += 1;
    }
    fn count(&mut self) -> u64 {
        self.0
    }
}

#[actor(ctx)]
enum BusyMessage {
    Carry(OnDrop),
    #[reply(OnDrop)]
    Answer(OnDrop),
    #[reply(())]
    Hold(Gate),
    #[reply(())]
    Arm(Probe),
    Never(OnDrop),
    #[reply(())]
    Reset,
    Stop,
    #[reply(())]
    Break,
}

struct Busy {
    _dropped: OnDrop,
}

impl BusyHandler for Busy {
    fn carry(&mut self, _: &mut Context<BusyMessage>, _: OnDrop) {}
    fn answer(&mut self, _: &mut Context<BusyMessage>, reply: OnDrop) -> OnDrop {
        reply
    }
    fn hold(&mut self, _: &mut Context<BusyMessage>, gate: Gate) {
        gate.pass();
    }
    fn arm(&mut self, ctx: &mut Context<BusyMessage>, probe: Probe) {
        let held = OnDrop(probe.clone(), "timer's message");
        drop(ctx.send_after(Duration::from_secs(3600), BusyMessage::Never(held)));
        let held = OnDrop(probe.clone(), "timer's closure");
        drop(ctx.send_every(Duration::from_secs(3600), move || BusyMessage::Never(OnDrop(held.0.clone(), "tick"))));
        let held = OnDrop(probe.clone(), "pipe's closure");
        ctx.pipe(Vec::new(), move |_: Vec<Result<u64, CallError>>| {
            held.0.use_the_engine("pipe runs");
            BusyMessage::Never(OnDrop(held.0.clone(), "piped message"))
        });
        let held = OnDrop(probe.clone(), "pipe that never runs");
        let never = ctx.me().non_blocking().hold(Gate::new());
        ctx.pipe(never, move |_| BusyMessage::Never(held));
        // It ends before what it piped to itself comes up.
        ctx.reset();
    }
    fn never(&mut self, _: &mut Context<BusyMessage>, _: OnDrop) {}
    fn reset(&mut self, ctx: &mut Context<BusyMessage>) {
        ctx.reset();
    }
    fn stop(&mut self, ctx: &mut Context<BusyMessage>) {
        ctx.stop();
    }
    fn r#break(&mut self, _: &mut Context<BusyMessage>) {
        panic!("it breaks");
    }
}

fn engine() -> (ActorEngine, Probe, Receiver<&'static str>) {
    let engine = ActorEngine::new();
    engine.pool(2, QuietMessage::actor(Quiet::default)).expect("the factory does not fail");
    let (seen, places) = mpsc::channel();
    let probe = Probe { handle: engine.handle(), seen };
    (engine, probe, places)
}

fn busy(engine: &ActorEngine, probe: &Probe) -> BusyClient {
    let probe = probe.clone();
    engine
        .pool(
            1,
            BusyMessage::actor(move || {
                probe.use_the_engine("factory");
                Busy { _dropped: OnDrop(probe.clone(), "state") }
            }),
        )
        .expect("the factory does not fail")
}

#[test]
fn factories_and_drops_of_states_use_the_engine() {
    bounded(|| {
        let (engine, probe, places) = engine();
        let busy = busy(&engine, &probe);
        assert_eq!(receive(&places), "factory");
        busy.reset().unwrap();
        assert_eq!(receive_many(&places, 2), ["state", "factory"]);
        assert!(busy.r#break().is_err());
        assert_eq!(receive_many(&places, 2), ["state", "factory"]);
        busy.stop().unwrap();
        assert_eq!(receive(&places), "state");
        engine.settle();
        engine.shutdown().unwrap();
    });
}

#[test]
fn drops_of_messages_and_replies_use_the_engine() {
    bounded(|| {
        let (engine, probe, places) = engine();
        let busy = busy(&engine, &probe);
        receive(&places);
        busy.carry(OnDrop(probe.clone(), "handled")).unwrap();
        assert_eq!(receive(&places), "handled");
        // A reply that nobody takes is dropped on the actor's thread.
        busy.send(BusyMessage::Answer(OnDrop(probe.clone(), "reply to a send"))).unwrap();
        assert_eq!(receive(&places), "reply to a send");
        let gate = Gate::new();
        let held = busy.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        busy.non_blocking().answer(OnDrop(probe.clone(), "detached")).detach();
        gate.open();
        held.wait().unwrap();
        assert_eq!(receive(&places), "detached");
        // Given up before it began.
        let gate = Gate::new();
        let held = busy.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        drop(busy.non_blocking().answer(OnDrop(probe.clone(), "given up")));
        // Dead letters of the instance's end.
        busy.stop().unwrap();
        busy.carry(OnDrop(probe.clone(), "dead letter")).unwrap();
        let lost = busy.non_blocking().answer(OnDrop(probe.clone(), "dead call"));
        gate.open();
        held.wait().unwrap();
        assert!(lost.wait().is_err());
        let mut last = receive_many(&places, 4);
        last.sort_unstable();
        assert_eq!(last, ["dead call", "dead letter", "given up", "state"]);
        engine.settle();
        engine.shutdown().unwrap();
        drop(busy.carry(OnDrop(probe, "refused")));
        assert_eq!(receive(&places), "refused");
    });
}

#[test]
fn drops_of_timers_and_pipes_use_the_engine() {
    bounded(|| {
        let (engine, probe, places) = engine();
        let busy = busy(&engine, &probe);
        // Its reset ends them all, and with the pipe the request to itself is given up.
        busy.arm(probe).unwrap();
        busy.reset().unwrap();
        let told: Vec<_> = places.try_iter().collect();
        for place in ["timer's message", "timer's closure", "pipe's closure", "pipe that never runs"] {
            assert!(told.contains(&place), "{place}: {told:?}");
        }
    });
}

#[test]
fn clones_and_makers_of_a_broadcast_use_the_engine() {
    #[actor]
    #[derive(Clone)]
    enum CopiedMessage {
        Take(OnClone),
        #[reply(u64)]
        Ask(OnClone),
    }
    struct Copied;
    impl CopiedHandler for Copied {
        fn take(&mut self, _: OnClone) {}
        fn ask(&mut self, _: OnClone) -> u64 {
            1
        }
    }
    bounded(|| {
        let (engine, probe, places) = engine();
        engine.pool(3, CopiedMessage::actor(|| Copied)).unwrap();
        let one = OnClone(probe.clone());
        let handle = engine.handle();
        engine.pool(1, RunnerMessage::actor(|| Runner)).unwrap();
        engine
            .call(RunnerMessage::run(Box::new(move |ctx| {
                assert_eq!(ctx.broadcast(CopiedMessage::Take(one.clone())).ok(), Some(3));
                let made = handle.broadcast_with(|_| {
                    probe.use_the_engine("maker");
                    CopiedMessage::Take(one.clone())
                });
                assert_eq!(made, Ok(3));
            })))
            .unwrap();
        engine.settle();
        let told: Vec<_> = places.try_iter().collect();
        assert!(told.iter().filter(|place| **place == "clone").count() >= 5, "{told:?}");
        assert_eq!(told.iter().filter(|place| **place == "maker").count(), 3);
    });
}

type Job = Box<dyn FnOnce(&mut Context<RunnerMessage>) + Send>;

#[actor(ctx)]
enum RunnerMessage {
    #[reply(())]
    Run(Job),
}

struct Runner;

impl RunnerHandler for Runner {
    fn run(&mut self, ctx: &mut Context<RunnerMessage>, job: Job) {
        job(ctx);
    }
}

#[test]
fn factories_and_drops_may_spawn() {
    struct Spawning(EngineHandle, Sender<bool>);
    impl QuietHandler for Spawning {
        fn note(&mut self) {}
        fn count(&mut self) -> u64 {
            7
        }
    }
    impl Drop for Spawning {
        fn drop(&mut self) {
            let spawned = self.0.spawn(ActorThread::new().register(RunnerMessage::actor(|| Runner)));
            assert!(matches!(spawned, Ok(_) | Err(SpawnError::Stopped)));
            let _ = self.1.send(spawned.is_ok());
        }
    }
    bounded(|| {
        let (engine, _probe, _places) = engine();
        let (handle, (seen, spawned)) = (engine.handle(), mpsc::channel());
        let spawning = engine
            .start(QuietMessage::actor(move || {
                handle
                    .spawn(ActorThread::new().register(RunnerMessage::actor(|| Runner)))
                    .expect("the factory does not fail");
                handle.pool(2, RunnerMessage::actor(|| Runner)).expect("the factory does not fail");
                handle.start(RunnerMessage::actor(|| Runner)).expect("the factory does not fail");
                Spawning(handle.clone(), seen.clone())
            }))
            .unwrap();
        assert_eq!(spawning.count(), Ok(7));
        assert_eq!(engine.registry().get::<RunnerMessage>().unwrap().instances().len(), 3);
        spawning.stop().unwrap();
        assert!(receive(&spawned));
        engine.settle();
        assert_eq!(engine.registry().get::<RunnerMessage>().unwrap().instances().len(), 4);
        engine.shutdown().unwrap();
    });
}

#[test]
fn a_hook_at_the_end_of_the_engine_uses_it_and_starts_nothing() {
    #[actor(ctx)]
    enum LateMessage {
        Nothing,
    }
    struct Late(Sender<(bool, bool)>);
    impl LateHandler for Late {
        fn nothing(&mut self, _: &mut Context<LateMessage>) {}
        fn on_stop(&mut self, ctx: &mut Context<LateMessage>) {
            let handle = ctx.engine();
            let _ = (handle.stats(), handle.registry(), ctx.me().nothing());
            let spawned = handle.spawn(ActorThread::new().register(RunnerMessage::actor(|| Runner)));
            let told = (matches!(spawned, Err(SpawnError::Stopped)), ctx.stopping());
            self.0.send(told).expect("the test listens");
        }
    }
    bounded(|| {
        let (engine, _probe, _places) = engine();
        let (seen, told) = mpsc::channel();
        engine.pool(2, LateMessage::actor(move || Late(seen.clone()))).unwrap();
        engine.shutdown().unwrap();
        assert_eq!(receive_many(&told, 2), [(true, true); 2]);
    });
}

/// Panics when it is dropped, unless a panic is on its way already.
struct Grenade(Counter);

impl Drop for Grenade {
    fn drop(&mut self) {
        self.0.increment();
        if !std::thread::panicking() {
            panic!("the drop panics");
        }
    }
}

#[actor(ctx)]
enum MinedMessage {
    Carry(Grenade),
    #[reply(())]
    Call(Grenade),
    #[reply(())]
    Hold(Gate),
    #[reply(())]
    Arm(Counter),
    #[reply(u64)]
    Count,
    Stop,
    #[reply(())]
    Reset,
}

#[derive(Default)]
struct Mined(u64);

impl MinedHandler for Mined {
    fn carry(&mut self, _: &mut Context<MinedMessage>, mine: Grenade) {
        std::mem::forget(mine);
    }
    fn call(&mut self, _: &mut Context<MinedMessage>, mine: Grenade) {
        std::mem::forget(mine);
    }
    fn hold(&mut self, _: &mut Context<MinedMessage>, gate: Gate) {
        gate.pass();
    }
    fn arm(&mut self, ctx: &mut Context<MinedMessage>, dropped: Counter) {
        drop(ctx.send_after(Duration::from_secs(3600), MinedMessage::Carry(Grenade(dropped.clone()))));
        let mine = Grenade(dropped.clone());
        drop(ctx.send_every(Duration::from_secs(3600), move || {
            let _held = &mine;
            MinedMessage::Stop
        }));
        let mine = Grenade(dropped);
        let never = ctx.me().non_blocking().hold(Gate::new());
        ctx.pipe(never, move |_| {
            let _held = &mine;
            MinedMessage::Stop
        });
        ctx.reset();
    }
    fn count(&mut self, _: &mut Context<MinedMessage>) -> u64 {
        self.0 += 1;
        self.0
    }
    fn stop(&mut self, ctx: &mut Context<MinedMessage>) {
        ctx.stop();
    }
    fn reset(&mut self, ctx: &mut Context<MinedMessage>) {
        ctx.reset();
    }
}

#[test]
fn a_dead_letter_whose_drop_panics_takes_nothing_down() {
    bounded(|| {
        let (engine, _probe, _places) = engine();
        // The one that ends, and a neighbour on its thread.
        engine
            .spawn(
                ActorThread::new()
                    .register(MinedMessage::actor(Mined::default))
                    .register(RunnerMessage::actor(|| Runner)),
            )
            .unwrap();
        let mined = engine.client::<MinedMessage>().unwrap();
        let dropped = Counter::new();
        let gate = Gate::new();
        let held = mined.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        drop(mined.non_blocking().call(Grenade(dropped.clone())));
        mined.stop().unwrap();
        mined.carry(Grenade(dropped.clone())).unwrap();
        let call = mined.non_blocking().call(Grenade(dropped.clone()));
        mined.carry(Grenade(dropped.clone())).unwrap();
        gate.open();
        assert_eq!(held.wait(), Ok(()));
        assert!(call.wait().is_err());
        engine.call(RunnerMessage::run(Box::new(|_| ()))).unwrap();
        engine.settle();
        assert_eq!(dropped.get(), 4);
        let report = engine.shutdown().unwrap();
        assert_eq!((report.dead_letters, report.left), (4, 0));
    });
}

#[test]
fn timers_and_pipes_whose_drop_panics_take_nothing_down() {
    bounded(|| {
        let (engine, _probe, _places) = engine();
        let mined = engine.pool(1, MinedMessage::actor(Mined::default)).unwrap();
        let dropped = Counter::new();
        assert_eq!(mined.count(), Ok(1));
        mined.arm(dropped.clone()).unwrap();
        // The pipe's own request holds the instance at a gate of its own, which its end has given up: it is skipped.
        assert_eq!(mined.count(), Ok(1));
        assert_eq!(dropped.get(), 3);
        let report = engine.shutdown().unwrap();
        assert_eq!((report.panicked(), report.left), (0, 0));
    });
}

#[test]
fn the_drop_of_what_a_factory_holds_uses_the_engine_and_waits_for_nothing() {
    bounded(|| {
        let (engine, probe, places) = engine();
        let held = OnDrop(probe.clone(), "held by the factory");
        let state = move || Busy { _dropped: OnDrop(held.0.clone(), "state") };
        let busy = engine.start(BusyMessage::actor(state)).unwrap();
        busy.stop().unwrap();
        // A wait that was let through would have panicked instead.
        assert_eq!(receive_many(&places, 2), ["state", "held by the factory"]);
    });
}
