//! zctor's own promises, in every order that a seed draws.

use std::error::Error;
use std::time::Duration;

use zctor::simulation::{Simulation, simulate};
use zctor::{ActorEngine, ActorThread, CallError, Context, actor};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[actor]
enum SinkMessage {
    Note(u32, u32),
    #[reply(u32)]
    Ask(u32, u32),
    #[reply(Vec<(u32, u32)>)]
    Noted,
}

#[derive(Default)]
struct Sink(Vec<(u32, u32)>);

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

#[test]
fn each_message_is_handled_once_and_in_its_senders_order() {
    simulate(order_and_totals).seeds(0..3_000).run();
}

#[actor]
enum LeafMessage {
    #[reply(u32)]
    Get,
}

struct Leaf;

impl LeafHandler for Leaf {
    fn get(&mut self) -> u32 {
        1
    }
}

#[actor(calls(LeafMessage))]
enum MiddleMessage {
    #[reply(u32)]
    Get,
}

struct Middle;

impl MiddleHandler for Middle {
    fn get(&mut self, ctx: &mut Context<MiddleMessage>) -> u32 {
        1 + ctx.call(LeafMessage::get()).expect("it answers")
    }
}

#[actor(calls(MiddleMessage, LeafMessage))]
enum TopMessage {
    #[reply(u32)]
    Get,
}

struct Top;

impl TopHandler for Top {
    fn get(&mut self, ctx: &mut Context<TopMessage>) -> u32 {
        1 + ctx.call(MiddleMessage::get()).expect("it answers") + ctx.call(LeafMessage::get()).expect("it answers")
    }
}

#[test]
fn calls_among_shared_threads_cannot_hang() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        // Each thread hosts all three depths, so every call may need the thread that its caller waits on.
        for _ in 0..2 {
            let thread = ActorThread::new().register(LeafMessage::actor(|| Leaf));
            let thread = thread.register(MiddleMessage::actor(|| Middle)).register(TopMessage::actor(|| Top));
            engine.spawn(thread)?;
        }
        let top: TopClient = engine.client::<TopMessage>()?;
        let callers = [0, 1, 2].map(|_| {
            let top = top.clone();
            simulation.spawn("caller", move || (top.get(), top.get()))
        });
        for caller in callers {
            assert_eq!(caller.join(), (Ok(4), Ok(4)));
        }
        engine.shutdown()?;
        Ok(())
    });
    search.seeds(0..3_000).run();
}

#[test]
fn a_shutdown_at_any_moment_accounts_for_all_and_every_call_ends() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        let sink: SinkClient = engine.pool(2, SinkMessage::actor(Sink::default))?;
        let senders = [0, 1].map(|me| {
            let sink = sink.clone();
            simulation.spawn("sender", move || {
                let notes = (0..3).filter(|number| sink.note(me, *number).is_ok()).count() as u64;
                match sink.ask(me, 3) {
                    Ok(_) => notes + 1,
                    Err(CallError::Stopped { .. }) => notes,
                    Err(other) => panic!("{other}"),
                }
            })
        });
        let report = engine.shutdown()?;
        let accepted: u64 = senders.map(|sender| sender.join()).iter().sum();
        assert_eq!(report.handled() + report.dead_letters, accepted, "{report}");
        Ok(())
    });
    search.slowest(Duration::ZERO).seeds(0..3_000).run();
}

#[test]
fn a_sender_that_waits_for_room_gets_it() {
    let search = simulate(|simulation| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().mailbox_bound(1).register(SinkMessage::actor(Sink::default)))?;
        let sink: SinkClient = engine.client::<SinkMessage>()?;
        let senders = [0, 1, 2].map(|me| {
            let sink = sink.clone();
            simulation.spawn("sender", move || (0..3).all(|number| sink.note(me, number).is_ok()))
        });
        for sender in senders {
            assert!(sender.join());
        }
        engine.settle();
        assert_eq!(sink.noted()?.len(), 9);
        engine.shutdown()?;
        Ok(())
    });
    search.seeds(0..3_000).run();
}
