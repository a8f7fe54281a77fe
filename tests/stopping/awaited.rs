//! The end of an engine can be awaited, and a shutdown has a form that does not block.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use zctor::{ActorEngine, Context, ShutdownError, Stopped, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded, receive};

#[actor(ctx)]
enum DoorMessage {
    #[reply(())]
    Hold(Gate),
    /// Polls the future of a shutdown once, inside the handler.
    #[reply(bool)]
    AwaitShutdown(Arc<ActorEngine>),
    Quit,
}

struct Door;

impl DoorHandler for Door {
    fn hold(&mut self, _: &mut Context<DoorMessage>, gate: Gate) {
        gate.pass();
    }
    fn await_shutdown(&mut self, _: &mut Context<DoorMessage>, engine: Arc<ActorEngine>) -> bool {
        let shutdown = pin!(engine.shutdown_async());
        let mut cx = TaskContext::from_waker(Waker::noop());
        matches!(shutdown.poll(&mut cx), Poll::Ready(Err(ShutdownError::OnActorThread)))
    }
    fn quit(&mut self, ctx: &mut Context<DoorMessage>) {
        ctx.engine().stop();
    }
}

struct Unpark(Thread, Counter);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.increment();
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current(), Counter::new())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(LIMIT),
        }
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut TaskContext::from_waker(waker))
}

fn engine() -> (ActorEngine, DoorClient) {
    let engine = ActorEngine::new();
    let door = engine.pool(1, DoorMessage::actor(|| Door)).expect("the factory does not fail");
    (engine, door)
}

fn held(door: &DoorClient) -> Gate {
    let gate = Gate::new();
    door.non_blocking().hold(gate.clone()).detach();
    gate.await_arrivals(1);
    gate
}

#[test]
fn an_awaited_shutdown_runs_the_inside_until_it_is_quiet_and_gives_the_report() {
    bounded(|| {
        let (engine, door) = engine();
        let gate = held(&door);
        let mut shutdown = engine.shutdown_async();
        let waker = Waker::from(Arc::new(Unpark(thread::current(), Counter::new())));
        assert!(poll(&mut shutdown, &waker).is_pending(), "a handler runs");
        assert!(door.send(DoorMessage::Quit).is_err_and(|error| error.is_stopped()), "it has begun");
        gate.open();
        assert_eq!(block_on(shutdown).unwrap().handled(), 1);
        assert_eq!(engine.thread_count(), 0);
        assert_eq!(engine.shutdown().unwrap().handled(), 1, "again it gives the same report");
        assert_eq!(block_on(engine.shutdown_async()).unwrap().handled(), 1);
    });
}

#[test]
fn an_awaited_shutdown_with_a_limit_names_what_did_not_return() {
    bounded(|| {
        let (engine, door) = engine();
        let gate = held(&door);
        let Err(ShutdownError::Abandoned { threads, waits, report, .. }) =
            block_on(engine.shutdown_timeout_async(Duration::from_millis(200)))
        else {
            panic!("its handler does not return");
        };
        assert_eq!((threads.len(), report.left), (1, 1));
        let runs = threads[0].runs.expect("it runs a handler");
        assert_eq!(runs.message, "DoorMessage");
        let text = ShutdownError::Abandoned { threads, waits, report }.to_string();
        assert!(text.contains("0 `zctor-0` (runs `DoorMessage` 0.0"), "{text}");
        gate.open();
    });
}

#[test]
fn a_dropped_shutdown_goes_on() {
    bounded(|| {
        let (engine, _door) = engine();
        drop(engine.shutdown_async());
        engine.wait();
        assert_eq!(engine.thread_count(), 0);
    });
}

#[test]
fn stopped_is_ready_when_somebody_has_stopped_the_engine() {
    bounded(|| {
        let (engine, door) = engine();
        let (handle, woken) = (engine.handle(), Counter::new());
        let waker = Waker::from(Arc::new(Unpark(thread::current(), woken.clone())));
        let mut stopped: Vec<Stopped> = vec![engine.stopped(), handle.stopped(), handle.stopped()];
        for stopped in &mut stopped {
            assert!(poll(stopped, &waker).is_pending());
            assert!(poll(stopped, &waker).is_pending(), "polled again it is told once");
        }
        drop(stopped.pop()); // that one is told no more
        thread::scope(|scope| {
            stopped.into_iter().for_each(|stopped| drop(scope.spawn(|| block_on(stopped))));
            door.quit().unwrap();
        });
        block_on(engine.stopped());
        assert_eq!(engine.thread_count(), 0);
        drop(engine);
        block_on(handle.stopped());
        assert!(woken.get() <= 2);
    });
}

#[test]
fn stopped_is_not_ready_before_the_end_and_wakes_the_waker_of_its_last_poll_alone() {
    struct Count(Counter);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.increment();
        }
    }
    let waker = |woken: &Counter| Waker::from(Arc::new(Count(woken.clone())));
    bounded(move || {
        let (engine, door) = engine();
        let gate = held(&door);
        let [before, now, dropped] = [(); 3].map(|()| Counter::new());
        let (mut stopped, mut gone) = (engine.stopped(), engine.stopped());
        assert!(poll(&mut stopped, &waker(&before)).is_pending());
        assert!(poll(&mut gone, &waker(&dropped)).is_pending());
        drop(gone);
        thread::scope(|scope| {
            let shutdown = scope.spawn(|| engine.shutdown().is_ok());
            while door.send(DoorMessage::Quit).is_ok() {
                thread::yield_now();
            }
            assert!(poll(&mut stopped, &waker(&now)).is_pending(), "it has begun, and a handler runs");
            gate.open();
            assert!(shutdown.join().unwrap());
        });
        assert_eq!((before.get(), now.get(), dropped.get()), (0, 1, 0));
        assert!(poll(&mut stopped, Waker::noop()).is_ready());
    });
}

#[test]
fn a_waker_that_panics_holds_up_nobody() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("the waker panics");
        }
    }
    bounded(|| {
        let (engine, _door) = engine();
        let (mut bad, mut good) = (engine.stopped(), engine.stopped());
        assert!(poll(&mut bad, &Waker::from(Arc::new(Bad))).is_pending());
        let (told, tell) = (thread::current(), Counter::new());
        assert!(poll(&mut good, &Waker::from(Arc::new(Unpark(told, tell.clone())))).is_pending());
        engine.shutdown().unwrap();
        assert_eq!(tell.get(), 1);
        assert!(poll(&mut bad, Waker::noop()).is_ready());
    });
}

#[test]
fn a_handler_that_polls_a_shutdown_is_told_that_it_cannot_wait() {
    bounded(|| {
        let (engine, door) = engine();
        let engine = Arc::new(engine);
        let refused = door.non_blocking().await_shutdown(Arc::clone(&engine));
        assert_eq!(refused.wait(), Ok(true));
        assert!(block_on(engine.shutdown_async()).is_ok());
    });
}

#[test]
fn the_future_of_a_shutdown_can_go_to_another_thread() {
    bounded(|| {
        let (engine, _door) = engine();
        let (tell, told) = mpsc::channel();
        let shutdown = engine.shutdown_async();
        thread::scope(|scope| {
            scope.spawn(move || tell.send(block_on(shutdown).is_ok()));
            assert!(receive(&told));
        });
    });
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task whose `wake` polls it on the spot.
struct Inline(Mutex<Option<Work>>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let mut work = self.0.lock().expect("nobody panics with it");
        let waker = Waker::from(Arc::clone(&self));
        if work.as_mut().is_some_and(|work| poll(work, &waker).is_ready()) {
            *work = None;
        }
    }
}

#[test]
fn a_task_that_is_polled_inside_a_waker_goes_on_after_an_end_as_any_other() {
    bounded(|| {
        let ((first, _), (second, door)) = (engine(), engine());
        let gate = held(&door);
        let (stopped, reply, (tell, told)) = (first.stopped(), door.non_blocking().hold(gate.clone()), mpsc::channel());
        let work = async move {
            stopped.await;
            let reply = reply.await;
            let handled = second.shutdown_async().await.map(|report| report.handled());
            tell.send((reply, handled)).unwrap_or_default();
        };
        Arc::new(Inline(Mutex::new(Some(Box::pin(work))))).wake();
        first.shutdown().expect("nothing is in its way");
        gate.open();
        let (reply, handled) = receive(&told);
        assert_eq!(reply, Ok(()));
        assert_eq!(handled.expect("it is awaited, and blocks nothing"), 2);
    });
}
