//! How long a sender waits for room is said by its view, and whatever ends the wait for good frees it.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Overflow, Restart, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded, receive, receive_many};

use crate::held::{
    KeyedMessage, KeyedWork, ROUNDS, SENDERS, SHORT, Touchy, WorkClient, WorkMessage, await_waiting, fit, full, held,
    hold, now, work,
};

#[test]
fn a_blocking_sender_waits_for_room_and_keeps_its_order() {
    bounded(|| {
        for bulk in [false, true] {
            let held = held(2, Overflow::Wait);
            thread::scope(|scope| {
                let work = held.work.clone();
                let sender = scope.spawn(move || {
                    if bulk {
                        assert_eq!(work.send_all((0..100).map(WorkMessage::Note)).unwrap(), 100);
                    } else {
                        (0..100).for_each(|number| work.note(number).unwrap());
                    }
                    work.ask(100)
                });
                await_waiting(&sender);
                held.gate.open();
                assert_eq!(sender.join().unwrap(), Ok(100));
            });
            let expected: Vec<_> = (0..=100).map(|number| (0, number)).collect();
            assert_eq!(held.noted.try_iter().collect::<Vec<_>>(), expected);
            assert_eq!((held.engine.stats().refused, held.engine.stats().dead_letters), (0, 0));
        }
    });
}

#[test]
fn a_time_limit_ends_the_wait_for_room() {
    bounded(|| {
        let held = held(1, Overflow::Wait);
        held.work.note(1).unwrap();
        let limited = held.work.within(SHORT);
        let before = now();
        assert!(limited.note(2).is_err_and(|error| error.is_full()));
        assert!(before.elapsed() >= SHORT);
        let before = now();
        assert_eq!(limited.ask(3), full());
        assert!(before.elapsed() >= SHORT);
        let before = now();
        let back = limited.send_all([4, 5].map(WorkMessage::Note)).expect_err("there is no room");
        assert!(back.is_full() && before.elapsed() >= SHORT);
        assert_eq!(back.into_inner().len(), 2);
        assert!(held.work.within(Duration::ZERO).note(6).is_err_and(|error| error.is_full()));
        held.gate.open();
        assert_eq!(held.work.within(LIMIT).ask(7), Ok(7));
        assert_eq!(held.noted.try_iter().collect::<Vec<_>>(), [(0, 1), (0, 7)]);
    });
}

#[test]
fn the_time_limit_of_a_batch_is_one_for_all_its_messages() {
    #[actor]
    enum SlowMessage {
        Work,
    }
    struct Slow;
    impl SlowHandler for Slow {
        fn work(&mut self) {
            let (_never, nothing) = mpsc::channel::<()>();
            let _ = nothing.recv_timeout(Duration::from_millis(100));
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().mailbox_bound(1).register(SlowMessage::actor(|| Slow))).unwrap();
        let slow = engine.client::<SlowMessage>().unwrap();
        // Each finds room well within the limit. All of them take at least 2.8 seconds.
        let sent = slow.within(Duration::from_millis(700)).send_all((0..30).map(|_| SlowMessage::Work));
        assert!(sent.is_err_and(|error| error.is_full()), "the limit is for all together");
        let accepted = engine.shutdown().unwrap().handled();
        assert!((1..28).contains(&accepted), "{accepted}");
    });
}

#[test]
fn room_and_reply_share_one_time_limit() {
    bounded(|| {
        let held = held(1, Overflow::Wait);
        held.work.note(1).unwrap();
        thread::scope(|scope| {
            let limited = held.work.within(Duration::from_millis(400));
            let before = now();
            let caller = scope.spawn(move || limited.ask(2));
            await_waiting(&caller);
            // It has room, and then waits at another gate.
            let gate = Gate::new();
            let (behind, work) = (gate.clone(), held.work.clone());
            let holder = scope.spawn(move || work.hold(behind));
            held.gate.open();
            let outcome = caller.join().unwrap();
            let late = CallError::Timeout { message: "WorkMessage", begun: false };
            // The gate may come before it in line, and may not.
            assert!(outcome == Ok(2) || outcome == Err(late) || outcome == full(), "{outcome:?}");
            assert!(outcome == Ok(2) || before.elapsed() >= Duration::from_millis(400));
            gate.open();
            holder.join().unwrap().unwrap();
        });
    });
}

#[test]
fn a_waiting_sender_takes_the_room_of_whichever_has_some_first() {
    bounded(|| {
        for least_loaded in [false, true] {
            for freed in 0..3 {
                let engine = ActorEngine::new();
                let (actor, noted) = work();
                let work = engine.pool_on(3, |_| ActorThread::new().mailbox_bound(1), actor).unwrap();
                let pins: Vec<WorkClient> = work.instances().into_iter().map(|id| work.pin(id)).collect();
                let gates: Vec<Gate> = pins.iter().map(hold).collect();
                pins.iter().for_each(|pin| pin.note(0).unwrap());
                thread::scope(|scope| {
                    let client = if least_loaded { work.least_loaded() } else { work.clone() };
                    let sender = scope.spawn(move || client.note(1));
                    await_waiting(&sender);
                    gates[freed].open();
                    sender.join().unwrap().unwrap();
                });
                assert_eq!(receive_many(&noted, 2), [(freed, 0), (freed, 1)]);
                gates.iter().for_each(Gate::open);
            }
        }
    });
}

#[test]
fn a_newcomer_frees_those_who_wait() {
    bounded(|| {
        for is_bounded in [false, true] {
            let held = held(1, Overflow::Wait);
            held.work.note(1).unwrap();
            thread::scope(|scope| {
                let client = held.work.clone();
                let sender = scope.spawn(move || client.note(2));
                await_waiting(&sender);
                let (actor, noted) = work();
                let thread = ActorThread::new();
                let thread = if is_bounded { thread.mailbox_bound(1) } else { thread };
                held.engine.spawn(thread.register(actor)).unwrap();
                sender.join().unwrap().unwrap();
                assert_eq!(receive(&noted), (1, 2));
            });
            held.gate.open();
        }
    });
}

#[test]
fn one_that_comes_back_from_its_rest_frees_those_who_wait() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, noted) = work();
        let rest = Duration::from_millis(500);
        let actor = actor.restart(Restart::always().backoff(rest, rest).jitter(0.0));
        engine.spawn(ActorThread::new().mailbox_bound(1).register(actor.clone())).unwrap();
        engine.spawn(ActorThread::new().register(actor)).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let [first, second] = [0, 1].map(|i| work.pin(work.instances()[i]));
        let gate = hold(&first);
        first.note(1).unwrap();
        for _ in 0..3 {
            second.r#break().unwrap();
        }
        while engine.stats().restarts < 3 {
            thread::yield_now();
        }
        // The first is full, the second rests.
        work.note(2).unwrap();
        assert_eq!(receive(&noted), (1, 2), "the first is at its gate still");
        gate.open();
    });
}

#[test]
fn the_end_of_the_instance_frees_those_who_wait_for_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, told) = mpsc::channel();
        engine.on_dead_letter(move |letter| tell.send(letter.why).unwrap_or_default());
        let (actor, noted) = work();
        // Its neighbour keeps the thread alive.
        let thread = ActorThread::new().mailbox_bound(2).register(actor.clone()).register(actor);
        engine.spawn(thread).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let [first, second] = [0, 1].map(|i| work.pin(work.instances()[i]));
        let gate = Gate::new();
        let held = gate.clone();
        first
            .run(Box::new(move |ctx| {
                held.pass();
                ctx.stop();
            }))
            .unwrap();
        gate.await_arrivals(1);
        first.note(1).unwrap();
        second.note(2).unwrap();
        thread::scope(|scope| {
            let client = first.clone();
            let sender = scope.spawn(move || client.note(3));
            let client = first.clone();
            let caller = scope.spawn(move || client.ask(4));
            let client = second.clone();
            let sibling = scope.spawn(move || client.ask(5));
            await_waiting(&sender);
            gate.open();
            let late = |refused: bool| refused || told.try_iter().count() > 0;
            // It may have been let in when the instance had not ended yet, and is a dead letter then.
            let sent = sender.join().unwrap();
            assert!(late(sent.is_err_and(|error| error.is_stopped())));
            assert_eq!(caller.join().unwrap(), Err(CallError::Stopped { message: "WorkMessage" }));
            assert_eq!(sibling.join().unwrap(), Ok(5));
        });
        assert_eq!(noted.try_iter().collect::<Vec<_>>(), [(0, 2), (0, 5)]);
    });
}

#[test]
fn the_end_of_the_only_instance_and_its_thread_frees_those_who_wait() {
    bounded(|| {
        for panics in [false, true] {
            let engine = ActorEngine::new();
            let (actor, _noted) = work();
            let thread = ActorThread::new().mailbox_bound(1).register(actor.restart(Restart::never()));
            engine.spawn(thread).unwrap();
            let work = engine.client::<WorkMessage>().unwrap();
            let gate = Gate::new();
            let held = gate.clone();
            work.run(Box::new(move |ctx| {
                held.pass();
                assert!(!panics, "the work breaks");
                ctx.stop();
            }))
            .unwrap();
            gate.await_arrivals(1);
            work.note(1).unwrap();
            thread::scope(|scope| {
                let senders: Vec<_> = (0..SENDERS)
                    .map(|_| {
                        let client = work.clone();
                        scope.spawn(move || client.ask(2))
                    })
                    .collect();
                await_waiting(&senders[0]);
                gate.open();
                for sender in senders {
                    let outcome = sender.join().unwrap();
                    let expected = [
                        Err(CallError::Stopped { message: "WorkMessage" }),
                        Err(CallError::NotRegistered { message: "WorkMessage" }),
                    ];
                    assert!(expected.contains(&outcome), "{outcome:?}");
                }
            });
        }
    });
}

#[test]
fn a_shutdown_frees_those_who_wait() {
    bounded(|| {
        for with_limit in [false, true] {
            let held = held(1, Overflow::Wait);
            held.work.note(1).unwrap();
            thread::scope(|scope| {
                let work = held.work.clone();
                let sender = scope.spawn(move || work.note(2).is_err_and(|error| error.is_stopped()));
                let work = held.work.within(LIMIT);
                let caller = scope.spawn(move || work.ask(3));
                let work = held.work.pin(held.work.instances()[0]);
                let bulk = scope.spawn(move || work.send_all([4, 5].map(WorkMessage::Note)));
                await_waiting(&sender);
                let engine = &held.engine;
                let stopping = scope.spawn(move || {
                    if with_limit {
                        engine.shutdown_timeout(SHORT).map(drop).unwrap_or_default()
                    } else {
                        drop(engine.shutdown().unwrap())
                    }
                });
                // Though the gate is closed still.
                assert!(sender.join().unwrap());
                assert_eq!(caller.join().unwrap(), Err(CallError::Stopped { message: "WorkMessage" }));
                assert_eq!(bulk.join().unwrap().expect_err("the edge is closed").into_inner().len(), 2);
                held.gate.open();
                stopping.join().unwrap();
            });
        }
    });
}

#[test]
fn a_sender_that_gives_up_passes_its_call_on() {
    bounded(|| {
        for _ in 0..ROUNDS {
            let held = held(1, Overflow::Wait);
            held.work.note(1).unwrap();
            thread::scope(|scope| {
                // They give up at about the time that there is room.
                for sender in 0..SENDERS {
                    let work = held.work.within(Duration::from_millis(2 + sender as u64));
                    scope.spawn(move || work.note(2).map_err(|error| assert!(error.is_full())));
                }
                let work = held.work.clone();
                let patient = scope.spawn(move || work.note(3));
                let (_never, nothing) = mpsc::channel::<()>();
                let _ = nothing.recv_timeout(Duration::from_millis(2));
                held.gate.open();
                // It is called, however many before it gave up.
                patient.join().unwrap().unwrap();
            });
            held.engine.settle();
            assert_eq!(held.noted.try_iter().filter(|(_, number)| *number == 3).count(), 1);
        }
    });
}

#[test]
fn all_who_wait_get_in_one_after_the_other() {
    bounded(|| {
        let held = held(1, Overflow::Wait);
        let each = 200;
        thread::scope(|scope| {
            for sender in 0..2 * SENDERS {
                let work = held.work.clone();
                scope.spawn(move || {
                    for number in 0..each {
                        if sender % 2 == 0 {
                            work.note(number).unwrap();
                        } else {
                            assert_eq!(work.ask(number), Ok(number));
                        }
                    }
                });
            }
            held.gate.open();
        });
        held.engine.settle();
        assert_eq!(held.noted.try_iter().count(), 2 * SENDERS * each as usize);
        assert_eq!(fit(&held.work).min(1), 1);
    });
}

#[test]
fn keyed_mail_waits_for_the_one_of_its_key() {
    bounded(|| {
        let (engine, notes) = (ActorEngine::new(), Counter::new());
        let actor = KeyedMessage::actor(move || KeyedWork(notes.clone()));
        let keyed = engine.pool_on(2, |_| ActorThread::new().mailbox_bound(1), actor).unwrap();
        let owner = |key: u32| keyed.keyed(&Touchy(key));
        let gate = Gate::new();
        owner(1).send(KeyedMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        keyed.note(Touchy(1)).unwrap();
        thread::scope(|scope| {
            let client = keyed.clone();
            let sender = scope.spawn(move || client.note(Touchy(1)));
            await_waiting(&sender);
            assert!(keyed.non_blocking().note(Touchy(1)).is_err_and(|error| error.is_full()));
            gate.open();
            sender.join().unwrap().unwrap();
        });
    });
}

/// What the kernel says of a thread: whether it sleeps, and how often it has gone to sleep.
#[cfg(target_os = "linux")]
fn sleeps(task: &std::path::Path) -> (bool, u64) {
    let status = std::fs::read_to_string(task.join("status")).expect("the thread is there");
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel knows it").trim();
    let count = field("voluntary_ctxt_switches:").parse().expect("a count is a number");
    (field("State:").starts_with('S'), count)
}

// Issue 15: each end of any instance woke all who waited for room of its thread: 3,000 ends with 200
// senders took 3.6 s.
#[test]
#[cfg(target_os = "linux")]
fn the_end_of_another_instance_wakes_nobody_who_waits_for_room() {
    const LEAVES: usize = 3_000;
    const WAITING: usize = 20;

    #[actor]
    enum LeafMessage {
        Rustle,
    }
    struct Leaf;
    impl LeafHandler for Leaf {
        fn rustle(&mut self) {}
    }

    bounded(|| {
        let crate::held::Held { engine, work, gate, .. } = held(1, Overflow::Wait);
        let churn = Gate::new();
        let go = churn.clone();
        // It takes the one permit, and begins when the gate opens.
        work.run(Box::new(move |ctx| {
            for _ in 0..LEAVES {
                ctx.start::<LeafMessage>(|| Leaf).unwrap().stop().unwrap();
            }
            let me = ctx.me();
            // Behind all their ends.
            me.hold(go).unwrap();
        }))
        .unwrap();
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for _ in 0..WAITING {
                // A pinned sender waits for this instance, one in turn for any of the pool.
                let (pinned, in_turn, tell) = (work.pin(work.instances()[0]), work.clone(), tell.clone());
                for client in [pinned, in_turn] {
                    let tell = tell.clone();
                    scope.spawn(move || {
                        tell.send(std::fs::canonicalize("/proc/thread-self").expect("linux has it")).unwrap();
                        client.note(1).unwrap();
                    });
                }
            }
            let tasks = receive_many(&told, 2 * WAITING);
            let look = || tasks.iter().map(|task| sleeps(task)).collect::<Vec<_>>();
            let mut before = look();
            loop {
                thread::yield_now();
                let again = look();
                if again == before && again.iter().all(|(asleep, _)| *asleep) {
                    break;
                }
                before = again;
            }
            gate.open();
            churn.await_arrivals(1);
            // One permit came back, when the run began: one sender got in, and one in each line may have been called.
            let still: usize =
                tasks.iter().zip(&before).filter(|(task, before)| task.exists() && sleeps(task) == **before).count();
            churn.open();
            assert!(still >= 2 * WAITING - 5, "{still} of {} slept on", 2 * WAITING);
        });
        engine.settle();
    });
}
