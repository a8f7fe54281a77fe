//! Tests that need a process of their own: after a `fork`, and where the system refuses threads.
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
use zctor_tests::{LIMIT, bounded};

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
    assert_eq!(outcome, Err(CallError::Timeout { message: "SilentMessage", begun: true }));
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
    let failed = SCENES.iter().filter(|(name, _)| !run(name)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
