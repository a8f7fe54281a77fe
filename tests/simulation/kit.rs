//! The tools of the kit keep their promises in simulations: whatever runs first, and in virtual time.

use std::time::Duration;

use zctor::simulation::{Simulation, simulate};
use zctor::{ActorEngine, BoxError, Restart, actor};
use zctor_kit::breaker::Breaker;
use zctor_kit::group::one_for_all;
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
    engine.on_panic(|_| {});
    let restart = Restart::always().backoff(Duration::ZERO, Duration::ZERO);
    let part = || engine.start(PartMessage::actor(Part::default).restart(restart));
    let parts = [part()?, part()?, part()?];
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
