//! The calling thread as an actor thread: it runs its instances until the engine stops, and they may do what others
//! may.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self};
use std::thread;

use zctor::{ActorEngine, CallError, Context, Here, Restart, SpawnError, actor};
use zctor_tests::{Counter, DropGuard, bounded, receive};

use crate::window::{Job, SHORT, Window, WindowClient, WindowMessage, WorkMessage, window, work};

/// Has one meaning for what is not `Send`, and two, so that it does not compile, for what is.
trait AmbiguousIfSend<A> {
    fn check() {}
}

struct Second;

impl<T: ?Sized> AmbiguousIfSend<()> for T {}

impl<T: ?Sized + Send> AmbiguousIfSend<Second> for T {}

#[test]
fn it_stays_on_its_thread() {
    // It fails to compile where it fails.
    <Here as AmbiguousIfSend<_>>::check();
    <Window as AmbiguousIfSend<_>>::check();
}

#[test]
fn run_serves_until_the_engine_stops() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        for value in 0..10 {
            work.tell(value, window.clone()).unwrap();
        }
        let (asked, stop) = (work.request(WorkMessage::ask_back(10, window.clone())), engine.handle());
        thread::scope(|scope| {
            scope.spawn(move || {
                assert_eq!(asked.wait(), Ok(Ok(11)));
                stop.stop();
            });
            here.run();
        });
        assert_eq!(*screen.borrow(), (0..=10).collect::<Vec<_>>());
        assert!(window.show(1).is_err_and(|error| error.is_stopped()));
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.dead_letters, report.left), (22, 0, 0));
        assert_eq!(report.instances.last().map(|one| (one.message, one.handled)), Some(("WindowMessage", 11)));
    });
}

#[test]
fn a_handler_of_its_own_ends_run() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, _) = window(&here);
        window.countdown(1_000).unwrap();
        window.request(WindowMessage::run(Box::new(|ctx| ctx.engine().stop()))).detach();
        here.run();
        // The inside went on until it was quiet.
        assert_eq!(engine.shutdown().unwrap().handled(), 1_002);
    });
}

#[test]
fn a_timer_fires_in_run() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, _) = window(&here);
        window
            .request(WindowMessage::run(Box::new(|ctx| {
                let engine = ctx.engine();
                let stop: Job = Box::new(move |_| engine.stop());
                let Ok(()) = ctx.me().request(WindowMessage::run(Box::new(|_| ()))).try_take().unwrap_or(Ok(())) else {
                    panic!("it is queued")
                };
                // Made on this thread when it is due.
                let mut stop = Some(stop);
                ctx.send_every(SHORT, move || match stop.take() {
                    Some(stop) => WindowMessage::Run(stop),
                    None => WindowMessage::Show(1),
                });
            })))
            .detach();
        here.run();
    });
}

#[test]
fn a_thread_is_an_actor_thread_only_once() {
    bounded(|| {
        let (engine, other) = (ActorEngine::new(), ActorEngine::new());
        let here = engine.here().unwrap();
        assert!(matches!(engine.here(), Err(SpawnError::OnActorThread)));
        assert!(matches!(other.here(), Err(SpawnError::OnActorThread)));
        drop(here);
        let here = other.here().expect("it is free again");
        assert_eq!((here.thread_id().index(), other.thread_count(), engine.thread_count()), (0, 1, 0));
        drop(here);
        // On an actor thread of an engine's own.
        let (stranger, (tell, told)) = (Arc::new(ActorEngine::new()), mpsc::channel());
        let window = engine.pool(1, WindowMessage::actor(Window::default)).unwrap();
        window
            .run(Box::new(move |_| tell.send(matches!(stranger.here(), Err(SpawnError::OnActorThread))).unwrap()))
            .unwrap();
        assert!(receive(&told));
        // Two threads of one engine.
        let here = engine.here().unwrap();
        let id = here.thread_id();
        thread::scope(|scope| {
            scope.spawn(|| {
                let there = engine.here().unwrap();
                assert!(there.thread_id() > id);
                assert_eq!(engine.thread_count(), 3);
            });
        });
        assert_eq!(engine.thread_count(), 2);
    });
}

#[test]
fn a_stopped_engine_makes_no_actor_threads() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        engine.handle().stop();
        let refused = here.start::<WindowMessage>(Window::default);
        assert!(matches!(refused, Err(SpawnError::Stopped)));
        here.run();
        engine.shutdown().unwrap();
        assert!(matches!(engine.here(), Err(SpawnError::Stopped)));
        // The refusal has left nothing behind.
        let other = ActorEngine::new();
        assert!(other.here().is_ok());
    });
}

#[test]
fn a_factory_that_fails_starts_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let failed = here.start(WindowMessage::try_actor(|_| Err::<Window, _>("no screen".into())));
        assert!(matches!(failed, Err(SpawnError::Factory { .. })));
        let failed = here.start::<WindowMessage>(|| -> Window { panic!("no screen") });
        assert!(matches!(failed, Err(SpawnError::FactoryPanicked { .. })));
        assert!(window(&here).0.ask(1).is_ok());
    });
}

/// Calls down its depth: those of other threads, and one beside it.
#[actor(calls(WorkMessage, WindowMessage))]
enum DeskMessage {
    #[reply(Vec<Result<u32, CallError>>)]
    Work,
}

struct Desk {
    window: WindowClient,
}

impl DeskHandler for Desk {
    fn work(&mut self, ctx: &mut Context<DeskMessage>) -> Vec<Result<u32, CallError>> {
        let window = || self.window.clone();
        let back = |outcome: Result<Result<u32, CallError>, CallError>| outcome.and_then(|inner| inner);
        vec![
            self.window.ask(1),
            back(ctx.call(WorkMessage::ask_back(2, window()))),
            back(ctx.non_blocking::<WorkMessage>().expect("it lives").ask_back(3, window()).wait()),
            self.window.non_blocking().ask(4).wait(),
        ]
    }
}

#[test]
fn its_instances_call_down_their_depth() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        let desk: DeskClient = here.start(DeskMessage::actor(move || Desk { window: window.clone() })).unwrap();
        let expected = vec![Ok(1), Ok(3), Ok(4), Ok(4)];
        assert_eq!(desk.work(), Ok(expected.clone()), "from the loop's own code");
        let asked = desk.request(DeskMessage::work());
        assert!(here.run_pending());
        assert_eq!(asked.try_take(), Some(Ok(expected.clone())), "from `run_pending`");
        assert_eq!(screen.borrow().len(), 8);
        let stop = engine.handle();
        thread::scope(|scope| {
            scope.spawn(move || {
                assert_eq!(desk.work(), Ok(expected), "from `run`");
                stop.stop();
            });
            here.run();
        });
        drop(work);
    });
}

#[test]
fn a_panic_here_rebuilds_the_one_and_leaves_the_others() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (other, screen) = window(&here);
        let builds = Rc::new(Cell::new(0));
        let counted = Counter::new();
        let count = counted.clone();
        let build = move || {
            count.increment();
            Window::default()
        };
        let fragile: WindowClient =
            here.start(WindowMessage::actor(build).restart(Restart::at_most(1, SHORT * 1_000))).unwrap();
        for rebuilds in [2, 2] {
            fragile.r#break().unwrap();
            assert!(here.run_pending());
            engine.settle();
            assert_eq!(counted.get(), rebuilds);
        }
        assert_eq!(fragile.ask(1), Err(CallError::Stopped { message: "WindowMessage" }));
        // What runs once ends at once.
        let held = Rc::clone(&builds);
        let once: WindowClient = here
            .start::<WindowMessage>(move || {
                held.set(held.get() + 1);
                Window::default()
            })
            .unwrap();
        once.r#break().unwrap();
        engine.settle();
        assert_eq!(once.ask(1), Err(CallError::Stopped { message: "WindowMessage" }));
        assert_eq!((builds.get(), Rc::strong_count(&builds)), (1, 1), "what it held is dropped");
        assert_eq!((other.ask(2), screen.borrow().len()), (Ok(2), 1));
    });
}

#[actor(ctx)]
enum OwnerMessage {
    #[reply(())]
    Run,
    #[reply(())]
    Drop,
    Leave,
}

/// Holds what serves it.
struct Owner {
    here: Rc<RefCell<Option<Here>>>,
    stopped: Counter,
    _guard: DropGuard,
}

impl OwnerHandler for Owner {
    fn run(&mut self, _: &mut Context<OwnerMessage>) {
        let here = self.here.borrow_mut().take();
        here.expect("the test put it there").run();
    }
    fn drop(&mut self, _: &mut Context<OwnerMessage>) {
        let here = self.here.borrow_mut().take();
        drop(here);
    }
    fn leave(&mut self, ctx: &mut Context<OwnerMessage>) {
        ctx.stop();
    }
    fn on_stop(&mut self, _: &mut Context<OwnerMessage>) {
        self.stopped.increment();
    }
}

/// One that holds its own `Here`, and a neighbour.
fn owner(engine: &ActorEngine, dropped: &Counter, stopped: &Counter) -> (OwnerClient, WindowClient) {
    let here = Rc::new(RefCell::new(Some(engine.here().expect("it is no actor thread"))));
    let (guard, shared, stopped) = (dropped.guard(), Rc::clone(&here), stopped.clone());
    let borrowed = here.borrow();
    let serving = borrowed.as_ref().expect("it is there");
    let state = move || Owner { here: shared, stopped, _guard: guard };
    (serving.start::<OwnerMessage>(state).expect("its factory cannot fail"), window(serving).0)
}

#[test]
fn its_own_instance_may_drop_it() {
    bounded(|| {
        let (engine, dropped, stopped) = (ActorEngine::new(), Counter::new(), Counter::new());
        let (owner, neighbour) = owner(&engine, &dropped, &stopped);
        assert_eq!(owner.drop(), Ok(()));
        assert_eq!((dropped.get(), stopped.get()), (1, 1));
        assert_eq!(neighbour.ask(1), Err(CallError::Stopped { message: "WindowMessage" }));
        assert_eq!(engine.shutdown().unwrap().handled(), 1);
    });
}

#[test]
fn its_own_instance_may_run_it() {
    bounded(|| {
        let (engine, dropped, stopped) = (ActorEngine::new(), Counter::new(), Counter::new());
        let (owner, neighbour) = owner(&engine, &dropped, &stopped);
        neighbour.show(1).unwrap();
        let ran = owner.request(OwnerMessage::run());
        owner.leave().unwrap();
        assert_eq!(ran.wait(), Ok(()));
        drop((owner, neighbour));
        engine.shutdown().unwrap();
        assert_eq!((dropped.get(), stopped.get()), (1, 1));
    });
}
