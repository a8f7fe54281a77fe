//! The context of a handler: where it runs, itself, its thread's instances, new instances, its end.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, InstanceId, SpawnError, StopError, ThreadId, actor};
use zctor_tests::{Counter, DropGuard, Gate, bounded, receive, receive_many};

type Job = Box<dyn FnOnce(&mut Context<HostMessage>) + Send>;

#[actor(calls(PlaceMessage, ChildMessage))]
enum HostMessage {
    #[reply(())]
    Run(Job),
    Later(Job),
}

struct Host;

impl HostHandler for Host {
    fn run(&mut self, ctx: &mut Context<HostMessage>, job: Job) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<HostMessage>, job: Job) {
        job(ctx);
    }
}

/// Tells where it is.
#[actor(ctx)]
#[derive(Clone)]
enum PlaceMessage {
    #[reply((ThreadId, InstanceId))]
    Here,
    Note(Sender<InstanceId>),
    #[reply(u64)]
    Notes,
}

#[derive(Default)]
struct Place {
    notes: u64,
}

impl PlaceHandler for Place {
    fn here(&mut self, ctx: &mut Context<PlaceMessage>) -> (ThreadId, InstanceId) {
        (ctx.thread_id(), ctx.instance_id())
    }
    fn note(&mut self, ctx: &mut Context<PlaceMessage>, seen: Sender<InstanceId>) {
        self.notes += 1;
        // A test that has seen enough may be gone.
        let _ = seen.send(ctx.instance_id());
    }
    fn notes(&mut self, _: &mut Context<PlaceMessage>) -> u64 {
        self.notes
    }
}

/// Starts, counts, stops and resets.
#[actor(ctx)]
#[derive(Clone)]
enum ChildMessage {
    #[reply(u64)]
    Increment,
    #[reply(ThreadId)]
    Thread,
    #[reply(())]
    Reset,
    #[reply(())]
    Leave,
    #[reply(bool)]
    Stopping,
}

struct Child {
    count: u64,
    hooks: Option<Sender<&'static str>>,
    _kept: Option<Rc<DropGuard>>,
}

impl Child {
    fn quiet() -> Self {
        Self { count: 0, hooks: None, _kept: None }
    }
    fn telling(hooks: Sender<&'static str>) -> Self {
        Self { count: 0, hooks: Some(hooks), _kept: None }
    }
    fn tell(&self, what: &'static str) {
        if let Some(hooks) = &self.hooks {
            // A test that has seen enough may be gone.
            let _ = hooks.send(what);
        }
    }
}

impl ChildHandler for Child {
    fn increment(&mut self, _: &mut Context<ChildMessage>) -> u64 {
        self.count += 1;
        self.count
    }
    fn thread(&mut self, ctx: &mut Context<ChildMessage>) -> ThreadId {
        ctx.thread_id()
    }
    fn reset(&mut self, ctx: &mut Context<ChildMessage>) {
        ctx.reset();
        self.tell("reset asked");
    }
    fn leave(&mut self, ctx: &mut Context<ChildMessage>) {
        ctx.stop();
        self.tell("stop asked");
    }
    fn stopping(&mut self, ctx: &mut Context<ChildMessage>) -> bool {
        ctx.stopping()
    }
    fn on_start(&mut self, _: &mut Context<ChildMessage>) {
        self.tell("start");
    }
    fn on_stop(&mut self, _: &mut Context<ChildMessage>) {
        self.tell("stop");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.tell("drop");
    }
}

fn host() -> ActorThread {
    ActorThread::new().register(HostMessage::actor(|| Host))
}

fn places(thread: ActorThread, count: usize) -> ActorThread {
    (0..count).fold(thread, |thread, _| thread.register(PlaceMessage::actor(Place::default)))
}

#[test]
fn a_handler_knows_its_thread_and_its_instance() {
    bounded(|| {
        let engine = ActorEngine::new();
        let place = engine.pool(3, PlaceMessage::actor(Place::default)).unwrap();
        let mut seen = HashSet::new();
        for id in place.instances() {
            let (thread, instance) = place.pin(id).here().unwrap();
            assert_eq!((thread, instance), (id.thread(), id));
            assert_eq!(thread.to_string(), thread.index().to_string());
            assert!(seen.insert(instance));
        }
        let threads: Vec<_> = place.instances().iter().map(|id| id.thread().index()).collect();
        assert_eq!(threads, [0, 1, 2]);
    });
}

#[test]
fn several_instances_of_a_type_on_one_thread_are_told_apart() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = engine.spawn(places(ActorThread::new(), 3)).unwrap();
        let place = engine.client::<PlaceMessage>().unwrap();
        let seen: HashSet<_> = (0..3).map(|_| place.here().unwrap().1).collect();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|id| id.thread() == thread));
    });
}

#[test]
fn me_is_bound_to_this_very_instance_and_may_be_handed_out() {
    bounded(|| {
        let engine = ActorEngine::new();
        for _ in 0..3 {
            engine.spawn(host()).unwrap();
        }
        let host = engine.client::<HostMessage>().unwrap();
        for id in host.instances() {
            let (hand_out, handed_out) = mpsc::channel();
            host.pin(id)
                .run(Box::new(move |ctx| hand_out.send((ctx.me(), ctx.instance_id())).expect("the test listens")))
                .unwrap();
            let (me, instance) = receive(&handed_out);
            assert_eq!((me.instance_id(), instance), (Some(id), id));
            assert_eq!(me, host.pin(id));
            for _ in 0..3 {
                let (seen, places) = mpsc::channel();
                me.later(Box::new(move |ctx| seen.send(ctx.instance_id()).expect("the test listens"))).unwrap();
                assert_eq!(receive(&places), id);
            }
        }
        assert_eq!(host.instance_id(), None);
    });
}

#[test]
fn a_message_to_me_comes_after_the_handler_and_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(host()).unwrap();
        let (seen, numbers) = mpsc::channel();
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                for number in 1..=3 {
                    let seen = seen.clone();
                    ctx.me()
                        .later(Box::new(move |_| seen.send(number).expect("the test listens")))
                        .expect("it lives itself");
                }
                seen.send(0).expect("the test listens");
            })))
            .unwrap();
        assert_eq!(receive_many(&numbers, 4), [0, 1, 2, 3]);
    });
}

#[test]
fn local_sends_and_calls_stay_on_the_thread_and_go_in_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let own = engine.spawn(places(host(), 3)).unwrap();
        engine.spawn(places(ActorThread::new(), 2)).unwrap();
        let all = engine.client::<PlaceMessage>().unwrap().instances();
        let local: Vec<_> = all.iter().copied().filter(|id| id.thread() == own).collect();
        assert_eq!((all.len(), local.len()), (5, 3));
        let (seen, places) = mpsc::channel();
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                for _ in 0..6 {
                    ctx.send_local(PlaceMessage::Note(seen.clone())).expect("some live here");
                }
            })))
            .unwrap();
        let noted = receive_many(&places, 6);
        assert_eq!(noted[..3].iter().collect::<HashSet<_>>(), local.iter().collect());
        assert_eq!(noted[..3], noted[3..]);

        let (seen, places) = mpsc::channel();
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                for _ in 0..6 {
                    let (thread, instance) = ctx.call_local(PlaceMessage::here()).expect("some live here");
                    assert_eq!(thread, ctx.thread_id());
                    seen.send(instance).expect("the test listens");
                }
            })))
            .unwrap();
        let called = receive_many(&places, 6);
        assert_eq!(called[..3].iter().collect::<HashSet<_>>(), local.iter().collect());
        assert_eq!(called[..3], called[3..]);
    });
}

#[test]
fn local_mail_with_nobody_on_the_thread_is_not_registered() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(host()).unwrap();
        engine.spawn(places(ActorThread::new(), 1)).unwrap();
        engine
            .call(HostMessage::run(Box::new(|ctx| {
                let refused = ctx.call_local(PlaceMessage::here());
                assert_eq!(refused, Err(CallError::NotRegistered { message: "PlaceMessage" }));
                let (seen, _places) = mpsc::channel();
                let refused = ctx.send_local(PlaceMessage::Note(seen)).expect_err("nobody is here");
                assert!(refused.is_not_registered());
                assert!(matches!(refused.into_inner(), PlaceMessage::Note(_)));
            })))
            .unwrap();
    });
}

#[test]
fn a_handler_sends_and_broadcasts() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(host()).unwrap();
        let place = engine.pool(3, PlaceMessage::actor(Place::default)).unwrap();
        let (seen, places) = mpsc::channel();
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                ctx.send(PlaceMessage::Note(seen.clone())).expect("they live");
                assert_eq!(ctx.broadcast(PlaceMessage::Note(seen)).ok(), Some(3));
            })))
            .unwrap();
        assert_eq!(
            receive_many(&places, 4).into_iter().collect::<HashSet<_>>(),
            place.instances().into_iter().collect()
        );
    });
}

#[test]
fn an_instance_started_inside_lives_on_this_thread_and_in_no_pool() {
    bounded(|| {
        let engine = ActorEngine::new();
        let own = engine.spawn(host()).unwrap();
        let pool = engine.pool(2, ChildMessage::actor(Child::quiet)).unwrap();
        let dropped = Counter::new();
        let guard = dropped.guard();
        let (hand_out, handed_out) = mpsc::channel();
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                // What the factory captures may be tied to the thread.
                let kept = Rc::new(guard);
                let child = ctx
                    .start::<ChildMessage>(move || Child { count: 0, hooks: None, _kept: Some(kept) })
                    .expect("the factory does not fail");
                let other = ctx.start(ChildMessage::actor(Child::quiet)).expect("the factory does not fail");
                let once = ctx.start(ChildMessage::actor_once(Child::quiet)).expect("the factory does not fail");
                assert_eq!(child.increment(), Ok(1));
                assert_eq!(child.thread(), Ok(ctx.thread_id()));
                hand_out.send([child, other, once]).expect("the test listens");
            })))
            .unwrap();
        let started = receive(&handed_out);
        for child in &started {
            assert_eq!(child.thread(), Ok(own));
            let id = child.instance_id().expect("it is bound");
            assert_eq!(id.thread(), own);
            assert!(!pool.instances().contains(&id));
        }
        assert_eq!(started[0].increment(), Ok(2));
        assert_eq!(started[1].increment(), Ok(1));
        assert_eq!(started.iter().map(|child| child.instance_id()).collect::<HashSet<_>>().len(), 3);
        assert_ne!(started[0], started[1]);
        assert_eq!(started[0], started[0].clone());

        // The registry, the rotation and the broadcast do not know them.
        assert_eq!(engine.registry().get::<ChildMessage>().unwrap().instances().len(), 2);
        for _ in 0..4 {
            assert_ne!(pool.thread(), Ok(own));
        }
        assert_eq!(pool.broadcast(ChildMessage::Increment).ok(), Some(2));
        assert_eq!(pool.call_all(ChildMessage::increment()).unwrap().len(), 2);
        engine.settle();
        assert_eq!(started[1].increment(), Ok(2));

        // The report counts them.
        let report = engine.shutdown().unwrap();
        assert_eq!(report.instances.iter().filter(|one| one.message == "ChildMessage").count(), 5);
        assert_eq!(dropped.get(), 1);
        assert_eq!(started[0].increment(), Err(CallError::Stopped { message: "ChildMessage" }));
    });
}

#[test]
fn an_instance_started_by_the_engine_lives_on_a_thread_of_its_own_and_in_no_pool() {
    bounded(|| {
        let engine = ActorEngine::new();
        let first = engine.start(ChildMessage::actor(Child::quiet)).unwrap();
        let second = engine.handle().start(ChildMessage::actor_once(Child::quiet)).unwrap();
        assert_eq!(engine.thread_count(), 2);
        assert_ne!(first.thread(), second.thread());
        assert!(engine.registry().is_empty());
        assert_eq!(engine.call(ChildMessage::increment()), Err(CallError::NotRegistered { message: "ChildMessage" }));
        assert_eq!((first.increment(), first.increment(), second.increment()), (Ok(1), Ok(2), Ok(1)));
        first.stop().unwrap();
        engine.settle();
        assert_eq!(first.increment(), Err(CallError::Stopped { message: "ChildMessage" }));
        assert_eq!(first.stop(), Err(StopError::Stopped { message: "ChildMessage" }));
        assert_eq!(second.increment(), Ok(2));
    });
}

#[test]
fn a_factory_that_fails_comes_out_of_start() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(host()).unwrap();
        let failing = || ChildMessage::try_actor(|_| -> Result<Child, _> { Err("no luck".into()) });
        let panicking = || ChildMessage::actor(|| -> Child { panic!("no luck at all") });
        assert!(matches!(engine.start(failing()), Err(SpawnError::Factory { message: "ChildMessage", .. })));
        assert!(matches!(engine.start(panicking()), Err(SpawnError::FactoryPanicked { message: "ChildMessage", .. })));
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                assert!(matches!(ctx.start(failing()), Err(SpawnError::Factory { message: "ChildMessage", .. })));
                assert!(matches!(
                    ctx.start(panicking()),
                    Err(SpawnError::FactoryPanicked { message: "ChildMessage", .. })
                ));
                let panics = ctx.start::<ChildMessage>(|| -> Child { panic!("no luck either") });
                assert!(matches!(panics, Err(SpawnError::FactoryPanicked { message: "ChildMessage", .. })));
            })))
            .unwrap();
        engine.call(HostMessage::run(Box::new(|_| ()))).unwrap();
    });
}

#[test]
fn reset_runs_on_stop_drops_the_state_and_builds_a_fresh_one_before_the_next_message() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (hooks, seen) = mpsc::channel();
        let child = engine.pool(1, ChildMessage::actor(move || Child::telling(hooks.clone()))).unwrap();
        assert_eq!((child.increment(), child.increment()), (Ok(1), Ok(2)));
        child.reset().unwrap();
        assert_eq!(child.increment(), Ok(1));
        assert_eq!(receive_many(&seen, 5), ["start", "reset asked", "stop", "drop", "start"]);
        assert_eq!(child.instances().len(), 1);
        engine.shutdown().unwrap();
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["stop", "drop"]);
    });
}

#[test]
fn reset_ends_an_instance_that_is_built_once() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (hooks, seen) = mpsc::channel();
        let child = engine.start(ChildMessage::actor_once(move || Child::telling(hooks))).unwrap();
        child.reset().unwrap();
        assert_eq!(receive_many(&seen, 4), ["start", "reset asked", "stop", "drop"]);
        engine.settle();
        assert_eq!(child.increment(), Err(CallError::Stopped { message: "ChildMessage" }));
    });
}

#[test]
fn stop_ends_the_instance_after_its_handler() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (hooks, seen) = mpsc::channel();
        let child = engine.start(ChildMessage::actor(move || Child::telling(hooks.clone()))).unwrap();
        assert_eq!(child.leave(), Ok(()));
        assert_eq!(receive_many(&seen, 4), ["start", "stop asked", "stop", "drop"]);
        engine.settle();
        assert_eq!(child.increment(), Err(CallError::Stopped { message: "ChildMessage" }));
    });
}

#[test]
fn stopping_tells_a_long_handler_that_the_shutdown_has_begun() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(host()).unwrap();
        let child = engine.pool(1, ChildMessage::actor(Child::quiet)).unwrap();
        assert_eq!(child.stopping(), Ok(false));
        let gate = Gate::new();
        let held = gate.clone();
        let (seen, told) = mpsc::channel();
        let host = engine.client::<HostMessage>().unwrap();
        host.later(Box::new(move |ctx| {
            seen.send(ctx.stopping()).expect("the test listens");
            held.pass();
            while !ctx.stopping() {
                thread::yield_now();
            }
            seen.send(true).expect("the test listens");
        }))
        .unwrap();
        gate.await_arrivals(1);
        assert!(!receive(&told));
        engine.handle().stop();
        gate.open();
        assert!(receive(&told));
        engine.shutdown().unwrap();
    });
}

#[test]
fn the_handle_of_the_engine_works_inside_and_outlives_the_handler() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(host()).unwrap();
        let (hand_out, handed_out) = mpsc::channel();
        engine
            .call(HostMessage::run(Box::new(move |ctx| {
                let handle = ctx.engine();
                let thread = handle
                    .spawn(ActorThread::named("placed").register(PlaceMessage::actor(Place::default)))
                    .expect("the factory does not fail");
                assert_eq!(thread.index(), 1);
                assert_eq!(handle.thread_count(), 2);
                assert_eq!(handle.registry().len(), 2);
                assert!(handle.client::<PlaceMessage>().is_ok());
                hand_out.send(handle).expect("the test listens");
            })))
            .unwrap();
        let handle = receive(&handed_out);
        assert_eq!(handle.call(PlaceMessage::notes()), Ok(0));
        engine.shutdown().unwrap();
        assert_eq!(handle.call(PlaceMessage::notes()), Err(CallError::Stopped { message: "PlaceMessage" }));
        assert!(matches!(handle.spawn(host()), Err(SpawnError::Stopped)));
    });
}
