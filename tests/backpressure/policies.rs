//! The policy says what becomes of a message that finds no room; a bounded mailbox holds up senders outside, and none
//! inside.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, Undelivered, actor};
use zctor_tests::{Gate, LIMIT, bounded, receive, receive_many};

use crate::held::{ROUNDS, SENDERS, SHORT, WorkClient, WorkMessage, fit, full, held, hold, work};

#[test]
fn as_many_as_the_bound_fit_behind_the_one_at_work() {
    bounded(|| {
        for bound in [0, 1, 2, 50] {
            for overflow in [Overflow::Wait, Overflow::Refuse] {
                let held = held(bound, overflow);
                assert_eq!(fit(&held.work), bound.max(1), "0 counts as 1");
                let stats = held.engine.stats();
                assert_eq!((stats.queued(), stats.refused), (bound.max(1) + 1, 1));
                held.gate.open();
                assert_eq!(held.engine.shutdown().unwrap().handled(), bound.max(1) as u64 + 1);
            }
        }
    });
}

#[test]
fn a_full_mailbox_is_full_at_once_for_those_who_do_not_wait() {
    bounded(|| {
        for overflow in [Overflow::Wait, Overflow::Refuse] {
            let held = held(1, overflow);
            held.work.note(1).unwrap();
            let client = held.work.non_blocking();
            let error = client.note(2).expect_err("there is no room");
            assert!(error.is_full());
            assert!(matches!(error.into_inner(), WorkMessage::Note(2)));
            assert_eq!(client.ask(3).wait(), full());
            assert_eq!(held.work.request(WorkMessage::ask(4)).wait(), full(), "a request never waits");
            let back = client.send_all([5, 6].map(WorkMessage::Note)).expect_err("there is no room").into_inner();
            assert!(matches!(back[..], [WorkMessage::Note(5), WorkMessage::Note(6)]));
            assert_eq!(held.work.broadcast_with(WorkMessage::Note(7).into_each()), Ok(0));
            let replies = held.work.call_all_with(|_| WorkMessage::ask(8)).unwrap();
            assert_eq!(replies[0].1, full());
            held.gate.open();
            held.engine.settle();
            assert_eq!(held.noted.try_iter().collect::<Vec<_>>(), [(0, 1)]);
            // Of the broadcast, which gives nothing back.
            assert_eq!(held.engine.stats().dead_letters, 1);
        }
    });
}

#[test]
fn refuse_is_full_at_once_in_every_view() {
    bounded(|| {
        let held = held(1, Overflow::Refuse);
        held.work.note(1).unwrap();
        for client in [held.work.clone(), held.work.within(LIMIT), held.work.pin(held.work.instances()[0])] {
            assert!(client.note(2).is_err_and(|error| error.is_full()));
            assert_eq!(client.ask(3), full());
            assert!(client.send_all([4, 5].map(WorkMessage::Note)).is_err_and(|error| error.is_full()));
        }
        assert!(held.engine.send(WorkMessage::Note(6)).is_err_and(|error| error.is_full()));
        assert_eq!(held.engine.call(WorkMessage::ask(7)), full());
        held.gate.open();
        assert_eq!(held.engine.shutdown().unwrap().handled(), 2);
        assert_eq!(held.noted.iter().collect::<Vec<_>>(), [(0, 1)]);
    });
}

#[test]
fn drop_newest_takes_the_newcomer_for_a_dead_letter_in_every_view() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (lost, losses) = mpsc::channel();
        let (actor, noted) = work();
        let actor = actor.on_undelivered(move |message, why| {
            assert_eq!(why, Undelivered::Full);
            let (WorkMessage::Note(number) | WorkMessage::Ask(number)) = message else {
                panic!("these alone are sent")
            };
            lost.send(number).unwrap_or_default();
        });
        engine.spawn(ActorThread::new().mailbox_bound(2).overflow(Overflow::DropNewest).register(actor)).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let gate = hold(&work);
        // The first of a batch fit.
        assert_eq!(work.send_all((1..=4).map(WorkMessage::Note)).unwrap(), 4);
        work.note(5).unwrap();
        work.within(SHORT).note(6).unwrap();
        work.non_blocking().note(7).unwrap();
        assert_eq!(work.ask(8), full());
        assert_eq!(work.within(SHORT).ask(9), full());
        assert_eq!(work.non_blocking().ask(10).wait(), full());
        assert_eq!(engine.call(WorkMessage::ask(11)), full());
        assert_eq!(receive_many(&losses, 9), [3, 4, 5, 6, 7, 8, 9, 10, 11]);
        gate.open();
        assert_eq!(engine.shutdown().unwrap().dead_letters, 9);
        assert_eq!(noted.iter().collect::<Vec<_>>(), [(0, 1), (0, 2)]);
    });
}

#[test]
fn rotation_passes_over_those_that_are_full_and_the_turn_stays_where_it_is() {
    bounded(|| {
        for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
            let engine = ActorEngine::new();
            let (actor, noted) = work();
            let thread = |_| ActorThread::new().mailbox_bound(2).overflow(overflow);
            let work = engine.pool_on(3, thread, actor).unwrap();
            let pins: Vec<WorkClient> = work.instances().into_iter().map(|id| work.pin(id)).collect();
            let gates: Vec<Gate> = pins.iter().map(hold).collect();
            // The turn begins with the first. The second is full.
            pins[1].note(10).unwrap();
            pins[1].note(11).unwrap();
            for number in 0..4 {
                work.note(number).unwrap();
            }
            // All are full; the last used was the third.
            let refused = work.non_blocking().note(20);
            if overflow == Overflow::DropNewest {
                refused.unwrap();
                assert_eq!(engine.stats().dead_letters, 1);
            } else {
                assert!(refused.is_err_and(|error| error.is_full()));
                assert_eq!(work.non_blocking().ask(21).wait(), full());
                assert!(work.non_blocking().send_all([22].map(WorkMessage::Note)).is_err());
            }
            gates.iter().for_each(Gate::open);
            engine.settle();
            let mut seen: Vec<_> = noted.try_iter().collect();
            seen.sort_unstable();
            assert_eq!(seen, [(0, 0), (0, 2), (1, 10), (1, 11), (2, 1), (2, 3)], "{overflow:?}");
            for number in 30..34 {
                work.ask(number).unwrap();
            }
            assert_eq!(noted.try_iter().collect::<Vec<_>>(), [(0, 30), (1, 31), (2, 32), (0, 33)], "{overflow:?}");
        }
    });
}

#[test]
fn nobody_is_refused_while_one_of_the_pool_has_room() {
    bounded(|| {
        const POOL: usize = 6;
        const BOUND: usize = 2;
        for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
            let engine = ActorEngine::new();
            let (actor, _noted) = work();
            let thread = |_| ActorThread::new().mailbox_bound(BOUND).overflow(overflow);
            let work = engine.pool_on(POOL, thread, actor).unwrap();
            for _ in 0..ROUNDS {
                let gates: Vec<Gate> = work.instances().into_iter().map(|id| hold(&work.pin(id))).collect();
                // Together they fill all of them to the last place.
                thread::scope(|scope| {
                    let start = Gate::new();
                    for _ in 0..SENDERS {
                        let (client, start) = (work.non_blocking(), start.clone());
                        scope.spawn(move || {
                            start.pass();
                            for number in 0..POOL * BOUND / SENDERS {
                                client.note(number as u32).expect("there is room, here or there");
                            }
                        });
                    }
                    start.await_arrivals(SENDERS);
                    start.open();
                });
                gates.iter().for_each(Gate::open);
                engine.settle();
                assert_eq!(engine.stats().dead_letters, 0, "{overflow:?}");
            }
        }
    });
}

/// Sends to a full mailbox from inside by every view, and reports.
fn send_from_inside(ctx: &mut Context<WorkMessage>, target: &WorkClient, tell: &Sender<Vec<bool>>) {
    let at_once = target.non_blocking();
    let outcomes = vec![
        target.note(1).is_ok(),
        target.within(Duration::ZERO).note(2).is_ok(),
        target.send_all([3, 4].map(WorkMessage::Note)).is_ok(),
        target.broadcast_with(|_| WorkMessage::Note(5)) == Ok(1),
        at_once.note(6).is_ok(),
        at_once.send_all([7, 8].map(WorkMessage::Note)).is_ok(),
        at_once.broadcast_with(|_| WorkMessage::Note(9)) == Ok(1),
    ];
    let asked = at_once.ask(10);
    let outcomes = [outcomes, vec![asked.try_take().is_none()]].concat();
    asked.detach();
    let tell_outcome = tell.clone();
    // As the guide has it: a call with a limit of its own, whose outcome comes as a message.
    ctx.pipe(at_once.within(LIMIT).ask(11), move |outcome| {
        tell_outcome.send(vec![outcome == Ok(11)]).expect("the test listens");
        WorkMessage::Note(12)
    });
    tell.send(outcomes).expect("the test listens");
}

#[test]
fn a_handler_finds_room_by_every_view_in_every_full_mailbox() {
    bounded(|| {
        for other_engine in [false, true] {
            for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
                let held = held(1, overflow);
                held.work.note(0).unwrap();
                let target = held.work.pin(held.work.instances()[0]);
                let other = other_engine.then(ActorEngine::new);
                let (actor, _noted) = work();
                let inside = other.as_ref().unwrap_or(&held.engine).start(actor).unwrap();
                let (tell, told) = mpsc::channel();
                inside.run(Box::new(move |ctx| send_from_inside(ctx, &target, &tell))).unwrap();
                assert_eq!(receive(&told), [true; 8], "other engine: {other_engine}, {overflow:?}");
                held.gate.open();
                assert_eq!(receive(&told), [true], "other engine: {other_engine}, {overflow:?}");
                held.engine.settle();
                let seen: Vec<_> = held.noted.try_iter().map(|(_, number)| number).collect();
                assert_eq!(seen, (0..=11).collect::<Vec<_>>(), "other engine: {other_engine}, {overflow:?}");
                assert_eq!(held.engine.stats().dead_letters, 0);
            }
        }
    });
}

// Issue 15: of 20,000 orders of a gateway 12,679 failed with `Full`, since those of its customers filled the mailbox.
#[test]
fn of_thousands_of_pipes_into_a_mailbox_that_outsiders_have_filled_none_fails() {
    const ORDERS: u32 = if cfg!(miri) { 20 } else { 7_000 };
    bounded(|| {
        for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
            let held = held(8, overflow);
            held.work.send_all((0..8).map(|_| WorkMessage::Note(0))).unwrap();
            let (actor, seen) = work();
            let (tell, told) = mpsc::channel();
            let order = move |ctx: &mut Context<WorkMessage>| {
                for number in 0..ORDERS {
                    let check = ctx.non_blocking::<WorkMessage>().expect("it lives").within(LIMIT).ask(number);
                    ctx.pipe(check, move |outcome| {
                        WorkMessage::Note(if outcome == Ok(number) { number } else { ORDERS })
                    });
                }
                tell.send(()).expect("the test listens");
            };
            held.engine.start(actor).unwrap().run(Box::new(order)).unwrap();
            receive(&told);
            if overflow != Overflow::DropNewest {
                assert!(
                    held.work.non_blocking().note(0).is_err_and(|error| error.is_full()),
                    "outside there is no room"
                );
            }
            held.gate.open();
            held.engine.settle();
            let mut answered: Vec<u32> = seen.try_iter().map(|(_, number)| number).collect();
            answered.sort_unstable();
            assert!(answered.into_iter().eq(0..ORDERS), "{overflow:?}: none failed");
            assert_eq!(held.engine.stats().dead_letters, 0);
        }
    });
}

#[test]
fn a_handler_calls_into_a_full_mailbox() {
    #[actor(calls(WorkMessage))]
    enum BossMessage {
        #[reply(Result<u32, CallError>)]
        Ask,
    }
    struct Boss;
    impl BossHandler for Boss {
        fn ask(&mut self, ctx: &mut Context<BossMessage>) -> Result<u32, CallError> {
            ctx.call(WorkMessage::ask(9))
        }
    }
    bounded(|| {
        for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
            let held = held(1, overflow);
            held.work.note(0).unwrap();
            let boss = held.engine.pool(1, BossMessage::actor(|| Boss)).unwrap();
            let asked = boss.non_blocking().ask();
            while held.engine.stats().queued() < 4 {
                thread::yield_now();
            }
            held.gate.open();
            assert_eq!(asked.wait(), Ok(Ok(9)), "{overflow:?}");
        }
    });
}

#[test]
fn two_that_send_to_each_others_full_mailboxes_go_on() {
    bounded(|| {
        let (engine, other) = (ActorEngine::new(), ActorEngine::new());
        for right in [&engine, &other] {
            let (actor, noted) = work();
            let thread = |_| ActorThread::new().mailbox_bound(1);
            let first = engine.pool_on(1, thread, actor.clone()).unwrap();
            let first = first.pin(*first.instances().last().unwrap());
            let second = right.pool_on(1, thread, actor).unwrap();
            let second = second.pin(*second.instances().last().unwrap());
            let gate = Gate::new();
            for (from, to) in [(&first, &second), (&second, &first)] {
                let (held, to) = (gate.clone(), to.clone());
                from.run(Box::new(move |_| {
                    held.pass();
                    (0..500).for_each(|number| to.note(number).unwrap());
                }))
                .unwrap();
            }
            gate.await_arrivals(2);
            first.note(0).unwrap();
            second.note(0).unwrap();
            gate.open();
            assert_eq!((first.ask(1), second.ask(2)), (Ok(1), Ok(2)));
            engine.settle();
            other.settle();
            assert_eq!(noted.try_iter().count(), 2 * 500 + 2 + 2);
        }
    });
}

#[test]
fn factories_hooks_and_drops_that_send_to_a_full_mailbox_do_not_hang() {
    /// Sends when it is dropped, and says whether it could.
    struct Farewell(WorkClient, Sender<bool>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.note(1).is_ok());
        }
    }
    #[actor]
    enum NoisyMessage {
        Leave(Farewell),
    }
    struct Noisy(Farewell);
    impl NoisyHandler for Noisy {
        fn leave(&mut self, _: Farewell) {}
        fn on_start(&mut self, _: &mut Context<NoisyMessage>) {
            let _ = self.0.1.send(self.0.0.note(2).is_ok());
        }
        fn on_stop(&mut self, _: &mut Context<NoisyMessage>) {
            let _ = self.0.1.send(self.0.0.note(3).is_ok());
        }
    }
    bounded(|| {
        let held = held(1, Overflow::Wait);
        held.work.note(0).unwrap();
        let (tell, told) = mpsc::channel();
        let farewell = || Farewell(held.work.clone(), tell.clone());
        // Hooks.
        let (client, said) = (held.work.clone(), tell.clone());
        held.engine.on_dead_letter(move |_| said.send(client.note(4).is_ok()).unwrap_or_default());
        let (client, said) = (held.work.clone(), tell.clone());
        held.engine.on_end(move |_| said.send(client.note(5).is_ok()).unwrap_or_default());
        // A factory.
        let (client, said) = (held.work.clone(), tell.clone());
        let build = move || {
            said.send(client.note(6).is_ok()).unwrap_or_default();
            Noisy(Farewell(client.clone(), said.clone()))
        };
        let noisy = held.engine.start(NoisyMessage::actor(build)).unwrap();
        assert_eq!(receive_many(&told, 2), [true; 2], "factory and on_start");
        // Messages that are dropped: handled, or as dead letters.
        noisy.leave(farewell()).unwrap();
        assert!(receive(&told));
        noisy.stop().unwrap();
        assert_eq!(receive_many(&told, 3), [true; 3], "on_stop, drop, on_end");
        let doomed = held
            .engine
            .start(NoisyMessage::actor_once({
                let farewell = farewell();
                move || Noisy(farewell)
            }))
            .unwrap();
        assert!(receive(&told), "on_start");
        assert!(doomed.send_all([NoisyMessage::Leave(farewell())]).is_ok());
        assert!(receive(&told));
        held.gate.open();
        held.engine.settle();
        drop(told);
    });
}

#[test]
fn what_a_hook_sends_outside_keeps_to_the_bound() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, _noted) = work();
        let retry = std::sync::Arc::new(std::sync::OnceLock::<WorkClient>::new());
        let client = std::sync::Arc::clone(&retry);
        // Runs on the thread of the sender, who is outside.
        let actor = actor.on_undelivered(move |message, _| {
            let _ = client.get().expect("it is set").send(message);
        });
        engine.spawn(ActorThread::new().mailbox_bound(2).overflow(Overflow::DropNewest).register(actor)).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        retry.set(work.clone()).expect("it is set once");
        let gate = hold(&work);
        for number in 0..100 {
            work.note(number).unwrap();
        }
        assert_eq!(engine.stats().queued(), 1 + 2);
        gate.open();
        let report = engine.shutdown().unwrap();
        // Each was lost twice.
        assert_eq!((report.handled(), report.dead_letters), (3, 2 * 98));
    });
}
