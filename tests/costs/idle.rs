//! An engine with nothing to do uses no CPU: its threads neither run nor wake.

// The kernel's account of a thread is read from `/proc`, which only Linux has and Miri does not emulate.
#![cfg(all(target_os = "linux", not(miri)))]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, Slow, Spin, actor};
use zctor_tests::{Gate, bounded, receive};

/// How long the threads are watched while nothing happens.
const IDLE: Duration = Duration::from_millis(700);
/// Ticks of the kernel's clock, 10 ms each, that all watched threads together may use meanwhile.
const MOST_TICKS: u64 = 2;
/// Times that a thread may park meanwhile: once if it was still looking for work when the watch began, once to spare.
const MOST_PARKS: u64 = 2;

#[actor(ctx)]
#[derive(Clone)]
enum SleeperMessage {
    /// Where the kernel keeps the account of this thread.
    #[reply(PathBuf)]
    Task,
    /// Waits at a gate.
    #[reply(())]
    Hold {
        gate: Gate,
    },
    /// Sets a timer that is far from due.
    SetTimer,
    Note,
}

struct Sleeper;

impl SleeperHandler for Sleeper {
    fn task(&mut self, _ctx: &mut Context<SleeperMessage>) -> PathBuf {
        own_task()
    }

    fn hold(&mut self, _ctx: &mut Context<SleeperMessage>, gate: Gate) {
        gate.pass();
    }

    fn set_timer(&mut self, ctx: &mut Context<SleeperMessage>) {
        // Dropping the timer's handle does not cancel it.
        let _ = ctx.send_after(Duration::from_secs(3_600), SleeperMessage::Note);
        let _ = ctx.send_every(Duration::from_secs(3_600), || SleeperMessage::Note);
    }

    fn note(&mut self, _ctx: &mut Context<SleeperMessage>) {}
}

/// Calls another and so waits inside.
#[actor(calls(SleeperMessage))]
enum CallerMessage {
    #[reply(PathBuf)]
    Task,
    Call {
        gate: Gate,
    },
}

struct Caller;

impl CallerHandler for Caller {
    fn task(&mut self, _ctx: &mut Context<CallerMessage>) -> PathBuf {
        own_task()
    }

    fn call(&mut self, ctx: &mut Context<CallerMessage>, gate: Gate) {
        ctx.call(SleeperMessage::hold(gate)).expect("the sleeper answers");
    }
}

fn own_task() -> PathBuf {
    let link = fs::read_link("/proc/thread-self").expect("the kernel has an account of each thread");
    Path::new("/proc").join(link)
}

/// Ticks that a thread has used, in its own code and in the kernel.
fn ticks(task: &Path) -> u64 {
    let stat = fs::read_to_string(task.join("stat")).expect("the thread lives");
    // The name, in parentheses, may hold anything; of what follows it, the 12th and 13th fields are the ticks.
    let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
    let mut ticks = fields.split_whitespace().skip(11).map(|field| field.parse::<u64>());
    let mut next = || ticks.next().expect("the field is there").expect("it is a number");
    next() + next()
}

/// How many threads of this process watch over slow handlers: one for each engine that has a hook for them.
fn watchers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("the kernel has an account of this process");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.flatten().map(name).filter(|name| name.trim_end() == "zctor-slow").count()
}

/// Times that a thread has gone to sleep of its own accord.
fn parks(task: &Path) -> u64 {
    let status = fs::read_to_string(task.join("status")).expect("the thread lives");
    status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .and_then(|count| count.trim().parse().ok())
        .expect("the line is there")
}

/// Waits for [`IDLE`] and checks that none of `tasks` ran or woke meanwhile.
#[track_caller]
fn assert_idle(tasks: &[PathBuf]) {
    let before: Vec<_> = tasks.iter().map(|task| (ticks(task), parks(task))).collect();
    let (_silent, nothing) = mpsc::channel::<()>();
    assert_eq!(nothing.recv_timeout(IDLE), Err(RecvTimeoutError::Timeout));
    let mut used = 0;
    for (task, (ticks_before, parks_before)) in tasks.iter().zip(before) {
        used += ticks(task) - ticks_before;
        let parks = parks(task) - parks_before;
        assert!(parks <= MOST_PARKS, "{} woke {parks} times", task.display());
    }
    assert!(used <= MOST_TICKS, "idle threads used {used} ticks");
}

/// The accounts of all instances' threads.
fn tasks(sleeper: &SleeperClient) -> Vec<PathBuf> {
    sleeper
        .call_all(SleeperMessage::task())
        .expect("they are live")
        .into_iter()
        .map(|(_, task)| task.expect("a sleeper answers"))
        .collect()
}

#[test]
fn an_engine_that_never_had_a_message_uses_no_cpu() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sleeper = engine.pool(4, SleeperMessage::actor(|| Sleeper)).unwrap();
        let tasks = tasks(&sleeper);
        engine.settle();
        assert_idle(&tasks);
    });
}

#[test]
fn an_engine_uses_no_cpu_after_a_burst() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sleeper = engine.pool(4, SleeperMessage::actor(|| Sleeper)).unwrap();
        let tasks = tasks(&sleeper);
        for _ in 0..20_000 {
            sleeper.note().unwrap();
        }
        engine.settle();
        assert_idle(&tasks);
    });
}

#[test]
fn an_engine_uses_no_cpu_after_a_burst_whichever_way_its_threads_spin() {
    bounded(|| {
        for spin in [Spin::Never, Spin::UpTo(Duration::from_millis(1))] {
            let engine = ActorEngine::builder().spin(spin).build();
            let sleeper = engine.pool(2, SleeperMessage::actor(|| Sleeper)).unwrap();
            let tasks = tasks(&sleeper);
            for _ in 0..1_000 {
                sleeper.note().unwrap();
            }
            engine.settle();
            assert_idle(&tasks);
        }
    });
}

#[test]
fn a_timer_that_is_not_due_uses_no_cpu() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sleeper = engine.pool(2, SleeperMessage::actor(|| Sleeper)).unwrap();
        let tasks = tasks(&sleeper);
        assert_eq!(sleeper.broadcast(SleeperMessage::SetTimer).unwrap(), 2);
        // Both have set theirs when they answer.
        sleeper.call_all(SleeperMessage::task()).unwrap();
        assert_idle(&tasks);
    });
}

#[test]
fn whoever_waits_for_a_reply_uses_no_cpu() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sleeper = engine.pool(2, SleeperMessage::actor(|| Sleeper)).unwrap();
        let caller = engine.pool(1, CallerMessage::actor(|| Caller)).unwrap();
        let mut tasks = tasks(&sleeper);
        tasks.push(caller.task().unwrap());

        let gate = Gate::new();
        engine.send(CallerMessage::Call { gate: gate.clone() }).unwrap();
        thread::scope(|scope| {
            let (told, outside) = mpsc::channel();
            let (sleeper, held) = (&sleeper, gate.clone());
            scope.spawn(move || {
                let _ = told.send(own_task());
                sleeper.hold(held).unwrap();
            });
            tasks.push(receive(&outside));
            // Both sleepers are held, one by the caller and one from outside: four threads wait.
            gate.await_arrivals(2);
            assert_idle(&tasks);
            gate.open();
        });
        engine.settle();
    });
}

#[test]
fn several_instances_of_a_thread_use_no_cpu() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine
            .spawn(
                ActorThread::new()
                    .register(SleeperMessage::actor(|| Sleeper))
                    .register(SleeperMessage::actor(|| Sleeper))
                    .register(CallerMessage::actor(|| Caller)),
            )
            .unwrap();
        let sleeper = engine.client::<SleeperMessage>().unwrap();
        let gate = Gate::new();
        gate.open();
        // A call on the same thread, so that it has waited inside once.
        engine.send(CallerMessage::Call { gate }).unwrap();
        engine.settle();
        let task = sleeper.task().unwrap();
        assert_idle(&[task]);
    });
}

#[test]
fn the_watcher_over_slow_handlers_sleeps_while_all_threads_rest() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, told) = mpsc::channel();
        let hook = move |_: &Slow| tell.send(own_task()).expect("the test listens");
        // No other test in this process has a hook. Nor does a question start a watcher.
        assert!(engine.slow(Duration::ZERO).is_empty());
        assert_eq!(watchers(), 0);
        engine.on_slow(Duration::from_millis(10), hook).expect("it is watched");
        // A thread takes its name itself, when it begins.
        while watchers() == 0 {
            thread::yield_now();
        }
        let sleeper = engine.pool(1, SleeperMessage::actor(|| Sleeper)).expect("it starts");
        // Twice: the second time the watcher is woken by the thread that ends its rest.
        for _ in 0..2 {
            let gate = Gate::new();
            let held = sleeper.non_blocking().hold(gate.clone());
            let watcher = receive(&told);
            gate.open();
            held.wait().expect("the sleeper answers");
            engine.settle();
            assert_idle(&[watcher]);
            while told.try_recv().is_ok() {}
        }
    });
}
