//! A group resets the others after a panic of one, within its limit; beyond it all members end, with the reason.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Client, Context, End, Restart, actor};
use zctor_kit::group::{AddError, Group, Rules, one_for_all, rest_for_one};
use zctor_tests::{Counter, SplitMix64, bounded, expect_panics, receive, receive_many};

const HOUR: Duration = Duration::from_secs(3_600);

#[actor(ctx)]
enum PartMessage {
    #[reply(u32)]
    Next,
    #[reply(())]
    Break,
    /// Panics when it is sent, so that nobody waits.
    Fall,
}

struct Part {
    count: u32,
    ends: Option<Sender<u32>>,
}

impl PartHandler for Part {
    fn next(&mut self, _: &mut Context<PartMessage>) -> u32 {
        self.count += 1;
        self.count
    }
    fn r#break(&mut self, _: &mut Context<PartMessage>) {
        panic!("the part breaks");
    }
    fn fall(&mut self, _: &mut Context<PartMessage>) {
        panic!("the part breaks");
    }
    fn on_stop(&mut self, ctx: &mut Context<PartMessage>) {
        if let Some(ends) = &self.ends {
            ends.send(ctx.instance_id().thread().index() as u32).unwrap_or_default();
            assert!(self.count < 1_000, "the part breaks at the end");
        }
    }
}

fn engine() -> ActorEngine {
    expect_panics("the part breaks");
    let engine = ActorEngine::new();
    engine.on_panic(|_| {});
    engine.on_dead_letter(|_| {});
    engine
}

/// Built again at once, however often.
fn restart() -> Restart {
    Restart::always().backoff(Duration::ZERO, Duration::ZERO)
}

fn parts<const N: usize>(engine: &ActorEngine) -> [PartClient; N] {
    std::array::from_fn(|_| {
        let part = PartMessage::actor(|| Part { count: 0, ends: None }).restart(restart());
        engine.start(part).expect("its factory cannot fail")
    })
}

/// Counts the restarts of an engine's instances.
fn restarts(engine: &ActorEngine) -> Counter {
    let restarts = Counter::new();
    let count = restarts.clone();
    engine.on_restart(move |_| {
        count.increment();
    });
    restarts
}

fn group(engine: &ActorEngine, rules: Rules, members: &[PartClient]) -> Group {
    let group = rules.start(&engine.handle()).expect("a thread starts");
    members.iter().try_for_each(|member| group.add(member)).expect("they are bound");
    group
}

/// Has each count, then breaks one; gives which of them begin anew.
fn anew_after(engine: &ActorEngine, parts: &[PartClient], broken: usize) -> Vec<bool> {
    assert!(parts.iter().all(|part| part.next().is_ok()));
    assert!(matches!(parts[broken].r#break(), Err(CallError::Panicked { .. })));
    engine.settle();
    parts.iter().map(|part| part.next().expect("it lives") == 1).collect()
}

#[test]
fn one_for_all_resets_all_others_whichever_panics() {
    bounded(|| {
        let engine = engine();
        let restarts = restarts(&engine);
        let parts = parts::<3>(&engine);
        let _group = group(&engine, one_for_all().at_most(10, HOUR), &parts);
        for broken in 0..3 {
            assert_eq!(anew_after(&engine, &parts, broken), [true; 3], "{broken}");
        }
        assert_eq!(restarts.get(), 9, "each of them once for each panic");
        assert_eq!(engine.shutdown().expect("it ends").panicked(), 3);
    });
}

#[test]
fn rest_for_one_resets_those_that_were_added_later() {
    bounded(|| {
        let engine = engine();
        let parts = parts::<4>(&engine);
        let _group = group(&engine, rest_for_one(), &parts);
        assert_eq!(anew_after(&engine, &parts, 2), [false, false, true, true]);
        assert_eq!(anew_after(&engine, &parts, 3), [false, false, false, true]);
        assert_eq!(anew_after(&engine, &parts, 0), [true; 4]);
    });
}

#[test]
fn a_member_that_is_added_again_is_still_one_member() {
    bounded(|| {
        let engine = engine();
        let restarts = restarts(&engine);
        let parts = parts::<2>(&engine);
        let group = group(&engine, one_for_all().at_most(1, HOUR), &parts);
        group.add(&parts[0]).expect("it is bound");
        assert_eq!(anew_after(&engine, &parts, 0), [true; 2], "one panic counts once");
        assert_eq!(restarts.get(), 2, "and resets each once");
    });
}

#[test]
fn beyond_the_limit_all_members_end_the_last_first_and_the_reason_is_told_once() {
    bounded(|| {
        let engine = engine();
        let (end, ends) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        // On one thread, so that the order of their ends can be seen.
        let (part, number) = (move || Part { count: 0, ends: Some(end.clone()) }, Counter::new());
        let mut thread = ActorThread::new();
        for _ in 0..3 {
            thread = thread.register(PartMessage::actor(part.clone()).restart(restart()));
        }
        engine.spawn(thread).expect("a thread starts");
        let pool = engine.client::<PartMessage>().expect("they live");
        let members: Vec<_> = pool.instances().into_iter().map(|id| pool.pin(id)).collect();
        let (gone, order) = mpsc::channel();
        engine.on_end(move |ended| {
            if ended.message == "PartMessage" {
                gone.send((ended.instance, ended.why.clone())).unwrap_or_default();
            }
        });
        let hook = {
            let number = number.clone();
            move |end: &zctor_kit::group::GroupEnd| {
                number.increment();
                tell.send(end.clone()).unwrap_or_default();
            }
        };
        let group = group(&engine, one_for_all().at_most(2, HOUR).on_end(hook), &members);
        for _ in 0..2 {
            assert!(members[1].r#break().is_err());
            engine.settle();
            receive_many(&ends, 2); // the resets of the others
        }
        assert!(members[0].next().is_ok());
        assert!(members[1].r#break().is_err());
        let told = receive(&told);
        assert_eq!(
            (Some(told.instance), told.message, &*told.text),
            (members[1].instance_id(), "PartMessage", "the part breaks")
        );
        let ended = receive_many(&order, 3);
        let expected: Vec<_> =
            members.iter().rev().map(|member| (member.instance_id().unwrap(), End::Stopped)).collect();
        assert_eq!(ended, expected);
        engine.settle();
        assert!(matches!(group.add(&members[0]), Err(AddError::Refused(CallError::Stopped { .. }))));
        drop(engine.shutdown());
        assert_eq!(number.get(), 1);
    });
}

#[test]
fn a_member_that_ends_beyond_its_own_limit_ends_the_group_and_one_that_is_stopped_leaves_it() {
    bounded(|| {
        let engine = engine();
        let parts = parts::<3>(&engine);
        let last = engine.start(PartMessage::actor(|| Part { count: 0, ends: None }).restart(Restart::never()));
        let last = last.expect("its factory cannot fail");
        let (tell, told) = mpsc::channel();
        let rules = one_for_all().on_end(move |end| tell.send(end.to_string()).unwrap_or_default());
        let group = group(&engine, rules, &parts);
        group.add(&last).expect("it is bound");

        parts[0].stop().expect("it lives");
        engine.settle();
        assert_eq!(last.next(), Ok(1));
        assert_eq!(anew_after(&engine, &parts[1..], 0), [true, true], "the group goes on");
        assert_eq!(last.next(), Ok(1), "it was reset");

        assert!(last.r#break().is_err());
        let text = receive(&told);
        assert!(text.contains("`PartMessage`") && text.ends_with("the part breaks"), "{text}");
        engine.settle();
        assert!(parts[1..].iter().all(|part| matches!(part.next(), Err(CallError::Stopped { .. }))));
    });
}

#[test]
fn a_group_stops_the_engine_if_it_says_so() {
    bounded(|| {
        let engine = engine();
        let parts = parts::<2>(&engine);
        let _group = group(&engine, one_for_all().at_most(0, HOUR).or_stop_engine(), &parts);
        parts[0].fall().expect("it lives");
        engine.wait();
        assert_eq!(engine.shutdown().expect("it ends").panicked(), 1);
    });
}

#[test]
fn a_panic_in_on_stop_is_no_reason_to_reset_others() {
    bounded(|| {
        let engine = engine();
        let (end, ends) = mpsc::channel();
        let fragile = PartMessage::actor(move || Part { count: 1_000, ends: Some(end.clone()) }).restart(restart());
        let fragile = engine.start(fragile).expect("its factory cannot fail");
        let parts = parts::<1>(&engine);
        let group = group(&engine, one_for_all().at_most(1, HOUR), &parts);
        group.add(&fragile).expect("it is bound");
        assert_eq!(parts[0].next(), Ok(1));
        parts[0].r#break().expect_err("it panics");
        receive(&ends); // the reset of the fragile one, whose `on_stop` panics
        engine.settle();
        assert_eq!((parts[0].next(), parts[0].next()), (Ok(1), Ok(2)));
        engine.settle();
        assert_eq!(parts[0].next(), Ok(3), "it was not reset in turn, and the limit of one holds");
        assert_eq!(fragile.next(), Ok(1_001));
    });
}

#[test]
fn what_is_bound_to_no_single_instance_is_no_member() {
    bounded(|| {
        let engine = engine();
        let pool = engine.pool(2, PartMessage::actor(|| Part { count: 0, ends: None })).expect("threads start");
        let group = one_for_all().start(&engine.handle()).expect("a thread starts");
        assert_eq!(group.add(&pool), Err(AddError::Unbound { message: "PartMessage" }));
        let one: Client<PartMessage> = (*pool.pin(pool.instances()[0])).clone();
        assert_eq!(group.add(&one), Ok(()));
    });
}

/// Members panic at any time: once it is quiet no state is older than the last panic.
#[test]
fn a_storm_of_panics_leaves_no_old_state() {
    bounded(|| {
        let engine = engine();
        let parts = parts::<4>(&engine);
        let _group = group(&engine, one_for_all(), &parts);
        for round in 0..20 {
            thread::scope(|scope| {
                for seed in 0..3 {
                    let parts = &parts;
                    scope.spawn(move || {
                        let mut random = SplitMix64::new(round * 3 + seed);
                        for _ in 0..20 {
                            let part = &parts[random.below(parts.len())];
                            if random.below(5) == 0 { drop(part.r#break()) } else { drop(part.next()) }
                        }
                    });
                }
            });
            parts[random_index(round)].r#break().expect_err("it panics");
            engine.settle();
            assert!(parts.iter().all(|part| part.next() == Ok(1)), "round {round}");
        }
    });
}

fn random_index(round: u64) -> usize {
    SplitMix64::new(round).below(4)
}
