//! An event loop is told that there is something to serve, once until it serves, and serves bit by bit.

use std::rc::Rc;
use std::sync::mpsc::{self};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, CallError, End, Here, LocalRegistration, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

use crate::window::{
    Event, SHORT, Screen, Window, WindowClient, WindowMessage, Work, WorkMessage, event_loop, window, work,
};

#[test]
fn an_event_loop_is_told_and_serves_bit_by_bit() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        let handle = engine.handle();
        thread::scope(|scope| {
            scope.spawn(move || {
                for value in 0..100 {
                    if value % 3 == 0 {
                        post.send(Event::Key(value)).unwrap();
                    }
                    work.tell(value, window.clone()).unwrap();
                }
                assert_eq!(work.ask_back(100, window), Ok(Ok(101)));
                handle.stop();
            });
            let mut keys = Vec::new();
            loop {
                match receive(&events) {
                    Event::Key(key) => keys.push(key),
                    Event::Messages if here.run_pending() => {}
                    Event::Messages => break,
                }
            }
            assert_eq!(keys.len(), 34);
        });
        assert_eq!(*screen.borrow(), (0..=100).collect::<Vec<_>>());
        assert!(!here.run_pending(), "it stays over");
        assert_eq!(engine.wait_for_report().handled(), 202);
        drop(here);
    });
}

trait Reported {
    fn wait_for_report(&self) -> zctor::Report;
}

impl Reported for ActorEngine {
    /// From another thread, for this one may not wait for it.
    fn wait_for_report(&self) -> zctor::Report {
        thread::scope(|scope| scope.spawn(|| self.shutdown()).join().expect("it does not panic").expect("it ends"))
    }
}

#[test]
fn the_loop_is_told_once_until_it_serves() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (_post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        // Its `on_start` waits.
        assert_eq!(receive(&events), Event::Messages);
        assert!(here.run_pending());
        assert!(events.try_recv().is_err());
        thread::scope(|scope| {
            for value in 0..10 {
                let window = window.clone();
                scope.spawn(move || window.show(value).unwrap());
            }
        });
        assert_eq!(events.try_iter().count(), 1);
        assert!(here.run_pending());
        assert_eq!(screen.borrow().len(), 10);
        assert!(events.try_recv().is_err());
        // What this thread sends itself is told of too.
        window.show(10).unwrap();
        window.show(11).unwrap();
        assert_eq!(events.try_iter().count(), 1);
        assert!(here.run_pending());
        // Who comes later is told of what waits already, and the one before no more.
        window.show(12).unwrap();
        assert_eq!(events.try_iter().count(), 1);
        let (_post, later) = event_loop(&here);
        assert_eq!(receive(&later), Event::Messages);
        here.run_pending();
        window.show(13).unwrap();
        assert_eq!(receive(&later), Event::Messages);
        assert!(events.try_recv().is_err());
        assert!(here.run_pending());
        // Of the engine's end too.
        engine.handle().stop();
        assert_eq!(receive(&later), Event::Messages);
        while here.run_pending() {
            receive(&later);
        }
        assert_eq!(screen.borrow().len(), 14);
    });
}

#[test]
fn run_pending_serves_what_waits_and_not_what_comes_meanwhile() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (_post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        here.run_pending();
        while events.try_recv().is_ok() {}
        window.countdown(2).unwrap();
        window.show(7).unwrap();
        for expected in [vec![2, 7], vec![2, 7, 1], vec![2, 7, 1, 0]] {
            // Told again of what is left.
            assert_eq!(receive(&events), Event::Messages);
            assert!(here.run_pending());
            assert_eq!(*screen.borrow(), expected);
        }
        assert!(events.try_recv().is_err());
        assert!(here.run_pending(), "with nothing to do it does nothing");
    });
}

#[test]
fn run_pending_serves_whole_batches() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        assert!(window.send_all((0..1_000).map(WindowMessage::Show)).is_ok());
        window.show(1_000).unwrap();
        assert!(here.run_pending());
        assert_eq!(screen.borrow().len(), 1_001);
    });
}

#[test]
fn run_pending_serves_a_batch_that_a_call_goes_ahead_of() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let [(busy, of_busy), (quiet, of_quiet)] = [window(&here), window(&here)];
        // Their starts are no longer queued.
        here.run_pending();
        (0..100).for_each(|value| busy.show(value).unwrap());
        let asked = quiet.non_blocking().ask(1);
        assert!(here.run_pending());
        assert_eq!((of_busy.borrow().len(), &of_quiet.borrow()[..]), (100, &[1][..]));
        assert_eq!(asked.wait(), Ok(1));
    });
}

#[test]
fn timers_fire_through_the_loop() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (_post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        window
            .run(Box::new(|ctx| {
                ctx.send_after(SHORT, WindowMessage::Show(1));
                let mut ticks = 100;
                ctx.send_every(Duration::from_millis(5), move || {
                    ticks += 1;
                    WindowMessage::Show(ticks)
                });
                ctx.send_after(Duration::from_secs(3600), WindowMessage::Show(2)).cancel();
            }))
            .unwrap();
        // Nobody sends: the loop is told by the timers alone.
        while screen.borrow().iter().filter(|value| **value > 100).count() < 20 || !screen.borrow().contains(&1) {
            assert_eq!(receive(&events), Event::Messages);
            assert!(here.run_pending());
        }
        assert!(!screen.borrow().contains(&2));
    });
}

#[test]
fn pipes_and_watches_come_through_the_loop() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let work = engine.start(WorkMessage::actor(|| Work)).unwrap();
        let (_post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        let (gate, held) = (Gate::new(), work.clone());
        let holding = gate.clone();
        window
            .run(Box::new(move |ctx| {
                ctx.pipe(held.request(WorkMessage::hold(holding)), |held| WindowMessage::Show(held.map_or(0, |()| 1)));
                ctx.watch(&held, |ended| WindowMessage::Show(if ended.why == End::Stopped { 2 } else { 0 })).unwrap();
            }))
            .unwrap();
        gate.await_arrivals(1);
        while events.try_recv().is_ok() {
            assert!(here.run_pending());
        }
        let serve_until = |shown: usize| {
            while screen.borrow().len() < shown {
                assert_eq!(receive(&events), Event::Messages);
                assert!(here.run_pending());
            }
        };
        gate.open();
        serve_until(1);
        work.stop().unwrap();
        serve_until(2);
        assert_eq!(*screen.borrow(), [1, 2]);
    });
}

#[test]
fn a_wake_may_panic_and_may_send() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        engine.settle();
        let (client, told) = (window.clone(), Counter::new());
        let wakes = told.clone();
        here.on_message(move || {
            if wakes.increment() == 0 {
                client.show(7).expect("it lives");
            }
            // It may not wait.
            assert_eq!(client.ask(1), Err(CallError::Undeclared { message: "WindowMessage", caller: None }));
            panic!("a wake");
        });
        window.show(1).unwrap();
        assert_eq!(told.get(), 1);
        assert!(here.run_pending());
        assert_eq!(*screen.borrow(), [1, 7]);
        thread::scope(|scope| {
            scope.spawn(|| window.show(2).unwrap());
        });
        assert!(here.run_pending());
        assert_eq!((screen.borrow().len(), told.get()), (3, 2));
    });
}

#[test]
fn what_a_wake_holds_is_dropped_with_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let released = Counter::new();
        let here = engine.here().unwrap();
        let (window, _) = window(&here);
        let (guard, client) = (released.guard(), window.clone());
        here.on_message(move || {
            let _ = (&guard, &client);
        });
        let guard = released.guard();
        here.on_message(move || {
            let _ = (&guard, &window);
        });
        assert_eq!(released.get(), 1);
        drop(here);
        engine.shutdown().unwrap();
        drop(engine);
        assert_eq!(released.get(), 2);
    });
}

#[actor]
enum StarterMessage {
    #[reply(WindowClient)]
    Start,
}

struct Starter(std::rc::Weak<Here>);

impl StarterHandler for Starter {
    fn start(&mut self) -> WindowClient {
        let here = self.0.upgrade().expect("the test holds it");
        start_one::<WindowMessage>(&here, Window::default)
    }
}

fn start_one<M: zctor::Message>(here: &Here, actor: impl LocalRegistration<M>) -> M::Client {
    here.start(actor).expect("its factory cannot fail")
}

#[test]
fn a_handler_that_serves_its_own_thread_does_nothing() {
    bounded(|| {
        #[actor]
        enum NestedMessage {
            #[reply(bool)]
            Serve,
        }
        struct Nested(std::rc::Weak<Here>, Screen);
        impl NestedHandler for Nested {
            fn serve(&mut self) -> bool {
                let here = self.0.upgrade().expect("the test holds it");
                let before = self.1.borrow().len();
                here.run_pending() && self.1.borrow().len() == before
            }
        }
        let engine = ActorEngine::new();
        let here = Rc::new(engine.here().unwrap());
        let (window, screen) = window(&here);
        let (weak, shared) = (Rc::downgrade(&here), Rc::clone(&screen));
        let nested: NestedClient = here.start::<NestedMessage>(move || Nested(weak, shared)).unwrap();
        let served = nested.request(NestedMessage::serve());
        window.show(1).unwrap();
        assert!(here.run_pending());
        assert_eq!((served.try_take(), screen.borrow().len()), (Some(Ok(true)), 1));
        // It may start another, though.
        let (weak, late) = (Rc::downgrade(&here), window.clone());
        let starts: StarterClient = here.start::<StarterMessage>(move || Starter(weak)).unwrap();
        assert_eq!(starts.start().unwrap().ask(5), Ok(5));
        drop(late);
    });
}

#[test]
fn two_engines_serve_each_other_from_their_loops() {
    bounded(|| {
        let (engine, other) = (ActorEngine::new(), ActorEngine::new());
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        let away = work(&other);
        // This loop waits for a thread of another engine, which waits for this.
        assert_eq!(away.ask_back(1, window.clone()), Ok(Ok(2)));
        let replies = receive_many(
            &{
                let (tell, told) = mpsc::channel();
                let open = Gate::new();
                open.open();
                for _ in 0..3 {
                    away.ask_behind(open.clone(), window.clone(), tell.clone()).unwrap();
                }
                while screen.borrow().len() < 4 {
                    assert!(here.run_pending());
                }
                told
            },
            3,
        );
        assert_eq!(replies, [Ok(1), Ok(1), Ok(1)]);
    });
}
