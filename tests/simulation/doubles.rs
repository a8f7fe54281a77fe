//! The doubles of `testing` work inside a simulation, and their limits are of its time.

use std::time::Duration;

use zctor::simulation::simulate;
use zctor::testing::{Mock, Port, Probe};
use zctor::{ActorEngine, Context, actor};

#[actor]
#[derive(Debug, PartialEq)]
enum StoreMessage {
    #[reply(u32)]
    Load(u32),
    Save(u32),
}

#[actor(calls(StoreMessage))]
enum CounterMessage {
    #[reply(u32)]
    Raise,
}

struct Counter;

impl CounterHandler for Counter {
    fn raise(&mut self, ctx: &mut Context<CounterMessage>) -> u32 {
        let value = ctx.call(StoreMessage::load(7)).expect("it answers") + 1;
        ctx.send(StoreMessage::Save(value)).expect("it lives");
        value
    }
}

#[test]
fn a_mock_answers_from_its_script() {
    let search = simulate(|_| {
        let engine = ActorEngine::new();
        let mock = Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Load, [1, 2]);
        engine.pool(1, mock.actor())?;
        let counter: CounterClient = engine.pool(1, CounterMessage::actor(|| Counter))?;
        assert_eq!((counter.raise()?, counter.raise()?), (2, 3));
        engine.settle();
        use StoreMessage::{Load, Save};
        assert_eq!(mock.messages(), [Load(7), Save(2), Load(7), Save(3)]);
        engine.shutdown()?;
        Ok(())
    });
    search.seeds(0..500).run();
}

#[test]
fn a_probe_gives_messages_to_the_test_and_its_limit_is_of_the_simulations_time() {
    let search = simulate(|_| {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let engine = ActorEngine::new();
        let probe = Probe::<StoreMessage>::new();
        engine.pool(1, probe.actor())?;
        let counter: CounterClient = engine.pool(1, CounterMessage::actor(|| Counter))?;
        let raised = counter.non_blocking().raise();
        match probe.expect(DAY).into_parts() {
            (StoreMessage::Load(7), Some(Port::<StoreMessage>::Load(reply))) => reply.send(1),
            (other, _) => panic!("{other:?}"),
        }
        assert_eq!(raised.wait()?, 2);
        assert_eq!(probe.expect(DAY).into_parts().0, StoreMessage::Save(2));
        let before = zctor::now();
        zctor::sleep(DAY);
        assert!(zctor::now() - before >= DAY && probe.is_empty());
        engine.shutdown()?;
        Ok(())
    });
    search.seeds(0..500).run();
}
