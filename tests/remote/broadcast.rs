//! A broadcast reaches every instance on the other side, and is counted there for whoever waits for that; a call of all is
//! refused, since a link has one reply.

use std::collections::BTreeMap;
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, actor};
use zctor_tests::{Gate, LIMIT, bounded, receive_many};

const POOL: usize = 5;

#[actor(remote, ctx)]
#[derive(Clone, Serialize, Deserialize)]
enum NewsMessage {
    Read(u64),
    #[reply(u64)]
    Count,
}
struct News(mpsc::Sender<(usize, u64)>);
impl NewsHandler for News {
    fn read(&mut self, ctx: &mut Context<NewsMessage>, value: u64) {
        self.0.send((ctx.thread_id().index(), value)).unwrap_or_default();
    }
    fn count(&mut self, _: &mut Context<NewsMessage>) -> u64 {
        1
    }
}

struct Joined {
    // It stops when it is dropped.
    _there: ActorEngine,
    here: ActorEngine,
    calling: Loopback,
    news: NewsClient,
    read: mpsc::Receiver<(usize, u64)>,
}

fn joined() -> Joined {
    let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
    let (tell, read) = mpsc::channel();
    there.pool(POOL, NewsMessage::actor(move || News(tell.clone()))).expect("a pool");
    ends.0.serve::<NewsMessage>(&there).expect("it has the pool");
    let news = ends.1.attach::<NewsMessage>(&here).expect("a link");
    Joined { _there: there, here, calling: ends.1, news, read }
}

#[test]
fn a_broadcast_reaches_every_instance_there_once() {
    bounded(|| {
        let at = joined();
        assert_eq!(at.news.broadcast(NewsMessage::Read(7)).expect("it is sent"), 1, "one link");
        let mut read = receive_many(&at.read, POOL);
        read.sort_unstable();
        assert_eq!(read, (0..POOL).map(|instance| (instance, 7)).collect::<Vec<_>>());
        assert_eq!(at.news.broadcast_with(|_| NewsMessage::Read(8)).expect("it is sent"), 1);
        assert!(receive_many(&at.read, POOL).iter().all(|(_, value)| *value == 8));
        let books = at.calling.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (2, 2), "a broadcast is one message on its way");
        assert!(at.read.try_recv().is_err(), "and nothing comes twice");
    });
}

#[test]
fn broadcasts_and_sends_of_one_sender_keep_their_order() {
    bounded(|| {
        const ROUNDS: u64 = 200;
        let at = joined();
        for round in 0..ROUNDS {
            at.news.read(2 * round).expect("it is sent");
            at.news.broadcast(NewsMessage::Read(2 * round + 1)).expect("it is sent");
        }
        let mut by_instance: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (instance, value) in receive_many(&at.read, (POOL + 1) * ROUNDS as usize) {
            by_instance.entry(instance).or_default().push(value);
        }
        assert_eq!(by_instance.len(), POOL);
        for values in by_instance.values() {
            assert!(values.is_sorted(), "{values:?}");
            assert_eq!(values.iter().filter(|value| *value % 2 == 1).count() as u64, ROUNDS);
        }
    });
}

#[test]
fn a_call_of_all_says_that_a_link_has_one_reply() {
    bounded(|| {
        let at = joined();
        let replies = at.news.call_all(NewsMessage::count()).expect("there is a link");
        assert_eq!(replies.len(), 1);
        match &replies[0].1 {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("`call_all`"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(at.news.count(), Ok(1), "each by itself can be called");
        let asked = at.news.non_blocking().call_all(NewsMessage::count()).expect("there is a link");
        assert!(matches!(asked[0].1.try_take(), Some(Err(CallError::Unfit { .. }))));
        let stats = at.here.stats();
        let row = stats.types.iter().find(|row| row.message == "NewsMessage").expect("it has a link");
        assert_eq!((row.refused.unfit, row.refused.total(), stats.refused), (2, 2, 2), "each is counted");
    });
}

/// Issue #17.
#[test]
fn a_call_of_all_that_finds_no_room_is_counted() {
    bounded(|| {
        let (engine, gate) = (ActorEngine::new(), Gate::new());
        let inside = gate.clone();
        let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
        engine.spawn(thread.register(ShelfMessage::actor_once(move || Shelf(inside)))).expect("a thread");
        engine.send(ShelfMessage::Fill).expect("there is room");
        gate.await_arrivals(1);
        engine.send(ShelfMessage::Fill).expect("there is room for one behind it");
        let replies = engine.call_all_with(|_| ShelfMessage::ask()).expect("it lives");
        assert_eq!(replies[0].1, Err(CallError::Full { message: "ShelfMessage" }));
        let stats = engine.stats();
        assert_eq!((stats.types[0].refused.full, stats.refused), (1, 1));
        gate.open();
    });
}

#[test]
fn a_broadcast_that_nobody_serves_is_a_dead_letter() {
    bounded(|| {
        let (ends, here) = (Loopback::pair(), ActorEngine::new());
        here.on_dead_letter(|_| {});
        let news = ends.1.attach::<NewsMessage>(&here).expect("a link");
        news.broadcast(NewsMessage::Read(1)).expect("the link takes it");
        here.settle();
        let books = ends.1.flush(LIMIT);
        assert_eq!((books.accepted, books.unreachable), (1, 1));
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum ShelfMessage {
    Fill,
    Stick(Slow),
    #[reply(())]
    Ask,
    #[msg(internal)]
    Tick,
}
struct Shelf(Gate);
impl ShelfHandler for Shelf {
    fn fill(&mut self) {
        self.0.pass();
    }
    fn stick(&mut self, _value: Slow) {}
    fn ask(&mut self) {}
    fn tick(&mut self) {}
}

#[test]
fn a_broadcast_that_is_waited_for_gives_the_number_of_instances_there() {
    bounded(|| {
        let at = joined();
        for round in 0..20 {
            let reached = at.calling.broadcast(NewsMessage::Read(round), LIMIT).expect("it can be written");
            assert_eq!((reached.processes, reached.instances, reached.refused.len()), (1, POOL, 0));
            let mut read = receive_many(&at.read, POOL);
            read.sort_unstable();
            assert_eq!(read, (0..POOL).map(|instance| (instance, round)).collect::<Vec<_>>());
        }
        assert_eq!(at.calling.books().accepted, 0, "no link has taken it");
    });
}

#[test]
fn a_broadcast_says_who_has_no_room_and_what_cannot_be_written() {
    bounded(|| {
        let (ends, there) = (Loopback::pair(), ActorEngine::new());
        let nobody = ends.1.broadcast(ShelfMessage::Fill, LIMIT).expect("it can be written");
        assert_eq!(nobody, zctor::remote::Reached::default());
        there.on_dead_letter(|_| {});
        let gates = [Gate::new(), Gate::new()];
        for gate in gates.clone() {
            let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
            there.spawn(thread.register(ShelfMessage::actor_once(move || Shelf(gate)))).expect("a thread");
        }
        ends.0.serve::<ShelfMessage>(&there).expect("it has the pool");
        let broadcast = || ends.1.broadcast(ShelfMessage::Fill, LIMIT).expect("it can be written");
        assert_eq!(broadcast().instances, 2);
        gates.iter().for_each(|gate| gate.await_arrivals(1));
        assert_eq!(broadcast().instances, 2, "each has room for one behind that which is handled");
        let full = broadcast();
        assert_eq!((full.processes, full.instances), (0, 0));
        assert_eq!(full.refused, [CallError::Full { message: "ShelfMessage" }]);
        gates[0].open();
        while ends.1.broadcast(ShelfMessage::Fill, LIMIT).expect("it can be written").instances == 0 {}
        match ends.1.broadcast(ShelfMessage::Tick, LIMIT) {
            Err(CallError::Unfit { .. }) => {}
            other => panic!("{other:?}"),
        }
        gates[1].open();
    });
}

#[test]
fn a_broadcast_that_comes_late_is_not_counted_and_is_handled() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(2, ShelfMessage::actor(|| Shelf(Gate::new()))).expect("a pool");
        ends.0.serve::<ShelfMessage>(&there).expect("it has the pool");
        // It holds up what comes behind it.
        ends.1.attach::<ShelfMessage>(&here).expect("a link").stick(Slow(1)).expect("the link takes it");
        SLOW.await_arrivals(1);
        let (wait, begun) = (Duration::from_millis(50), zctor::now());
        let reached = ends.1.broadcast(ShelfMessage::Stick(Slow(0)), wait).expect("it can be written");
        assert!(zctor::now() - begun >= wait);
        assert_eq!(reached.answers(), 0, "{reached}");
        SLOW.open();
        assert!(ends.0.leave(LIMIT).is_drained());
        assert_eq!(ends.0.books().taken, 2, "the broadcast among them");
        let again = ends.1.broadcast(ShelfMessage::Fill, LIMIT).expect("it can be written");
        assert_eq!(again.answers(), 0, "nobody serves it any more");
    });
}

/// One that is not 0 takes its time to be read.
#[derive(Serialize, Deserialize)]
#[serde(from = "u8")]
struct Slow(u8);
static SLOW: LazyLock<Gate> = LazyLock::new(Gate::new);
impl From<u8> for Slow {
    fn from(value: u8) -> Self {
        if value > 0 {
            SLOW.pass();
        }
        Self(value)
    }
}
