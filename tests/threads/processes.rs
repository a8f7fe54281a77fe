//! Tests that need a process of their own: after a `fork`, where the system refuses threads, and on standard error.
//!
//! Each scene is this program again, with the scene's name as argument.

use std::env;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, ReplyTo, actor};
use zctor_tests::{Gate, LIMIT, bounded};

#[actor]
enum SilentMessage {
    #[reply(u32, deferred)]
    Never,
}

#[derive(Default)]
struct Silent(Vec<ReplyTo<u32>>);

impl SilentHandler for Silent {
    fn never(&mut self, reply: ReplyTo<u32>) {
        self.0.push(reply);
    }
}

/// Unparks the thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Awaits a call that only its limit ends.
fn await_limit() {
    let engine = ActorEngine::new();
    // A size of its own: the one in the environment does not hold for this thread.
    let thread = |_| ActorThread::new().stack_size(256 * 1024);
    let silent =
        engine.pool_on(1, thread, SilentMessage::actor(Silent::default)).expect("its thread has a size of its own");
    let outcome = block_on(silent.within(Duration::from_millis(100)).non_blocking().never());
    // On a busy machine its handler need not have begun by then.
    assert!(matches!(outcome, Err(CallError::Timeout { message: "SilentMessage", .. })), "{outcome:?}");
}

/// The child of a fork has the memory of its parent, and none of its threads.
fn after_a_fork() {
    bounded(await_limit);
    match fork::fork().expect("the system forks") {
        fork::Fork::Child => bounded(await_limit),
        fork::Fork::Parent(child) => {
            let status = fork::waitpid(child).expect("the child ends");
            assert!(fork::WIFEXITED(status) && fork::WEXITSTATUS(status) == 0, "the child failed: {status}");
        }
    }
}

#[actor(ctx)]
enum WorkMessage {
    #[reply(bool)]
    Work,
}

struct Work;

impl WorkHandler for Work {
    fn work(&mut self, ctx: &mut Context<WorkMessage>) -> bool {
        let here = thread::current().id();
        ctx.serve_while(|_| thread::current().id()) == here
    }
}

/// Work that was to run beside its handler's thread runs on that.
fn serve_without_a_thread() {
    let engine = ActorEngine::new();
    let thread = |_| ActorThread::new().stack_size(256 * 1024);
    let work = engine.pool_on(1, thread, WorkMessage::actor(|| Work)).expect("its thread has a size of its own");
    assert_eq!(work.work(), Ok(true));
}

#[actor(ctx)]
enum LoudMessage {
    Hold(Gate),
    #[reply(())]
    Ask,
    Break,
    End,
    Note,
}

struct Loud;

impl LoudHandler for Loud {
    fn hold(&mut self, _: &mut Context<LoudMessage>, gate: Gate) {
        gate.pass();
    }
    fn ask(&mut self, _: &mut Context<LoudMessage>) {}
    fn r#break(&mut self, _: &mut Context<LoudMessage>) {
        panic!("out of luck");
    }
    fn end(&mut self, ctx: &mut Context<LoudMessage>) {
        ctx.stop();
    }
    fn note(&mut self, _: &mut Context<LoudMessage>) {}
}

/// A call that is given up, then a panic, then a message that nobody handles, in an engine without hooks.
fn without_hooks() {
    // The lines of the standard library.
    std::panic::set_hook(Box::new(|_| {}));
    bounded(|| {
        let engine = ActorEngine::new();
        let loud = engine.start(LoudMessage::actor(|| Loud)).expect("it starts");
        let gate = Gate::new();
        loud.hold(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        drop(loud.non_blocking().ask());
        gate.open();
        loud.r#break().expect("it lives");
        loud.send_all([LoudMessage::End, LoudMessage::Note]).expect("it lives");
        let report = engine.shutdown().expect("every handler returns");
        assert_eq!((report.skipped, report.dead_letters, report.panicked()), (1, 2, 1));
    });
}

const LINES: &str = "what_no_hook_is_told_is_a_line_but_for_what_was_given_up";

/// Whether the standard error of that scene has the lines of zctor that it should, and no other of them.
fn lines_are_told() -> bool {
    let scene = Command::new(env::current_exe().expect("this program has a path")).arg(LINES).output();
    let scene = scene.expect("it runs again");
    let said = String::from_utf8_lossy(&scene.stderr);
    // With the feature `tracing`, events stand in for the lines, and nobody listens to them here.
    let expected: &[&str] = if cfg!(feature = "tracing") {
        &[]
    } else {
        &[
            "zctor: `LoudMessage::Break` of 0.0 panicked: out of luck (1 in its window); it is rebuilt",
            "zctor: `LoudMessage::Note` for 0.0 was not handled: its instance had ended",
        ]
    };
    // Other lines may be the system's, such as those of a sanitizer.
    let is_told = said.lines().filter(|line| line.starts_with("zctor: ")).eq(expected.iter().copied());
    println!("test {LINES} ... {}{}", scene.status, if is_told { "" } else { &said });
    is_told && scene.status.success()
}

const SCENES: [(&str, fn()); 3] = [
    ("the_limit_comes_after_a_fork", after_a_fork),
    ("the_limit_comes_where_threads_are_refused", await_limit),
    ("work_runs_on_its_handlers_thread_where_threads_are_refused", serve_without_a_thread),
];

/// Runs a scene in a process of its own; in one whose name says so, the usual stack of a thread is too large for any
/// machine.
fn run(name: &str) -> bool {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.arg(name).stdin(Stdio::null()).stdout(Stdio::piped());
    if name.contains("refused") {
        command.env("RUST_MIN_STACK", (1_u64 << 50).to_string());
    }
    let mut scene = command.spawn().expect("it runs again");
    let mut output = scene.stdout.take().expect("it is piped");
    // The output ends with the processes that have it.
    let (ended, end) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || ended.send(io::copy(&mut output, &mut io::stdout())));
        if end.recv_timeout(2 * LIMIT).is_err() {
            scene.kill().expect("it is there");
        }
    });
    let status = scene.wait().expect("it has ended");
    println!("test {name} ... {status}");
    status.success()
}

fn main() -> ExitCode {
    let argument = env::args().nth(1);
    if let Some((_, scene)) = SCENES.iter().find(|(name, _)| argument.as_deref() == Some(name)) {
        scene();
        return ExitCode::SUCCESS;
    }
    if argument.as_deref() == Some(LINES) {
        without_hooks();
        return ExitCode::SUCCESS;
    }
    let failed = SCENES.iter().filter(|(name, _)| !run(name)).count();
    if failed == 0 && lines_are_told() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
