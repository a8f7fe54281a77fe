//! How the calling thread's part in an engine ends: by a shutdown, by its drop, by a panic of the loop, or abandoned.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use zctor::{ActorEngine, CallError, Context, End, ReplyTo, ShutdownError, StopError, Undelivered, actor};
use zctor_tests::{Counter, DropGuard, Gate, bounded, receive};

use crate::window::{Event, SHORT, Window, WindowClient, WindowMessage, event_loop, window, work};

#[test]
fn a_shutdown_here_begins_and_run_ends_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (window, screen) = window(&here);
        work.tell(1, window.clone()).unwrap();
        assert!(matches!(engine.shutdown(), Err(ShutdownError::OnActorThread)));
        assert!(window.show(2).is_err_and(|error| error.is_stopped()), "the edge is closed");
        here.run();
        assert_eq!(*screen.borrow(), [1]);
        assert_eq!(engine.shutdown().unwrap().handled(), 2);
    });
}

#[test]
fn the_drop_of_the_engine_here_begins_its_shutdown() {
    bounded(|| {
        for runs in [false, true] {
            let (told, words) = mpsc::channel();
            let engine = ActorEngine::new();
            let handle = engine.handle();
            let here = engine.here().unwrap();
            let state = move || Window { last_words: Some(told), ..Window::default() };
            let window: WindowClient = here.start::<WindowMessage>(state).unwrap();
            drop(engine);
            assert!(window.show(1).is_err());
            if runs {
                here.run();
            } else {
                drop(here);
            }
            assert_eq!(receive(&words), thread::current().id());
            while handle.thread_count() > 0 {
                thread::yield_now();
            }
        }
    });
}

#[test]
fn a_loop_that_never_comes_back_is_abandoned() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (work, dropped) = (work(&engine), Counter::new());
        let (tell, ends) = mpsc::channel();
        engine.on_end(move |ended| tell.send((ended.message, ended.why.clone())).unwrap_or_default());
        let here = thread::Builder::new().name("the loop".into());
        let engine = Arc::new(engine);
        let (loops, (give, given), gate) = (Arc::clone(&engine), mpsc::channel(), Gate::new());
        let (guard, stuck) = (dropped.guard(), gate.clone());
        let owner = here
            .spawn(move || {
                let here = loops.here().unwrap();
                let (_post, events) = event_loop(&here);
                let state = move || Window { _guard: Some(guard), ..Window::default() };
                give.send(here.start::<WindowMessage>(state).unwrap()).unwrap();
                stuck.pass();
                // It was told, late as it comes.
                assert!(events.try_iter().count() > 0);
                assert!(!here.run_pending());
            })
            .unwrap();
        let window = receive(&given);
        gate.await_arrivals(1);
        let asked = window.non_blocking().ask(1);
        let (back, told) = mpsc::channel();
        let open = Gate::new();
        open.open();
        work.ask_behind(open, window.clone(), back).unwrap();
        let error = engine.shutdown_timeout(SHORT).expect_err("nobody serves it");
        let ShutdownError::Abandoned { threads, report, .. } = error else { panic!("it names a thread") };
        // The other waits for it, and may not have ended in time for that.
        assert_eq!(threads.last().map(|thread| &*thread.name), Some("the loop"));
        assert_eq!(report.handled() + report.dead_letters + report.left, 3);
        let stopped = Err(CallError::Stopped { message: "WindowMessage" });
        assert_eq!((asked.wait(), receive(&told)), (stopped.clone(), stopped));
        assert_eq!(dropped.get(), 0);
        gate.open();
        owner.join().unwrap();
        assert_eq!(dropped.get(), 1);
        drop(engine);
        let ended: Vec<_> = ends.iter().filter(|(message, _)| *message == "WindowMessage").collect();
        assert_eq!(ended, [("WindowMessage", End::Abandoned)]);
    });
}

#[test]
fn dropping_it_ends_its_instances_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (lost, letters) = mpsc::channel();
        engine.on_dead_letter(move |letter| lost.send((letter.instance, letter.why)).unwrap_or_default());
        let (work, here) = (work(&engine), engine.here().unwrap());
        let (tell, told) = mpsc::channel();
        let (words, dropped) = (Rc::new(RefCell::new(Vec::new())), Counter::new());
        let mut clients = Vec::new();
        for number in 0..3 {
            let (guard, words, tell) = (dropped.guard(), Rc::clone(&words), tell.clone());
            let client = here.start::<LastMessage>(move || Last { number, words, tell, _guard: guard }).unwrap();
            clients.push(client);
        }
        assert_eq!(clients[0].touch(), Ok(0));
        // The youngest ends first, with what waits for it.
        clients[2].send_all([LastMessage::Note, LastMessage::Note]).unwrap();
        clients[0].note().unwrap();
        drop(here);
        assert_eq!(*words.borrow(), [2, 1, 0]);
        assert_eq!((dropped.get(), told.try_iter().collect::<Vec<_>>()), (3, vec![thread::current().id(); 3]));
        let id = clients[2].instance_id().unwrap();
        assert_eq!(letters.try_iter().collect::<Vec<_>>(), [(id, Undelivered::Ended); 2]);
        for client in &clients {
            assert_eq!(client.touch(), Err(CallError::Stopped { message: "LastMessage" }));
            assert_eq!(client.stop(), Err(StopError::Stopped { message: "LastMessage" }));
        }
        // The engine goes on.
        assert_eq!(engine.thread_count(), 1);
        let open = Gate::new();
        open.open();
        work.hold(open).unwrap();
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.dead_letters, report.earlier.instances), (3, 2, 3));
    });
}

#[actor]
enum LastMessage {
    #[reply(u32)]
    Touch,
    Note,
}

struct Last {
    number: u32,
    words: Rc<RefCell<Vec<u32>>>,
    tell: Sender<thread::ThreadId>,
    _guard: DropGuard,
}

impl LastHandler for Last {
    fn touch(&mut self) -> u32 {
        self.number
    }
    fn note(&mut self) {}
    fn on_stop(&mut self, _: &mut Context<LastMessage>) {
        self.words.borrow_mut().push(self.number);
        self.tell.send(thread::current().id()).expect("the test listens");
    }
}

#[test]
fn a_panic_of_the_loop_ends_its_instances() {
    /// Answers nobody before its end.
    #[actor]
    enum LazyMessage {
        #[reply(u32, deferred)]
        Ask,
    }
    struct Lazy(Vec<ReplyTo<u32>>, Sender<usize>);
    impl LazyHandler for Lazy {
        fn ask(&mut self, reply: ReplyTo<u32>) {
            self.0.push(reply);
        }
        fn on_stop(&mut self, _: &mut Context<LazyMessage>) {
            self.1.send(self.0.len()).expect("the test listens");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, words) = mpsc::channel();
        let (give, given) = mpsc::channel();
        let gate = Gate::new();
        thread::scope(|scope| {
            let (engine, held) = (&engine, gate.clone());
            let looping = scope.spawn(move || {
                let here = engine.here().unwrap();
                let (window, _) = window(&here);
                let lazy: LazyClient = here.start::<LazyMessage>(move || Lazy(Vec::new(), tell)).unwrap();
                let asked = lazy.request(LazyMessage::ask());
                here.run_pending();
                give.send((asked, lazy, window)).unwrap();
                held.pass();
                panic!("the loop breaks");
            });
            let (asked, lazy, window) = receive(&given);
            gate.await_arrivals(1);
            let queued = window.request(WindowMessage::ask(1));
            gate.open();
            looping.join().expect_err("it panicked");
            assert_eq!(receive(&words), 1);
            assert_eq!(asked.wait(), Err(CallError::NoReply { message: "LazyMessage" }));
            // The youngest has ended before; what comes for the other is served before its end.
            assert_eq!(queued.wait(), Ok(1));
            assert_eq!(lazy.ask(), Err(CallError::Stopped { message: "LazyMessage" }));
        });
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.panicked(), report.left), (2, 0, 0));
    });
}

#[test]
fn its_instances_end_one_by_one_and_it_stays() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (first, _) = window(&here);
        let (second, _) = window(&here);
        first.stop().unwrap();
        assert_eq!(second.stop_all(), Ok(1));
        assert!(here.run_pending());
        assert_eq!(engine.stats().threads[0].instances, 0);
        assert_eq!(first.ask(1), Err(CallError::Stopped { message: "WindowMessage" }));
        assert!(here.run_pending());
        let (third, screen) = window(&here);
        assert_eq!((third.ask(3), screen.borrow().len()), (Ok(3), 1));
    });
}

#[test]
fn what_on_stop_sends_at_the_end_is_handled() {
    bounded(|| {
        #[actor(ctx)]
        enum GuestMessage {
            Never,
        }
        struct Guest(WindowClient);
        impl GuestHandler for Guest {
            fn never(&mut self, _: &mut Context<GuestMessage>) {}
            fn on_stop(&mut self, _: &mut Context<GuestMessage>) {
                self.0.show(9).expect("the inside goes on");
            }
        }
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (window, screen) = window(&here);
        let guest: GuestClient = here.start::<GuestMessage>(move || Guest(window)).unwrap();
        engine.handle().stop();
        here.run();
        assert_eq!(*screen.borrow(), [9]);
        drop(guest);
    });
}

#[test]
fn a_shutdown_elsewhere_waits_for_the_loop() {
    bounded(|| {
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        let (_post, events) = event_loop(&here);
        let (window, screen) = window(&here);
        window.countdown(20).unwrap();
        thread::scope(|scope| {
            let stopping = scope.spawn(|| engine.shutdown().unwrap());
            loop {
                assert_eq!(receive(&events), Event::Messages);
                if !here.run_pending() {
                    break;
                }
            }
            let report = stopping.join().unwrap();
            assert_eq!((report.handled(), report.dead_letters, report.left), (21, 0, 0));
        });
        assert_eq!(screen.borrow().len(), 21);
        drop(window);
    });
}
