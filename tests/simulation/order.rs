//! Each message is handled once, in its sender's order, whoever else sends.

use std::sync::{Arc, Mutex, PoisonError};

use zctor::simulation::{Search, Simulation, simulate};
use zctor::{ActorEngine, ActorThread, CallError, Context, InstanceId, actor};

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

#[actor(ctx)]
enum ShelfMessage {
    Put {
        #[key]
        key: u32,
        number: u32,
    },
    Leave,
}

/// The messages that were put onto all shelves, in the order in which that was done.
type Book = Arc<Mutex<Vec<(InstanceId, u32)>>>;

struct Shelf(Book);

impl ShelfHandler for Shelf {
    fn put(&mut self, ctx: &mut Context<ShelfMessage>, _key: u32, number: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((ctx.instance_id(), number));
    }

    fn leave(&mut self, ctx: &mut Context<ShelfMessage>) {
        ctx.stop();
    }
}

/// One of two shelves leaves, and its thread ends, while messages by key are gathered for both.
fn batch_by_key(simulation: &Simulation, view: fn(&ShelfClient) -> ShelfClient) -> Outcome {
    let (engine, book) = (ActorEngine::new(), Book::default());
    for _ in 0..2 {
        let book = Arc::clone(&book);
        let shelf = ShelfMessage::actor(move || Shelf(Arc::clone(&book)));
        engine.spawn(ActorThread::new().mailbox_bound(20).register(shelf))?;
    }
    let shelves = engine.client::<ShelfMessage>()?;
    let places = shelves.instances();
    let leaves = shelves.pin(places[1]);
    let sender = {
        let shelves = view(&shelves);
        simulation.spawn("sender", move || {
            let all = (0..8).map(|number| ShelfMessage::Put { key: number % 4, number });
            let sent = shelves.send_all(all);
            assert!(sent.as_ref().err().is_none_or(|error| error.is_full()), "a later attempt may work: {sent:?}");
            sent.map_or_else(|error| error.into_inner().len(), |_| 0)
        })
    };
    leaves.leave()?;
    let back = sender.join();
    let report = engine.shutdown()?;
    let book = book.lock().unwrap_or_else(PoisonError::into_inner);
    for of in places {
        let put: Vec<u32> = book.iter().filter(|(on, _)| *on == of).map(|(_, number)| *number).collect();
        assert!(put.is_sorted(), "one sender's messages to one instance: {put:?}");
    }
    assert_eq!(book.len() + report.dead_letters as usize + back, 8, "each is handled, told of, or back");
    Ok(())
}

// Found by the random topologies, with seed 19922.
#[test]
fn a_batch_by_key_keeps_its_order_while_a_thread_ends() {
    simulate(|simulation| batch_by_key(simulation, ShelfClient::clone)).seeds(0..2_000).run();
}

#[test]
fn so_it_does_by_a_client_that_chooses_the_least_loaded() {
    simulate(|simulation| batch_by_key(simulation, |shelves| shelves.least_loaded())).seeds(0..2_000).run();
}
