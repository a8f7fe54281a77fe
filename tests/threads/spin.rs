//! How threads spin before they park (`EngineBuilder::spin`) changes when they use CPU, and nothing else.
//!
//! In a process of its own, one test after the other: no thread spins while more actor threads of the process are awake
//! than there are cores, and then these tests would prove nothing.

use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Spin, actor};
use zctor_tests::{Gate, receive};

/// Runs a test alone, with a bound on its time.
#[track_caller]
fn bounded(body: impl FnOnce() + Send + 'static) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    zctor_tests::bounded(body);
}

/// Longer than any test may take: whatever waits for the end of such a spin fails.
const LONG: Spin = Spin::UpTo(Duration::from_secs(24 * 3_600));

const CHOICES: [Spin; 5] = [Spin::Never, Spin::Adapt, Spin::UpTo(Duration::ZERO), Spin::UpTo(Duration::MAX), LONG];

#[actor]
enum BelowMessage {
    #[reply(u32)]
    Increase {
        value: u32,
    },
    Note,
    #[reply(())]
    Hold {
        gate: Gate,
    },
}

struct Below;

impl BelowHandler for Below {
    fn increase(&mut self, value: u32) -> u32 {
        value + 1
    }

    fn note(&mut self) {}

    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(BelowMessage))]
enum AboveMessage {
    #[reply(u32)]
    Twice {
        value: u32,
    },
    /// Calls while something is queued for the callee, so that the call is queued behind it.
    #[reply(u32)]
    Queued {
        value: u32,
    },
    Later {
        done: Sender<()>,
    },
    Due {
        done: Sender<()>,
    },
    /// Calls an instance of another engine.
    Elsewhere {
        below: BelowClient,
        gate: Gate,
        told: Sender<Result<(), CallError>>,
    },
    /// Where the kernel keeps the account of this thread.
    #[cfg(all(target_os = "linux", not(miri)))]
    #[reply(std::path::PathBuf)]
    Account,
}

struct Above;

impl AboveHandler for Above {
    fn twice(&mut self, ctx: &mut Context<AboveMessage>, value: u32) -> u32 {
        let once = ctx.call(BelowMessage::increase(value)).expect("it is live");
        ctx.call(BelowMessage::increase(once)).expect("it is live")
    }

    fn queued(&mut self, ctx: &mut Context<AboveMessage>, value: u32) -> u32 {
        ctx.send(BelowMessage::Note).expect("it is live");
        ctx.call(BelowMessage::increase(value)).expect("it is live")
    }

    fn later(&mut self, ctx: &mut Context<AboveMessage>, done: Sender<()>) {
        // Dropping the timer's handle does not cancel it.
        let _ = ctx.send_after(Duration::from_millis(5), AboveMessage::Due { done });
    }

    fn due(&mut self, _ctx: &mut Context<AboveMessage>, done: Sender<()>) {
        let _ = done.send(());
    }

    fn elsewhere(
        &mut self,
        _ctx: &mut Context<AboveMessage>,
        below: BelowClient,
        gate: Gate,
        told: Sender<Result<(), CallError>>,
    ) {
        let _ = told.send(below.hold(gate));
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    fn account(&mut self, _ctx: &mut Context<AboveMessage>) -> std::path::PathBuf {
        std::path::Path::new("/proc").join(std::fs::read_link("/proc/thread-self").expect("the kernel has one"))
    }
}

/// The CPU time that a thread has used.
#[cfg(all(target_os = "linux", not(miri)))]
fn cpu_time(account: &std::path::Path) -> Duration {
    let text = std::fs::read_to_string(account.join("schedstat")).expect("the thread lives");
    let used = text.split_whitespace().next().and_then(|used| used.parse().ok());
    Duration::from_nanos(used.expect("the time comes first"))
}

// Without this the others could pass since no thread spins here at all.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn a_thread_with_nothing_to_do_spins_as_long_as_its_engine_was_told() {
    bounded(|| {
        // On one core no thread spins.
        if zctor::available_threads() == 1 {
            return;
        }
        let engine = ActorEngine::builder().spin(LONG).build();
        let above = engine.pool(1, AboveMessage::actor(|| Above)).unwrap();
        let account = above.account().unwrap();
        let before = cpu_time(&account);
        let (_silent, nothing) = mpsc::channel::<()>();
        while cpu_time(&account) < before + Duration::from_millis(50) {
            assert!(nothing.recv_timeout(Duration::from_millis(1)).is_err());
        }
    });
}

#[test]
fn calls_end_with_their_replies_whichever_way_threads_spin() {
    bounded(|| {
        for spin in CHOICES {
            let engine = ActorEngine::builder().spin(spin).build();
            let below = engine.pool(1, BelowMessage::actor(|| Below)).unwrap();
            let above = engine.pool(1, AboveMessage::actor(|| Above)).unwrap();
            for value in 0..50 {
                assert_eq!(below.increase(value), Ok(value + 1), "{spin:?}");
                assert_eq!(above.twice(value), Ok(value + 2), "{spin:?}");
            }
            engine.shutdown().unwrap();
        }
    });
}

#[test]
fn a_handler_serves_what_its_reply_depends_on_before_it_spins() {
    bounded(|| {
        for spin in CHOICES {
            let engine = ActorEngine::builder().spin(spin).build();
            let thread = ActorThread::new();
            let thread = thread.register(BelowMessage::actor(|| Below)).register(AboveMessage::actor(|| Above));
            engine.spawn(thread).unwrap();
            let above = engine.client::<AboveMessage>().unwrap();
            for value in 0..50 {
                assert_eq!(above.queued(value), Ok(value + 1), "{spin:?}");
            }
            engine.shutdown().unwrap();
        }
    });
}

#[test]
fn a_timer_is_due_before_the_end_of_a_long_spin() {
    bounded(|| {
        let engine = ActorEngine::builder().spin(LONG).build();
        engine.pool(1, BelowMessage::actor(|| Below)).unwrap();
        let above = engine.pool(1, AboveMessage::actor(|| Above)).unwrap();
        let (done, due) = mpsc::channel();
        above.later(done).unwrap();
        receive(&due);
    });
}

#[test]
fn a_deadline_ends_a_wait_before_the_end_of_a_long_spin() {
    bounded(|| {
        let engine = ActorEngine::builder().spin(LONG).build();
        let below = engine.pool(1, BelowMessage::actor(|| Below)).unwrap();
        let gate = Gate::new();
        let late = below.within(Duration::from_millis(20)).hold(gate.clone());
        assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");
        gate.open();
    });
}

#[test]
fn an_abandonment_ends_a_wait_before_the_end_of_a_long_spin() {
    bounded(|| {
        for is_handler in [false, true] {
            let [engine, other] = [(); 2].map(|()| ActorEngine::builder().spin(LONG).build());
            let below = engine.pool(1, BelowMessage::actor(|| Below)).unwrap();
            let (gate, (told, outcome)) = (Gate::new(), mpsc::channel());
            thread::scope(|scope| {
                if is_handler {
                    let above = other.pool(1, AboveMessage::actor(|| Above)).unwrap();
                    above.elsewhere(below, gate.clone(), told).unwrap();
                } else {
                    let held = gate.clone();
                    scope.spawn(move || told.send(below.hold(held)));
                }
                gate.await_arrivals(1);
                engine.shutdown_timeout(Duration::from_millis(20)).expect_err("a handler does not return");
                assert_eq!(receive(&outcome), Err(CallError::Stopped { message: "BelowMessage" }), "{is_handler}");
                gate.open();
            });
        }
    });
}

#[test]
fn a_stop_ends_a_wait_for_room_before_the_end_of_a_long_spin() {
    bounded(|| {
        let engine = ActorEngine::builder().spin(LONG).build();
        let thread = ActorThread::new().mailbox_bound(1);
        let below = engine.start_on(thread, BelowMessage::actor(|| Below)).unwrap();
        let (gate, (told, outcome)) = (Gate::new(), mpsc::channel());
        let held = below.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        below.note().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || told.send(below.note().map_err(|error| error.is_stopped())));
            assert!(outcome.recv_timeout(Duration::from_millis(20)).is_err(), "it waits for room");
            engine.handle().stop();
            assert_eq!(receive(&outcome), Err(true));
            gate.open();
        });
        assert_eq!(held.wait(), Ok(()));
    });
}
