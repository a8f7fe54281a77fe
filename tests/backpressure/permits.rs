//! All the room comes back, whatever becomes of the messages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Overflow, Restart, actor};
use zctor_tests::{Counter, Gate, LIMIT, SplitMix64, bounded, expect_panics};

use crate::held::{KeyedMessage, KeyedWork, SENDERS, Touchy, WorkClient, WorkMessage, fit, hold, work};

/// Of a test in which every few messages a sender waits for a thread that may get no core.
const LATE_ROUNDS: usize = if cfg!(miri) { 2 } else { 25 };
const STORMS: u64 = if cfg!(miri) { 1 } else { 5 };
const STORM: u32 = if cfg!(miri) { 20 } else { 300 };
const STORM_BOUND: usize = 3;

#[test]
fn permits_come_back_whatever_becomes_of_the_messages() {
    bounded(|| {
        const BOUND: usize = 5;
        let endings = ["handled", "skipped", "panicked", "rested", "reset", "ended", "diverted", "batch"];
        for ending in endings {
            let engine = ActorEngine::new();
            let (actor, _noted) = work();
            let actor = actor.restart(Restart::always().backoff(Duration::from_millis(1), Duration::from_millis(1)));
            let thread = ActorThread::new().mailbox_bound(BOUND).register(actor.clone()).register(actor.clone());
            engine.spawn(thread).unwrap();
            engine.spawn(ActorThread::new().register(actor)).unwrap();
            let work = engine.client::<WorkMessage>().unwrap();
            let [first, second] = [0, 1].map(|i| work.pin(work.instances()[i]));
            let gate = Gate::new();
            let held = gate.clone();
            first
                .run(Box::new(move |ctx| {
                    held.pass();
                    match ending {
                        "ended" | "diverted" => ctx.stop(),
                        "reset" => ctx.reset(),
                        _ => {}
                    }
                }))
                .unwrap();
            gate.await_arrivals(1);
            let mut calls = Vec::new();
            for i in 0..BOUND {
                match ending {
                    "skipped" if i % 2 == 0 => drop(first.non_blocking().ask(1)),
                    "skipped" => assert!(first.within(Duration::from_millis(1)).ask(1).is_err()),
                    "panicked" | "rested" => first.r#break().unwrap(),
                    "batch" if i == 0 => {
                        let batch =
                            [0, 1, 2, 3, 4].map(|i| if i == 2 { WorkMessage::Break } else { WorkMessage::Note(i) });
                        assert_eq!(first.send_all(batch).unwrap(), BOUND);
                    }
                    "batch" => {}
                    "diverted" => {
                        // Every third is for the first.
                        while engine.stats().threads[0].queued < 2 + i {
                            calls.push(work.non_blocking().ask(1));
                        }
                    }
                    _ => first.note(1).unwrap(),
                }
            }
            if ending != "diverted" {
                assert_eq!(fit(&second), 0, "{ending}");
            }
            gate.open();
            for call in calls {
                assert_eq!(call.wait(), Ok(1));
            }
            while engine.stats().queued() > 0 {
                thread::yield_now();
            }
            // The neighbour has all the room again.
            let gate = hold(&second);
            assert_eq!(fit(&second), BOUND, "{ending}");
            gate.open();
        }
    });
}

#[test]
fn permits_come_back_from_senders_that_came_too_late() {
    bounded(|| {
        // A thread that ends under its senders, and one that takes over all that comes back.
        for _ in 0..LATE_ROUNDS {
            let engine = ActorEngine::new();
            let (actor, _noted) = work();
            let work = engine.pool_on(2, |_| ActorThread::new().mailbox_bound(3), actor).unwrap();
            let [first, second] = [0, 1].map(|i| work.pin(work.instances()[i]));
            thread::scope(|scope| {
                for sender in 0..SENDERS {
                    let work = work.clone();
                    scope.spawn(move || {
                        for number in 0..50 {
                            match sender % 2 {
                                0 => work.note(number).unwrap(),
                                _ => assert!(work.send_all([number; 4].map(WorkMessage::Note)).is_ok()),
                            }
                        }
                    });
                }
                first.stop().unwrap();
            });
            engine.settle();
            assert_eq!(engine.stats().dead_letters, 0);
            let gate = hold(&second);
            assert_eq!(fit(&second), 3);
            gate.open();
            assert_eq!(engine.shutdown().unwrap().handled(), (SENDERS * 50 / 2 * 5) as u64 + 1 + 3);
        }
    });
}

#[test]
fn a_key_that_panics_in_a_batch_costs_no_room() {
    bounded(|| {
        let (engine, notes) = (ActorEngine::new(), Counter::new());
        let counted = notes.clone();
        let actor = KeyedMessage::actor(move || KeyedWork(counted.clone()));
        engine.spawn(ActorThread::new().mailbox_bound(4).overflow(Overflow::Refuse).register(actor)).unwrap();
        let keyed = engine.client::<KeyedMessage>().unwrap();
        for _ in 0..3 {
            let batch = [1, 2, 13, 3].map(|key| KeyedMessage::Note { key: Touchy(key) });
            assert!(catch_unwind(AssertUnwindSafe(|| keyed.send_all(batch))).is_err(), "it is the sender's panic");
            let note = KeyedMessage::Note { key: Touchy(13) };
            assert!(catch_unwind(AssertUnwindSafe(|| keyed.send(note))).is_err());
        }
        let gate = Gate::new();
        keyed.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        let before = notes.get();
        for key in 0..4 {
            assert!(keyed.note(Touchy(key)).is_ok(), "there is room for four");
        }
        assert!(keyed.note(Touchy(4)).is_err());
        gate.open();
        engine.settle();
        assert_eq!(notes.get(), before + 4);
    });
}

/// What a storm sent, by every way that there is.
fn storm(work: &WorkClient, seed: u64, tried: &Counter) {
    let mut random = SplitMix64::new(seed);
    let tiny = |random: &mut SplitMix64| Duration::from_micros(random.below(300) as u64);
    for number in 0..STORM {
        let instances = work.instances();
        let client = match random.below(6) {
            0 if !instances.is_empty() => work.pin(instances[random.below(instances.len())]),
            1 => work.least_loaded(),
            2 => work.keyed(&number),
            _ => work.clone(),
        };
        let limit = tiny(&mut random);
        tried.increment();
        // What became of each is for the counts to say.
        match random.below(12) {
            0 => drop(client.note(number)),
            1 => drop(client.within(limit).note(number)),
            2 => drop(client.non_blocking().note(number)),
            3 => drop(client.within(limit).ask(number)),
            4 => drop(client.ask(number)),
            5 => drop(client.non_blocking().ask(number)),
            6 => client.request(WorkMessage::ask(number)).detach(),
            7 => drop(client.non_blocking().ask(number).wait_timeout(limit)),
            8 => {
                let many = random.below(8);
                tried.add(many as u64);
                drop(client.within(limit).send_all((0..=many).map(|_| WorkMessage::Note(number))));
            }
            9 => {
                let many = random.below(8);
                tried.add(many as u64);
                let batch = (0..=many).map(|i| if i == 3 { WorkMessage::Break } else { WorkMessage::Note(number) });
                drop(client.send_all(batch));
            }
            10 => drop(client.within(limit).r#break()),
            _ => drop(client.run(Box::new(|ctx| ctx.reset()))),
        }
    }
}

/// Two bounded threads, of which one loses an instance, one comes later, and one ends; senders outside and inside.
fn storm_world(overflow: Overflow, seed: u64, end: impl FnOnce(&ActorEngine) -> Option<zctor::Report>) {
    let (engine, tried, told) = (ActorEngine::new(), Counter::new(), Counter::new());
    let heard = told.clone();
    engine.on_dead_letter(move |_| {
        heard.increment();
    });
    let (actor, _noted) = work();
    let shortest = Duration::from_micros(100);
    let actor = actor.restart(Restart::always().backoff(shortest, shortest * 5));
    let thread = || ActorThread::new().mailbox_bound(STORM_BOUND).overflow(overflow).register(actor.clone());
    engine.spawn(thread().register(actor.clone())).expect("it lives");
    engine.spawn(thread()).expect("it lives");
    let work = engine.client::<WorkMessage>().expect("it lives");
    let inside = engine.start(StormMessage::actor(|| Storm)).expect("it lives");
    let report = thread::scope(|scope| {
        for sender in 0..SENDERS as u64 {
            let (work, tried) = (work.clone(), tried.clone());
            scope.spawn(move || storm(&work, seed * 100 + sender, &tried));
        }
        inside.blow(work.clone(), seed, tried.clone()).expect("it lives");
        let instances = work.instances();
        work.pin(instances[0]).stop().expect("it lives");
        // It may be too late for it.
        drop(engine.spawn(thread().register(actor.clone())));
        let _ = work.pin(instances[2]).stop();
        end(&engine)
    });
    let report = match report {
        Some(report) => report,
        None => {
            engine.settle();
            // All the room is there again.
            for instance in work.instances() {
                let pin = work.pin(instance);
                let gate = hold(&pin);
                tried.increment();
                if overflow == Overflow::DropNewest {
                    let lost = engine.stats().dead_letters;
                    for _ in 0..STORM_BOUND {
                        tried.increment();
                        pin.note(0).expect("it lives");
                    }
                    assert_eq!(engine.stats().dead_letters, lost);
                } else {
                    let fit = fit(&pin);
                    // The one that did not fit was refused.
                    tried.add(fit as u64 + 1);
                    assert_eq!(fit, STORM_BOUND);
                }
                gate.open();
                engine.settle();
            }
            engine.shutdown().expect("it ends")
        }
    };
    let stats = engine.stats();
    assert_eq!((report.dead_letters, told.get()), (stats.dead_letters, stats.dead_letters), "in the report, and told");
    let ended = report.handled() + report.panicked() + stats.dead_letters + report.left + stats.refused;
    assert_eq!(ended, tried.get() + 1, "{overflow:?}, seed {seed}: {report}, {} refused", stats.refused);
}

#[actor]
enum StormMessage {
    Blow(WorkClient, u64, Counter),
}

struct Storm;

impl StormHandler for Storm {
    fn blow(&mut self, work: WorkClient, seed: u64, tried: Counter) {
        let mut random = SplitMix64::new(seed);
        for number in 0..STORM {
            tried.increment();
            match random.below(4) {
                0 => drop(work.note(number)),
                1 => drop(work.non_blocking().note(number)),
                2 => work.request(WorkMessage::ask(number)).detach(),
                _ => drop(work.non_blocking().send_all([WorkMessage::Note(number)])),
            }
        }
    }
}

#[test]
fn a_storm_leaves_all_the_room_and_every_message_has_one_end() {
    expect_panics("the work breaks");
    bounded(|| {
        for seed in 0..STORMS {
            for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
                storm_world(overflow, seed, |_| None);
            }
        }
    });
}

#[test]
fn a_shutdown_in_a_storm_frees_every_sender_and_adds_up() {
    expect_panics("the work breaks");
    bounded(|| {
        for seed in 0..STORMS {
            for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropNewest] {
                storm_world(overflow, seed, |engine| {
                    // A shutdown without time seals at once.
                    Some(
                        if seed % 2 == 0 { engine.shutdown() } else { engine.shutdown_timeout(LIMIT) }
                            .expect("it ends"),
                    )
                });
            }
        }
    });
}
