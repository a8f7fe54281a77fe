//! Each message is handled once, in its sender's order, whoever else sends.

use zctor::simulation::{Search, Simulation, simulate};
use zctor::{ActorEngine, CallError, Context, actor};

use crate::Outcome;

#[actor]
pub(crate) enum SinkMessage {
    Note(u32, u32),
    #[reply(u32)]
    Ask(u32, u32),
    #[reply(Vec<(u32, u32)>)]
    Noted,
}

#[derive(Default)]
pub(crate) struct Sink(Vec<(u32, u32)>);

impl SinkHandler for Sink {
    fn note(&mut self, from: u32, number: u32) {
        self.0.push((from, number));
    }

    fn ask(&mut self, from: u32, number: u32) -> u32 {
        self.0.push((from, number));
        number
    }

    fn noted(&mut self) -> Vec<(u32, u32)> {
        self.0.clone()
    }
}

#[actor(calls(SinkMessage))]
enum FeederMessage {
    Feed(u32),
}

struct Feeder;

impl FeederHandler for Feeder {
    fn feed(&mut self, ctx: &mut Context<FeederMessage>, me: u32) {
        for number in 0..3 {
            ctx.send(SinkMessage::Note(me, number)).expect("the sink lives");
        }
        assert_eq!(ctx.call(SinkMessage::ask(me, 3)).expect("it answers"), 3);
    }
}

/// Two feeders inside and two outside: each message is handled once, in its sender's order.
pub(crate) fn order_and_totals(simulation: &Simulation) -> Outcome {
    let engine = ActorEngine::new();
    let sink: SinkClient = engine.pool(1, SinkMessage::actor(Sink::default))?;
    let feeders: FeederClient = engine.pool(2, FeederMessage::actor(|| Feeder))?;
    let outside = [2, 3].map(|me| {
        let sink = sink.clone();
        simulation.spawn("outside", move || -> Result<(), CallError> {
            for number in 0..3 {
                sink.note(me, number).expect("the sink lives");
            }
            sink.ask(me, 3).map(drop)
        })
    });
    feeders.feed(0)?;
    feeders.feed(1)?;
    for thread in outside {
        thread.join()?;
    }
    engine.settle();
    let noted = sink.noted()?;
    let report = engine.shutdown()?;
    assert_eq!(report.dead_letters, 0);
    assert_eq!(noted.len(), 16);
    for me in 0..4 {
        let of_one: Vec<u32> = noted.iter().filter(|(from, _)| *from == me).map(|(_, number)| *number).collect();
        assert_eq!(of_one, [0, 1, 2, 3], "of {me}: {noted:?}");
    }
    Ok(())
}

pub(crate) fn search() -> Search {
    simulate(order_and_totals)
}

#[test]
fn each_message_is_handled_once_and_in_its_senders_order() {
    search().seeds(0..2_000).run();
}
