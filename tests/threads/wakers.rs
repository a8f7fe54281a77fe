//! Executors that poll inside `wake`: what need not wait is not refused as a wait there, and they have the usual stack.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Wake, Waker};
use std::time::Duration;

use zctor::{ActorEngine, CallError, Pending, ReplyTo, actor};
use zctor_tests::{Gate, bounded, receive};

#[actor]
enum SlowMessage {
    #[reply(u32)]
    Soon(Gate),
    #[reply(u32, deferred)]
    Never,
    #[reply(u32)]
    Now,
}

#[derive(Default)]
struct Slow {
    unanswered: Vec<ReplyTo<u32>>,
}

impl SlowHandler for Slow {
    fn soon(&mut self, gate: Gate) -> u32 {
        gate.pass();
        1
    }

    fn never(&mut self, reply: ReplyTo<u32>) {
        self.unanswered.push(reply);
    }

    fn now(&mut self) -> u32 {
        2
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task whose `wake` polls it on the spot, as NGINX's executor did once.
struct Task {
    /// Locked while it is polled. A wake that comes meanwhile waits.
    work: Mutex<Option<Work>>,
}

impl Task {
    /// Polls `work` for the first time, and gives what it tells in the end.
    fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Receiver<T> {
        let (tell, told) = mpsc::channel();
        let work = async move { tell.send(work.await).expect("the test listens") };
        let task = Arc::new(Self { work: Mutex::new(Some(Box::pin(work))) });
        task.wake();
        told
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut work = self.work.lock().expect("no poll panics");
        let is_done = |work: &mut Work| work.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_ready();
        if work.as_mut().is_some_and(is_done) {
            *work = None;
        }
    }
}

#[test]
fn a_reply_is_taken_by_a_poll_inside_its_own_wake() {
    bounded(|| {
        let engine = ActorEngine::new();
        let slow = engine.pool(1, SlowMessage::actor(Slow::default)).unwrap();
        let gate = Gate::new();
        let told = Task::run({
            let (slow, gate) = (slow.non_blocking(), gate.clone());
            async move { slow.soon(gate).await }
        });
        gate.await_arrivals(1);
        gate.open();
        assert_eq!(receive(&told), Ok(1));
    });
}

#[test]
fn what_is_awaited_next_inside_a_wake_comes_too() {
    bounded(|| {
        let engine = ActorEngine::new();
        let slow = engine.pool(2, SlowMessage::actor(Slow::default)).unwrap();
        let gate = Gate::new();
        let told = Task::run({
            let (slow, gate) = (slow.non_blocking(), gate.clone());
            async move {
                let mut sum = slow.soon(gate).await?;
                for _ in 0..100 {
                    sum += slow.now().await?;
                }
                Ok::<u32, CallError>(sum)
            }
        });
        gate.await_arrivals(1);
        gate.open();
        assert_eq!(receive(&told), Ok(201));
    });
}

/// Whether a call ended by its limit. On a busy machine its handler need not have begun by then.
fn is_late(outcome: &Result<u32, CallError>) -> bool {
    matches!(outcome, Err(CallError::Timeout { message: "SlowMessage", .. }))
}

#[test]
fn a_limit_is_told_by_a_poll_inside_the_wake_of_its_alarm() {
    bounded(|| {
        let engine = ActorEngine::new();
        let slow = engine.pool(1, SlowMessage::actor(Slow::default)).unwrap();
        let told = Task::run({
            let slow = slow.within(Duration::from_millis(50)).non_blocking();
            async move { slow.never().await }
        });
        let outcome = receive(&told);
        assert!(is_late(&outcome), "{outcome:?}");
    });
}

#[test]
fn a_waker_has_the_stack_of_a_usual_thread() {
    /// Uses so much of the stack, and says how much.
    #[inline(never)]
    fn deep() -> usize {
        let stack = std::hint::black_box([1_u8; 512 * 1024]);
        stack.iter().map(|byte| usize::from(*byte)).sum()
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let slow = engine.pool(1, SlowMessage::actor(Slow::default)).unwrap();
        let told = Task::run({
            let slow = slow.within(Duration::from_millis(20)).non_blocking();
            async move { (slow.never().await, deep()) }
        });
        let (outcome, used) = receive(&told);
        assert!(is_late(&outcome), "{outcome:?}");
        assert_eq!(used, 512 * 1024);
    });
}

/// Polls once, for nobody.
fn poll_once<R>(pending: &mut Pending<R>) -> Option<Result<R, CallError>> {
    match Pin::new(pending).poll(&mut TaskContext::from_waker(Waker::noop())) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    }
}

#[actor]
enum PollerMessage {
    #[reply(Option<Result<u32, CallError>>)]
    Poll(Pending<u32>),
    #[reply(Result<u32, CallError>)]
    Wait(Pending<u32>),
}

struct Poller;

impl PollerHandler for Poller {
    fn poll(&mut self, mut pending: Pending<u32>) -> Option<Result<u32, CallError>> {
        poll_once(&mut pending)
    }

    fn wait(&mut self, pending: Pending<u32>) -> Result<u32, CallError> {
        pending.wait()
    }
}

#[test]
fn a_poll_gives_a_reply_that_is_there_to_code_that_may_not_wait() {
    bounded(|| {
        let engine = ActorEngine::new();
        let slow = engine.pool(1, SlowMessage::actor(Slow::default)).unwrap();
        let poller = engine.start(PollerMessage::actor(|| Poller)).unwrap();
        let answered = || {
            let pending = slow.non_blocking().now();
            engine.settle();
            pending
        };
        assert_eq!(poller.poll(answered()), Ok(Some(Ok(2))));
        let (tell, told) = mpsc::channel();
        let (pending, tells) = (Mutex::new(answered()), tell);
        let _built = engine.start(PollerMessage::actor(move || {
            tells.send(poll_once(&mut pending.lock().unwrap())).unwrap();
            Poller
        }));
        assert_eq!(receive(&told), Some(Ok(2)), "in a factory");
        // One that is not there would have to be waited for.
        let gate = Gate::new();
        let refused = poller.poll(slow.non_blocking().soon(gate.clone()));
        assert!(matches!(refused, Ok(Some(Err(CallError::Undeclared { message: "SlowMessage", .. })))), "{refused:?}");
        gate.open();
        // `wait` says that it waits: it is checked every time, so that the fault shows on the first run.
        let refused = poller.wait(answered());
        assert!(matches!(refused, Ok(Err(CallError::Undeclared { message: "SlowMessage", .. }))), "{refused:?}");
    });
}
