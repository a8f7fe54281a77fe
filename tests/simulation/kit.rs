//! The tools of the kit keep their promises in simulations: whatever runs first, and in virtual time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zctor::simulation::{Simulation, simulate};
use zctor::{ActorEngine, BoxError, CallError, Restart, actor};
use zctor_kit::breaker::Breaker;
use zctor_kit::group::{one_for_all, rest_for_one};
use zctor_kit::topic::Topic;

#[actor]
enum PartMessage {
    #[reply(u32)]
    Next,
    #[reply(())]
    Break,
    Value(u32),
    #[reply(Vec<u32>)]
    Values,
}

#[derive(Default)]
struct Part {
    count: u32,
    values: Vec<u32>,
}

impl PartHandler for Part {
    fn next(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn r#break(&mut self) {
        panic!("the part breaks");
    }

    fn value(&mut self, value: u32) {
        self.values.push(value);
    }

    fn values(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.values)
    }
}

fn group(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let parts = parts(&engine)?;
    let group = one_for_all().start(&engine.handle())?;
    parts.iter().try_for_each(|part| group.add(part))?;
    let others = [0, 1].map(|_| {
        let (parts, chance) = (parts.clone(), simulation.clone());
        simulation.spawn("outside", move || {
            for _ in 0..3 {
                let part = &parts[chance.below(3) as usize];
                if chance.below(3) == 0 { drop(part.r#break()) } else { drop(part.next()) }
            }
        })
    });
    for other in others {
        other.join();
    }
    parts[simulation.below(3) as usize].r#break().expect_err("it panics");
    engine.settle();
    for part in &parts {
        assert_eq!(part.next()?, 1, "no state is older than the last panic");
    }
    engine.shutdown()?;
    Ok(())
}

#[test]
fn a_group_leaves_no_old_state_in_any_order() {
    simulate(group).allow_panics().seeds(0..100).run();
}

/// Parts that build on one another, whose states begin anew without a pause.
fn parts(engine: &ActorEngine) -> Result<[PartClient; 3], BoxError> {
    engine.on_panic(|_| {});
    let restart = Restart::always().backoff(Duration::ZERO, Duration::ZERO);
    let part = || engine.start(PartMessage::actor(Part::default).restart(restart));
    Ok([part()?, part()?, part()?])
}

fn rest_of_a_group(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let parts = parts(&engine)?;
    let group = rest_for_one().start(&engine.handle())?;
    parts.iter().try_for_each(|part| group.add(part))?;
    // None of them breaks the first, which so is never reset.
    let others = [0, 1].map(|_| {
        let (parts, chance) = (parts.clone(), simulation.clone());
        simulation.spawn("outside", move || {
            let mut of_first = 0;
            for _ in 0..3 {
                match chance.below(4) {
                    0 => of_first += u32::from(parts[0].next().is_ok()),
                    1 => drop(parts[1].next()),
                    which => drop(parts[which as usize - 1].r#break()),
                }
            }
            of_first
        })
    });
    let of_first: u32 = others.map(|other| other.join()).iter().sum();
    let broken = 1 + simulation.below(2) as usize;
    parts[broken].r#break().expect_err("it panics");
    engine.settle();
    for part in &parts[broken..] {
        assert_eq!(part.next()?, 1, "no state is older than the last panic before it");
    }
    assert_eq!(parts[0].next()?, of_first + 1, "it goes on");
    engine.shutdown()?;
    Ok(())
}

#[test]
fn a_panic_resets_what_was_added_behind_and_nothing_before_in_any_order() {
    simulate(rest_of_a_group).allow_panics().seeds(0..500).run();
}

fn group_beyond_its_limit(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let parts = parts(&engine)?;
    let ends = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&ends);
    let group = one_for_all().at_most(1, Duration::from_secs(3_600)).on_end(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let group = group.start(&engine.handle())?;
    parts.iter().try_for_each(|part| group.add(part))?;
    let others = [0, 1].map(|_| {
        let (parts, chance) = (parts.clone(), simulation.clone());
        simulation.spawn("outside", move || {
            let broken = (0..2).filter(|_| {
                let outcome = parts[chance.below(3) as usize].r#break();
                matches!(outcome, Err(CallError::Panicked { .. }))
            });
            broken.count()
        })
    });
    let broken: usize = others.map(|other| other.join()).iter().sum();
    engine.settle();
    assert!(broken >= 2, "the group ends by a panic, and none is refused before it: {broken}");
    assert_eq!(ends.load(Ordering::Relaxed), 1, "its end is told once");
    for part in &parts {
        assert_eq!(part.next(), Err(CallError::Stopped { message: "PartMessage" }));
    }
    engine.shutdown()?;
    Ok(())
}

#[test]
fn a_group_beyond_its_limit_ends_once_with_all_its_members() {
    simulate(group_beyond_its_limit).allow_panics().seeds(0..500).run();
}

fn topic(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let (stays, leaves) =
        (engine.start(PartMessage::actor(Part::default))?, engine.start(PartMessage::actor(Part::default))?);
    let topic = Topic::new();
    topic.subscribe(&stays, PartMessage::Value).detach();
    let subscription = topic.subscribe(&leaves, PartMessage::Value);
    let publishers = [0, 10].map(|first| {
        let topic = topic.clone();
        simulation.spawn("publisher", move || {
            for value in first..first + 3 {
                topic.publish(value);
            }
        })
    });
    for _ in 0..simulation.below(4) {
        leaves.next()?; // lets the others run
    }
    drop(subscription);
    let seen = leaves.values()?;
    for publisher in publishers {
        publisher.join();
    }
    let in_order = |values: &[u32], first| {
        let own: Vec<u32> = values.iter().copied().filter(|value| value / 10 == first / 10).collect();
        own == (first..first + own.len() as u32).collect::<Vec<_>>()
    };
    assert!([0, 10].iter().all(|first| in_order(&seen, *first)), "{seen:?}");
    assert_eq!(leaves.values()?, Vec::<u32>::new(), "nothing is sent after the drop");
    let all = stays.values()?;
    assert!(all.len() == 6 && [0, 10].iter().all(|first| in_order(&all, *first)), "{all:?}");
    engine.shutdown()?;
    Ok(())
}

#[test]
fn a_subscription_ends_with_its_drop_in_any_order() {
    simulate(topic).seeds(0..300).run();
}

#[test]
fn the_pause_of_a_breaker_is_virtual() {
    let hour = Duration::from_secs(3_600);
    let search = simulate(move |_| {
        let breaker = Breaker::new(1, hour);
        assert!(breaker.call(|| Err::<(), _>("no")).is_err());
        zctor::sleep(hour / 2);
        assert!(breaker.is_open());
        zctor::sleep(hour / 2);
        breaker.call(|| Ok::<_, std::fmt::Error>(()))?;
        assert!(!breaker.is_open());
        Ok(())
    });
    search.slowest(Duration::ZERO).seeds(0..20).run();
}

/// What a breaker is to do, told as it is used.
enum Model {
    Closed,
    Open(Instant),
    Trying,
}

const PAUSE: Duration = Duration::from_secs(10);

/// Clients of a service that fails at times share a breaker, which opens with the first failure. What it says is checked
/// against the model in the same step.
fn breaker(simulation: &Simulation) -> Result<(), BoxError> {
    let engine = ActorEngine::new();
    let service: PartClient = engine.pool(2, PartMessage::actor(Part::default))?;
    let breaker = Breaker::new(1, PAUSE);
    // Its rounds too: an attempt from before the last change counts for nothing.
    let model = Arc::new(Mutex::new((Model::Closed, 0_u32)));
    let clients = [0, 1, 2].map(|_| {
        let (breaker, model, chance, service) =
            (breaker.clone(), Arc::clone(&model), simulation.clone(), service.clone());
        simulation.spawn("client", move || {
            for _ in 0..4 {
                let lock = || model.lock().unwrap_or_else(PoisonError::into_inner);
                let (begun, now) = (breaker.begin(), zctor::now());
                let round = {
                    let (phase, round) = &mut *lock();
                    let may = match phase {
                        Model::Closed => true,
                        Model::Open(until) => *until <= now,
                        Model::Trying => false,
                    };
                    assert_eq!(begun.is_ok(), may, "{begun:?}");
                    if let (true, Model::Open(_)) = (may, &*phase) {
                        (*phase, *round) = (Model::Trying, *round + 1);
                        chance.mark("one tries whether it may close");
                    }
                    *round
                };
                let attempt = match begun {
                    Ok(attempt) => attempt,
                    Err(open) => {
                        zctor::sleep(open.retry_after.max(Duration::from_millis(1)));
                        continue;
                    }
                };
                service.next().expect("it answers");
                zctor::sleep(Duration::from_secs(chance.below(12)));
                let how = chance.below(3);
                match how {
                    0 => attempt.end(true),
                    1 => attempt.end(false),
                    _ => drop(attempt),
                }
                let (phase, now_round) = &mut *lock();
                if *now_round == round {
                    let next = match (&*phase, how) {
                        (Model::Closed | Model::Trying, 1) => Some(Model::Open(zctor::now() + PAUSE)),
                        (Model::Trying, 0) => Some(Model::Closed),
                        (Model::Trying, _) => Some(Model::Open(zctor::now())),
                        _ => None,
                    };
                    if let Some(next) = next {
                        (*phase, *now_round) = (next, round + 1);
                    }
                }
            }
        })
    });
    for client in clients {
        client.join();
    }
    engine.shutdown()?;
    Ok(())
}

#[test]
fn a_breaker_lets_nobody_through_in_its_pause_and_one_behind_it() {
    simulate(breaker).must_reach(&["one tries whether it may close"]).seeds(0..500).run();
}
