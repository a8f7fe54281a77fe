//! While the loop itself waits, for whatever it is, the instances of its thread are served.

use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Here, ReplyTo, Restart, actor};
use zctor_tests::{Counter, Gate, bounded, receive};

use crate::window::{
    Event, Job, SHORT, Window, WindowClient, WindowMessage, Work, WorkMessage, event_loop, window, work,
};

#[test]
fn the_loops_own_call_to_one_that_calls_back_ends() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        assert_eq!(work.ask_back(1, window.clone()), Ok(Ok(2)));
        assert_eq!(engine.call(WorkMessage::ask_back(2, window.clone())), Ok(Ok(3)));
        let pending = work.non_blocking().ask_back(3, window.clone());
        assert_eq!(pending.wait(), Ok(Ok(4)));
        let pending = work.non_blocking().ask_back(4, window.clone());
        let outcome = loop {
            if let Some(outcome) = pending.wait_timeout(SHORT) {
                break outcome;
            }
        };
        assert_eq!(outcome, Ok(Ok(5)));
        let replies = work.call_all_with(|_| WorkMessage::ask_back(5, window.clone())).unwrap();
        assert_eq!(replies[0].1, Ok(Ok(6)));
        assert_eq!(work.within(zctor_tests::LIMIT).ask_back(6, window.clone()), Ok(Ok(7)));
        // Its own instance, from its own code.
        assert_eq!(window.ask(7), Ok(7));
        assert_eq!(window.non_blocking().ask(8).wait(), Ok(8));
        assert_eq!(*screen.borrow(), (1..=8).collect::<Vec<_>>());
        // With `try_take` it is the loop that serves.
        let pending = work.non_blocking().ask_back(9, window);
        let outcome = loop {
            if let Some(outcome) = pending.try_take() {
                break outcome;
            }
            assert!(here.run_pending());
        };
        assert_eq!(outcome, Ok(Ok(10)));
    });
}

#[test]
fn the_loops_own_sends_to_a_full_mailbox_do_not_hang() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        engine.spawn(ActorThread::new().mailbox_bound(1).register(WorkMessage::actor(|| Work))).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        // Each waits for this thread.
        let (tell, told) = mpsc::channel();
        let open = Gate::new();
        open.open();
        for _ in 0..10 {
            work.ask_behind(open.clone(), window.clone(), tell.clone()).unwrap();
        }
        engine.settle();
        assert_eq!((told.try_iter().count(), screen.borrow().len()), (10, 10));
    });
}

#[test]
fn settle_serves_the_instances_of_this_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        window.countdown(500).unwrap();
        for value in 0..10 {
            work.tell(value, window.clone()).unwrap();
        }
        engine.settle();
        assert_eq!(screen.borrow().len(), 511);
        assert_eq!(engine.stats().queued(), 0);
    });
}

#[test]
fn settle_serves_a_call_that_comes_while_it_waits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        let (gate, (tell, told)) = (Gate::new(), mpsc::channel());
        work.ask_behind(gate.clone(), window, tell).unwrap();
        gate.await_arrivals(1);
        thread::scope(|scope| {
            scope.spawn(move || {
                // By then the other settles.
                let (_never, nothing) = mpsc::channel::<()>();
                let _ = nothing.recv_timeout(Duration::from_millis(200));
                gate.open();
            });
            engine.settle();
        });
        assert_eq!((receive(&told), screen.borrow().len()), (Ok(1), 1));
    });
}

#[test]
fn settle_waits_for_one_that_rests_with_mail() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let notes = Counter::new();
        let counted = notes.clone();
        let build = move || {
            counted.increment();
            Window::default()
        };
        let restart = Restart::always().backoff(SHORT, SHORT);
        let window: WindowClient = here.start(WindowMessage::actor(build).restart(restart)).unwrap();
        for _ in 0..3 {
            window.r#break().unwrap();
        }
        work.tell(1, window.clone()).unwrap();
        engine.settle();
        let stats = engine.stats();
        assert_eq!((notes.get(), stats.restarts, stats.queued(), stats.handled()), (4, 3, 0, 2));
    });
}

#[test]
fn settle_serves_timers_meanwhile() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        let gate = Gate::new();
        work.send(WorkMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        let held = gate.clone();
        window
            .run(Box::new(move |ctx| {
                let open: Job = Box::new(move |_| held.open());
                ctx.send_after(SHORT, WindowMessage::Run(open));
            }))
            .unwrap();
        // The other thread is at its gate until the timer opens that.
        engine.settle();
        assert_eq!((engine.stats().handled(), screen.borrow().len()), (3, 0));
    });
}

#[test]
fn a_wake_given_while_the_thread_settles_counts() {
    #[actor]
    enum RewireMessage {
        Rewire(Sender<Event>),
    }
    struct Rewire(std::rc::Weak<Here>);
    impl RewireHandler for Rewire {
        fn rewire(&mut self, post: Sender<Event>) {
            let here = self.0.upgrade().expect("the test holds it");
            here.on_message(move || post.send(Event::Key(1)).unwrap_or_default());
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), Rc::new(engine.here().unwrap()));
        let (_post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        let weak = Rc::downgrade(&here);
        let rewire: RewireClient = here.start::<RewireMessage>(move || Rewire(weak)).unwrap();
        let (gate, (tell, told)) = (Gate::new(), mpsc::channel());
        work.ask_behind(gate.clone(), window.clone(), tell).unwrap();
        gate.await_arrivals(1);
        let (post, later) = mpsc::channel();
        rewire.rewire(post).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                // By then the other settles.
                let (_never, nothing) = mpsc::channel::<()>();
                let _ = nothing.recv_timeout(Duration::from_millis(200));
                gate.open();
            });
            engine.settle();
        });
        assert_eq!((receive(&told), screen.borrow().len()), (Ok(1), 1));
        events.try_iter().count();
        later.try_iter().count();
        window.show(2).unwrap();
        assert_eq!((later.try_iter().collect::<Vec<_>>(), events.try_iter().count()), (vec![Event::Key(1)], 0));
    });
}

#[test]
fn others_settle_when_the_loop_has_served() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        window.countdown(50).unwrap();
        thread::scope(|scope| {
            let settling = scope.spawn(|| engine.settle());
            while !settling.is_finished() {
                assert!(here.run_pending());
                thread::yield_now();
            }
            assert_eq!(screen.borrow().len(), 51);
        });
    });
}

#[actor]
enum DoorMessage {
    /// Keeps the reply.
    #[reply(u32, deferred)]
    Pass,
    #[reply(u32)]
    Knock(u32),
}

#[derive(Default)]
struct Door {
    waiting: Vec<ReplyTo<u32>>,
}

impl DoorHandler for Door {
    fn pass(&mut self, reply: ReplyTo<u32>) {
        self.waiting.push(reply);
    }
    fn knock(&mut self, value: u32) -> u32 {
        value
    }
}

#[test]
fn the_loops_own_wait_for_a_reply_that_never_comes_ends_with_the_engine() {
    bounded(|| {
        for here_is_older in [true, false] {
            let engine = ActorEngine::new();
            let older = here_is_older.then(|| engine.here().unwrap());
            let door = engine.pool(1, DoorMessage::actor(Door::default)).unwrap();
            let here = older.unwrap_or_else(|| engine.here().unwrap());
            let handle = engine.handle();
            let stops = thread::Builder::new().spawn(move || {
                // When the loop waits: the handler has run.
                while handle.stats().handled() == 0 {
                    thread::yield_now();
                }
                handle.stop();
            });
            let outcome = door.pass();
            assert!(matches!(outcome, Err(CallError::NoReply { .. } | CallError::Stopped { .. })), "{outcome:?}");
            stops.unwrap().join().unwrap();
            here.run();
            engine.shutdown().unwrap();
        }
    });
}

#[test]
fn a_loop_whose_engine_has_stopped_waits_for_others_as_any_thread() {
    bounded(|| {
        let (engine, other) = (ActorEngine::new(), ActorEngine::new());
        let here = engine.here().unwrap();
        engine.handle().stop();
        while here.run_pending() {}
        let door = other.pool(1, DoorMessage::actor(Door::default)).unwrap();
        assert_eq!(door.knock(3), Ok(3));
    });
}

#[test]
fn the_loop_of_one_engine_settles_another_that_calls_back() {
    bounded(|| {
        let (engine, other) = (ActorEngine::new(), ActorEngine::new());
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        let work = work(&other);
        let (tell, told) = mpsc::channel();
        let open = Gate::new();
        open.open();
        for value in 0..10 {
            work.ask_behind(open.clone(), window.clone(), tell.clone()).unwrap();
            work.tell(value, window.clone()).unwrap();
        }
        other.settle();
        assert_eq!(told.try_iter().count(), 10);
        engine.settle();
        assert_eq!(screen.borrow().len(), 20);
    });
}
