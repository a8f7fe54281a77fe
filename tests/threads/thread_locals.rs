//! Values that the user keeps in thread-locals are dropped at the very end of a thread: calls, shutdowns and drops of
//! engines made there end too.

use std::cell::RefCell;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, Here, Report, ShutdownError, actor};
use zctor_tests::{bounded, receive};

#[actor]
enum StoreMessage {
    #[reply(u32)]
    Flush,
}

struct Store;

impl StoreHandler for Store {
    fn flush(&mut self) -> u32 {
        1
    }
}

#[actor(calls(StoreMessage))]
enum WindowMessage {
    Draw,
}

struct Window {
    store: StoreClient,
    flushed: Sender<Result<u32, CallError>>,
}

impl WindowHandler for Window {
    fn draw(&mut self, _: &mut Context<WindowMessage>) {}

    fn on_stop(&mut self, _: &mut Context<WindowMessage>) {
        self.flushed.send(self.store.flush()).expect("the test listens");
    }
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

#[test]
fn a_call_in_on_stop_is_served_where_here_lies_in_a_thread_local() {
    bounded(|| {
        let (flushed, outcomes) = mpsc::channel();
        let engine = ActorEngine::new();
        // A scope does not wait for the locals of its threads, but for what is told.
        thread::scope(|scope| {
            scope.spawn(|| {
                // The user's thread-local is used before the runtime's, so it outlives those.
                HERE.with_borrow_mut(|slot| {
                    let here = slot.insert(engine.here().unwrap());
                    let store: StoreClient = here.start::<StoreMessage>(|| Store).unwrap();
                    let _window: WindowClient = here.start::<WindowMessage>(|| Window { store, flushed }).unwrap();
                    here.run_pending();
                });
            });
        });
        assert_eq!(receive(&outcomes), Ok(1));
        assert_eq!(engine.shutdown().unwrap().handled(), 1);
    });
}

/// What the destructor of a thread-local does.
type AtTheEnd = Box<dyn FnOnce() + Send>;

/// Runs its closure when its thread's locals are dropped.
struct Last(Option<AtTheEnd>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[actor]
enum KeeperMessage {
    Keep(AtTheEnd),
    #[reply(())]
    Sync,
}

struct Keeper;

impl KeeperHandler for Keeper {
    fn keep(&mut self, end: AtTheEnd) {
        LAST.set(Some(Last(Some(end))));
    }

    fn sync(&mut self) {}
}

/// An engine with a thread that keeps something, and a channel that closes when the engine has stopped for good.
fn keeper() -> (Arc<ActorEngine>, KeeperClient, Receiver<()>) {
    let engine = Arc::new(ActorEngine::new());
    let (alive, stopped) = mpsc::channel::<()>();
    engine.on_end(move |_| {
        // Held until the engine lets the hook go, which is the last that its shutdown does.
        let _ = &alive;
    });
    let keeper = engine.start(KeeperMessage::actor(|| Keeper)).expect("it starts");
    (engine, keeper, stopped)
}

/// Has `end` run when the locals of the keeper's thread are dropped; the channel tells what it gave.
fn keep<T: Send + 'static>(keeper: &KeeperClient, end: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell, told) = mpsc::channel();
    keeper.keep(Box::new(move || tell.send(end()).expect("the test listens"))).expect("it is accepted");
    keeper.sync().expect("it is answered");
    told
}

/// Waits until the engine's hooks are gone.
fn await_stop(stopped: &Receiver<()>) {
    let outcome = stopped.recv_timeout(zctor_tests::LIMIT);
    assert_eq!(outcome, Err(mpsc::RecvTimeoutError::Disconnected), "the engine did not stop");
}

#[test]
fn the_last_owner_in_a_thread_local_of_the_engines_own_thread_is_dropped_after_a_stop() {
    bounded(|| {
        let (engine, keeper, stopped) = keeper();
        let handle = engine.handle();
        let dropped = keep(&keeper, {
            let engine = Arc::clone(&engine);
            move || drop(engine)
        });
        drop(engine);
        handle.stop();
        receive(&dropped);
        await_stop(&stopped);
    });
}

#[test]
fn the_last_owner_in_a_thread_local_of_the_engines_own_thread_is_dropped_when_its_last_instance_ends() {
    bounded(|| {
        let (engine, keeper, stopped) = keeper();
        let dropped = keep(&keeper, {
            let engine = Arc::clone(&engine);
            move || drop(engine)
        });
        drop(engine);
        keeper.stop().unwrap();
        receive(&dropped);
        await_stop(&stopped);
    });
}

#[test]
fn a_shutdown_in_a_thread_local_of_the_engines_own_thread_only_begins() {
    const LONG: Duration = Duration::from_secs(3_600);
    type Asked = fn(&ActorEngine) -> Result<Report, ShutdownError>;
    let ways: [Asked; 2] = [ActorEngine::shutdown, |engine| engine.shutdown_timeout(LONG)];
    for shutdown in ways {
        bounded(move || {
            let (engine, keeper, stopped) = keeper();
            let outcome = keep(&keeper, {
                let engine = Arc::clone(&engine);
                move || shutdown(&engine)
            });
            keeper.stop().unwrap();
            assert!(matches!(receive(&outcome), Err(ShutdownError::OnActorThread)));
            await_stop(&stopped);
            assert_eq!(engine.shutdown().unwrap().handled(), 2, "it is stopped, with its report");
        });
    }
}

#[test]
fn two_engines_whose_last_owners_lie_on_each_others_threads_both_stop() {
    bounded(|| {
        let ((left, left_keeper, left_stopped), (right, right_keeper, right_stopped)) = (keeper(), keeper());
        let both = Arc::new(Barrier::new(2));
        let at_left = keep(&left_keeper, {
            let (right, both) = (Arc::clone(&right), Arc::clone(&both));
            move || {
                both.wait();
                drop(right);
            }
        });
        let at_right = keep(&right_keeper, {
            let left = Arc::clone(&left);
            move || {
                both.wait();
                drop(left);
            }
        });
        let handles = [left.handle(), right.handle()];
        drop((left, right));
        handles.iter().for_each(zctor::EngineHandle::stop);
        receive(&at_left);
        receive(&at_right);
        await_stop(&left_stopped);
        await_stop(&right_stopped);
    });
}

#[test]
fn a_deadline_that_comes_after_the_stop_holds_for_thread_locals_whose_drop_does_not_return() {
    bounded(|| {
        let (engine, keeper, _stopped) = keeper();
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let ended = keep(&keeper, move || {
            begun.send(()).unwrap();
            held.recv().unwrap_err();
        });
        engine.handle().stop(); // another thread drives it, without a limit
        receive(&begins);
        let report = engine.shutdown_timeout(Duration::from_millis(100)).unwrap();
        assert_eq!(report.handled(), 2);
        drop(release);
        receive(&ended);
    });
}
