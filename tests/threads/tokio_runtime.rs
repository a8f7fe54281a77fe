//! A blocking wait on a thread of a tokio runtime would stop that: it panics, and says what to write instead.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use zctor::{ActorEngine, ActorThread, Context, Overflow, actor, first};
use zctor_tests::{Gate, bounded};

#[actor]
#[derive(Clone)]
enum AdderMessage {
    #[reply(u32)]
    Add(u32, u32),
    #[reply(u32)]
    Hold(Gate),
    Note,
}

struct Adder;

impl AdderHandler for Adder {
    fn add(&mut self, a: u32, b: u32) -> u32 {
        a + b
    }

    fn hold(&mut self, gate: Gate) -> u32 {
        gate.pass();
        1
    }

    fn note(&mut self) {}
}

#[actor]
enum WebMessage {
    #[reply(u32)]
    AwaitInside,
}

/// A handler with an executor of its own.
struct Web {
    adder: AdderClient<zctor::NonBlocking>,
    runtime: Runtime,
}

impl WebHandler for Web {
    fn await_inside(&mut self) -> u32 {
        let Self { adder, runtime } = self;
        // Its depth is not above the adder's, so only a reply that is there can be taken.
        runtime.block_on(async { adder.add(1, 1).await.unwrap_or(0) })
    }
}

#[actor(calls(AdderMessage))]
enum CallerMessage {
    /// Calls inside an executor, by the context.
    #[reply([bool; 2])]
    CallInside,
}

struct Caller(Runtime);

impl CallerHandler for Caller {
    fn call_inside(&mut self, ctx: &mut Context<CallerMessage>) -> [bool; 2] {
        self.0.block_on(async {
            [is_refused(|| ctx.call(AdderMessage::add(1, 1))), is_refused(|| ctx.call_local(AdderMessage::add(1, 1)))]
        })
    }
}

/// Both kinds of runtime.
fn runtimes() -> [Runtime; 2] {
    let mut many = Builder::new_multi_thread();
    [Builder::new_current_thread().build(), many.worker_threads(1).build()].map(|built| built.expect("it is built"))
}

fn engine() -> (ActorEngine, AdderClient) {
    engine_on(ActorThread::new)
}

fn engine_on(thread: impl Fn() -> ActorThread) -> (ActorEngine, AdderClient) {
    let engine = ActorEngine::new();
    let adder = engine.pool_on(1, |_| thread(), AdderMessage::actor(|| Adder)).expect("it starts");
    (engine, adder)
}

/// The text of the panic of `code`.
fn panic_of<T>(code: impl FnOnce() -> T) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(code)).err()?;
    Some(panic.downcast_ref::<&str>().map_or_else(|| "no text".to_owned(), |text| (*text).to_owned()))
}

fn is_refused<T>(code: impl FnOnce() -> T) -> bool {
    let text = panic_of(code).expect("a wait on a thread of a runtime panics");
    text.contains(".non_blocking()") && text.contains("spawn_blocking")
}

#[cfg(feature = "remote")]
#[test]
fn every_wait_of_a_loopback_on_a_thread_of_a_runtime_panics() {
    bounded(|| {
        for runtime in runtimes() {
            let (end, _other) = zctor::remote::Loopback::pair();
            runtime.block_on(async {
                assert!(is_refused(|| end.flush(Duration::ZERO)));
                assert!(is_refused(|| end.leave(Duration::ZERO)));
                assert!(is_refused(|| end.broadcast(far::FarMessage::Note, Duration::ZERO)));
            });
        }
    });
}

/// An enum whose messages go through bytes.
#[cfg(feature = "remote")]
mod far {
    #[zctor::actor(remote)]
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) enum FarMessage {
        Note,
    }
}

#[test]
fn every_blocking_wait_on_a_thread_of_a_runtime_panics_and_says_what_to_write() {
    bounded(|| {
        for runtime in runtimes() {
            let (engine, adder) = engine();
            runtime.block_on(async {
                assert!(is_refused(|| adder.add(1, 2)));
                assert!(is_refused(|| engine.call(AdderMessage::add(1, 2))));
                assert!(is_refused(|| engine.handle().call(AdderMessage::add(1, 2))));
                assert!(is_refused(|| adder.call_all(AdderMessage::add(1, 2))));
                assert!(is_refused(|| engine.call_all(AdderMessage::add(1, 2))));
                assert!(is_refused(|| adder.call_all_with(|_| AdderMessage::add(1, 2))));
                assert!(is_refused(|| engine.call_all_with(|_| AdderMessage::add(1, 2))));
                assert!(is_refused(|| engine.handle().call_all(AdderMessage::add(1, 2))));
                assert!(is_refused(|| engine.handle().call_all_with(|_| AdderMessage::add(1, 2))));
                assert!(is_refused(|| first([adder.non_blocking().add(1, 2)]).wait()));
                assert!(is_refused(|| first([adder.non_blocking().add(1, 2)]).wait_timeout(Duration::ZERO)));
                let here = engine.here().expect("this thread is no actor thread");
                assert!(is_refused(|| here.run()));
                assert!(is_refused(|| adder.non_blocking().add(1, 2).wait()));
                assert!(is_refused(|| adder.non_blocking().add(1, 2).wait_timeout(Duration::ZERO)));
                assert!(is_refused(|| engine.settle()));
                assert!(is_refused(|| engine.wait()));
                assert!(is_refused(|| engine.shutdown()));
                assert!(is_refused(|| engine.shutdown_timeout(Duration::from_secs(1))));
                // What to write instead.
                assert_eq!(adder.non_blocking().add(1, 2).await, Ok(3));
                let client = adder.clone();
                assert_eq!(tokio::task::spawn_blocking(move || client.add(1, 2)).await.expect("it ran"), Ok(3));
            });
            let task = adder.clone();
            assert!(runtime.block_on(runtime.spawn(async move { is_refused(|| task.add(1, 2)) })).expect("it ran"));
            assert_eq!(adder.add(1, 2), Ok(3), "outside of the runtime");
            let _entered = runtime.enter();
            assert_eq!(adder.add(1, 2), Ok(3), "a thread that only knows the runtime does not drive it");
        }
    });
}

/// Where panics of this thread were, by its hook.
fn place_of_panic<T>(code: impl FnOnce() -> T) -> Option<(String, u32)> {
    static PLACES: Mutex<Vec<(ThreadId, String, u32)>> = Mutex::new(Vec::new());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if let Some(place) = panic.location() {
                let place = (thread::current().id(), place.file().to_owned(), place.line());
                PLACES.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            }
            before(panic);
        }));
    });
    panic_of(code)?;
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, file, line) = places.iter().rfind(|(thread, ..)| *thread == thread::current().id())?;
    Some((file.clone(), *line))
}

#[test]
fn the_panic_names_the_line_of_the_call() {
    bounded(|| {
        let [runtime, _] = runtimes();
        let (engine, adder) = engine();
        runtime.block_on(async {
            let here = |line: u32| Some((file!().to_owned(), line));
            assert_eq!(place_of_panic(|| adder.add(1, 2)), here(line!()), "a generated method");
            assert_eq!(place_of_panic(|| adder.call(AdderMessage::add(1, 2))), here(line!()));
            assert_eq!(place_of_panic(|| engine.call(AdderMessage::add(1, 2))), here(line!()));
            assert_eq!(place_of_panic(|| adder.non_blocking().add(1, 2).wait()), here(line!()));
            assert_eq!(place_of_panic(|| engine.shutdown()), here(line!()));
        });
    });
}

#[test]
fn a_wait_for_room_panics_and_a_send_that_finds_room_does_not() {
    bounded(|| {
        for runtime in runtimes() {
            let (engine, adder) = engine_on(|| ActorThread::new().mailbox_bound(1).overflow(Overflow::Wait));
            let gate = Gate::new();
            runtime.block_on(async {
                adder.non_blocking().hold(gate.clone()).detach();
                gate.await_arrivals(1);
                adder.note().expect("there is room");
                assert!(is_refused(|| adder.note()));
            });
            gate.open();
            assert_eq!(engine.shutdown().expect("it stops").handled(), 2);
        }
    });
}

#[test]
fn starting_actors_and_dropping_an_engine_do_not_panic() {
    bounded(|| {
        for runtime in runtimes() {
            runtime.block_on(async {
                let (engine, adder) = engine();
                assert_eq!(adder.non_blocking().add(2, 2).await, Ok(4));
                drop(engine);
            });
        }
    });
}

#[test]
fn a_call_by_the_context_inside_an_executor_of_a_handler_panics() {
    bounded(|| {
        let (engine, _adder) = engine();
        let [runtime, _] = runtimes();
        let caller = engine.start(CallerMessage::actor_once(move || Caller(runtime))).expect("it starts");
        assert_eq!(caller.call_inside(), Ok([true, true]));
    });
}

#[test]
fn an_executor_inside_a_handler_awaits_as_before() {
    bounded(|| {
        let (engine, adder) = engine();
        let [runtime, _] = runtimes();
        let place = Mutex::new(Some((adder.non_blocking(), runtime)));
        let build = move || {
            let (adder, runtime) = place.lock().expect("it is built once").take().expect("it is built once");
            Web { adder, runtime }
        };
        let web = engine.start(WebMessage::actor(build)).expect("it starts");
        let sum = web.await_inside().expect("its handler does not panic");
        assert!(sum == 0 || sum == 2, "refused, or there already: {sum}");
    });
}
