//! The report of a shutdown, and the statistics before it, account for every instance.

use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, ShutdownError, actor};
use zctor_tests::{Gate, bounded};

use crate::work::{Job, LEVELS, Seen, WorkClient, WorkMessage};

#[test]
fn the_report_counts_what_was_accepted() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(3, seen.actor()).unwrap();
        let lone = engine.start(seen.actor()).unwrap();
        let mut accepted = 0;
        for _ in 0..30 {
            work.grow(0).unwrap();
            accepted += 1;
        }
        for _ in 0..6 {
            work.r#break().unwrap();
            accepted += 1;
        }
        // What is queued behind the end of an instance that has no siblings is lost, and said to be.
        let gate = Gate::new();
        let held = gate.clone();
        lone.later(Box::new(move |ctx| {
            held.pass();
            ctx.stop();
        }))
        .unwrap();
        gate.await_arrivals(1);
        for _ in 0..4 {
            lone.grow(0).unwrap();
        }
        gate.open();
        engine.settle();
        accepted += 5;
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (31, 6, 4, 0));
        assert_eq!(report.handled() + report.panicked() + report.dead_letters + report.left, accepted);
        // The one that ended before is counted beside those that lived until the end.
        assert_eq!((report.earlier.instances, report.earlier.handled, report.earlier.panicked), (1, 1, 0));
        assert_eq!(report.instances.iter().map(|one| (one.handled, one.panicked)).collect::<Vec<_>>(), [(10, 2); 3]);
        assert!(report.instances.iter().all(|one| one.message == "WorkMessage"));
        assert!(report.to_string().contains("WorkMessage"));
        assert_eq!((seen.built.get(), seen.dropped.get()), (10, 10));
    });
}

#[test]
fn a_second_shutdown_gives_the_same_report() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        work.grow(3).unwrap();
        work.r#break().unwrap();
        let first = engine.shutdown().unwrap();
        let second = engine.shutdown().unwrap();
        let third = engine.shutdown_timeout(Duration::from_secs(1)).unwrap();
        assert_eq!((first.handled(), first.panicked()), (15, 1));
        assert_eq!(first.to_string(), second.to_string());
        assert_eq!(first.to_string(), third.to_string());
        engine.handle().stop();
    });
}

#[test]
fn two_shutdowns_at_once_give_the_same_report() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.pool(3, seen.actor()).unwrap().grow(LEVELS).unwrap();
        thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| engine.shutdown().unwrap().to_string()));
            let [first, second] = both.map(|one| one.join().unwrap());
            assert_eq!(first, second);
        });
        assert_eq!(seen.handled.get(), (1 << (LEVELS + 1)) - 1);
    });
}

#[test]
fn the_report_says_what_each_instance_of_an_abandoned_thread_has_left() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let thread =
            ActorThread::named("stubborn").register(seen.actor()).register(seen.actor()).register(seen.actor());
        engine.spawn(thread).unwrap();
        engine.pool(1, seen.actor()).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let pins: Vec<WorkClient> = work.instances().into_iter().map(|id| work.pin(id)).collect();
        pins[3].call().unwrap();
        let (first, second) = (Gate::new(), Gate::new());
        let held = pins[0].non_blocking().hold(first.clone());
        first.await_arrivals(1);
        // What waits by now the thread takes in at once, when it has done with this.
        let stuck = pins[0].non_blocking().hold(second.clone());
        pins[0].grow(0).unwrap();
        assert!(pins[1].send_all((0..5).map(|_| WorkMessage::Grow(0))).is_ok());
        pins[1].grow(0).unwrap();
        first.open();
        second.await_arrivals(1);
        held.wait().unwrap();
        // And this it does not.
        pins[1].grow(0).unwrap();
        pins[2].grow(0).unwrap();
        let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        let ShutdownError::Abandoned { report, .. } = error else { panic!("a thread was abandoned") };
        let counts: Vec<_> = report.instances.iter().map(|one| (one.handled, one.panicked, one.left)).collect();
        assert_eq!(counts, [(1, 0, 2), (0, 0, 6), (0, 0, 0), (1, 0, 0)]);
        assert_eq!((report.handled(), report.dead_letters, report.left), (2, 2, 8));
        assert!(report.to_string().contains("0 handled, 0 panicked, 6 left"), "{report}");
        second.open();
        drop(stuck);
    });
}

#[test]
fn of_a_batch_that_does_not_end_the_rest_is_left() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(1, seen.actor()).unwrap();
        let gate = Gate::new();
        let held = gate.clone();
        let stuck: Job = Box::new(move |_| held.pass());
        let batch = [WorkMessage::Grow(0), WorkMessage::Break, WorkMessage::Later(stuck), WorkMessage::Grow(0)];
        assert!(work.send_all(batch).is_ok());
        gate.await_arrivals(1);
        let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        let ShutdownError::Abandoned { report, .. } = error else { panic!("a thread was abandoned") };
        assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (1, 1, 0, 2));
        assert_eq!(report.instances[0].left, 2);
        gate.open();
    });
}

#[test]
fn an_on_stop_that_does_not_return_leaves_no_message() {
    #[actor(ctx)]
    enum ClingMessage {
        Leave,
    }
    struct Cling(Gate);
    impl ClingHandler for Cling {
        fn leave(&mut self, ctx: &mut Context<ClingMessage>) {
            ctx.stop();
        }
        fn on_stop(&mut self, _: &mut Context<ClingMessage>) {
            self.0.pass();
        }
    }
    bounded(|| {
        for leaves in [false, true] {
            let (engine, gate) = (ActorEngine::new(), Gate::new());
            let held = gate.clone();
            let cling = engine.pool(1, ClingMessage::actor(move || Cling(held.clone()))).unwrap();
            if leaves {
                cling.leave().unwrap();
            }
            let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a hook does not return");
            let ShutdownError::Abandoned { threads, report, .. } = error else { panic!("a thread was abandoned") };
            assert_eq!((report.handled(), report.left), (u64::from(leaves), 0));
            let runs = threads[0].runs.expect("its code runs");
            assert_eq!(
                (Some(&runs.instance), runs.message),
                (report.instances.first().map(|one| &one.id), "ClingMessage")
            );
            gate.open();
        }
    });
}

#[test]
fn the_error_says_whose_code_runs_and_who_waits_for_whom() {
    #[actor(calls(WorkMessage))]
    enum AskMessage {
        Ask(Gate, WorkClient),
    }
    struct Ask;
    impl AskHandler for Ask {
        fn ask(&mut self, _: &mut Context<AskMessage>, gate: Gate, work: WorkClient) {
            // It ends with the thread that it waits for.
            let _ = work.hold(gate);
        }
    }
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.spawn(ActorThread::named("stubborn").register(seen.actor()).register(seen.actor())).unwrap();
        engine.spawn(ActorThread::named("waiting").register(seen.actor()).register(AskMessage::actor(|| Ask))).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let second = work.pin(work.instances()[1]);
        let (gate, stats) = (Gate::new(), || engine.stats().threads);
        engine.send(AskMessage::Ask(gate.clone(), second.clone())).unwrap();
        gate.await_arrivals(1);
        while stats()[1].waits.is_empty() {
            thread::yield_now();
        }
        let check = |threads: &[zctor::ThreadStats]| {
            let [stubborn, waiting] = threads else { panic!("there are two: {threads:?}") };
            assert_eq!((&*stubborn.name, stubborn.waits.len()), ("stubborn", 0));
            let runs = stubborn.runs.expect("a handler runs");
            assert_eq!((Some(runs.instance), runs.message), (second.instance_id(), "WorkMessage"));
            assert_eq!((&*waiting.name, waiting.waits.len()), ("waiting", 1));
            let wait = waiting.waits[0];
            assert_eq!((wait.message, wait.callee, wait.on), ("AskMessage", "WorkMessage", stubborn.thread));
            assert_eq!(waiting.runs.map(|runs| runs.instance), Some(wait.instance));
            assert_eq!(runs.variant.unwrap_or("Hold"), "Hold", "the order to end is in the queue when it is abandoned");
            assert!(stubborn.to_string().contains("` 0.1"), "{stubborn}");
            let text = waiting.to_string();
            assert!(text.contains("`AskMessage::Ask` 1.1 waits "), "{text}");
            assert!(text.ends_with(" for `WorkMessage::Hold` 0.1 on thread 0"), "{text}");
        };
        check(&stats());
        let error = engine.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let [first, "1 handler waits:", waiting, culprit] = lines[..] else { panic!("not four lines: {text}") };
        assert!(first.starts_with("the time was up before these threads had ended: 0 `stubborn`"), "{text}");
        assert!(waiting.starts_with("`AskMessage::Ask` 1.1 waits "), "{text}");
        assert!(culprit.starts_with("`WorkMessage") && culprit.contains(" 0.1 RUNS for "), "it comes last: {text}");
        let ShutdownError::Abandoned { threads, waits, .. } = error else { panic!("threads were abandoned") };
        assert_eq!(waits.roots[0].runs, second.instance_id());
        assert_eq!(threads[0].runs.map(|runs| runs.message), Some("WorkMessage"));
        // The waiting thread is answered when the time is up: too late to end in time.
        check(&threads);
        gate.open();
    });
}

#[test]
fn a_wait_is_over_in_the_statistics_when_it_ends() {
    #[actor(calls(WorkMessage))]
    enum AskMessage {
        Ask(Gate, Gate),
    }
    struct Ask;
    impl AskHandler for Ask {
        fn ask(&mut self, ctx: &mut Context<AskMessage>, first: Gate, second: Gate) {
            ctx.call(WorkMessage::hold(first)).expect("the gate is opened");
            second.pass();
        }
    }
    bounded(|| {
        // On one thread, where the wait runs the callee, and on two.
        for threads in [1, 2] {
            let (engine, seen) = (ActorEngine::new(), Seen::default());
            if threads == 1 {
                engine.spawn(ActorThread::new().register(AskMessage::actor(|| Ask)).register(seen.actor())).unwrap();
            } else {
                engine.pool(1, AskMessage::actor(|| Ask)).unwrap();
                engine.pool(1, seen.actor()).unwrap();
            }
            let (first, second) = (Gate::new(), Gate::new());
            engine.send(AskMessage::Ask(first.clone(), second.clone())).unwrap();
            first.await_arrivals(1);
            let runs = |thread: usize| engine.stats().threads[thread].runs.map(|runs| runs.message);
            assert_eq!(runs(threads - 1), Some("WorkMessage"));
            first.open();
            second.await_arrivals(1);
            assert_eq!((runs(0), engine.stats().threads[0].waits.len()), (Some("AskMessage"), 0));
            second.open();
            engine.settle();
            assert!(engine.stats().threads.iter().all(|thread| thread.runs.is_none() && thread.waits.is_empty()));
        }
    });
}
