//! A full pool on the other side holds back the senders here, as a full pool here does; handlers are never held back.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::{Books, Loopback};
use zctor::{ActorEngine, ActorThread, CallError, Context, DeadLetter, Inner, Overflow, Pending, Undelivered, actor};
use zctor_tests::{AMPLE, Counter, Gate, LIMIT, bounded, receive, receive_many};

#[actor(remote)]
#[derive(Debug, Serialize, Deserialize)]
enum JobMessage {
    Run(u64),
    #[reply(u64)]
    Ask(u64),
}
struct Job {
    gate: Gate,
    done: mpsc::Sender<u64>,
}
impl JobHandler for Job {
    fn run(&mut self, value: u64) {
        self.gate.pass();
        self.done.send(value).unwrap_or_default();
    }
    fn ask(&mut self, value: u64) -> u64 {
        self.gate.pass();
        value + 1
    }
}

/// How many find room on the other side: one is handled, the others are in its mailbox.
const THERE: u64 = 3;
/// How many may be under way.
const UNDER_WAY: u64 = 4;

struct Joined {
    serving: ActorEngine,
    calling: ActorEngine,
    ends: (Loopback, Loopback),
    job: JobClient,
    gate: Gate,
    done: mpsc::Receiver<u64>,
}

/// A pool of one with room for `THERE`, whose handler waits at a gate, and a link to it.
fn joined(there: Overflow, here: Overflow) -> Joined {
    joined_to(ActorThread::new().mailbox_bound(THERE as usize - 1).overflow(there), here)
}

/// A pool of one on such a thread, whose handler waits at a gate, and a link to it.
fn joined_to(thread: ActorThread, here: Overflow) -> Joined {
    let (serving, calling, ends) = (ActorEngine::new(), ActorEngine::new(), Loopback::pair());
    let (tell, done) = mpsc::channel();
    let gate = Gate::new();
    let inside = gate.clone();
    let state = move || Job { gate: inside.clone(), done: tell.clone() };
    serving.spawn(thread.register(JobMessage::actor(state))).expect("a pool");
    ends.0.serve::<JobMessage>(&serving).expect("it has the pool");
    let job = ends.1.attach_bounded::<JobMessage>(&calling, UNDER_WAY as usize, here).expect("a link");
    Joined { serving, calling, ends, job, gate, done }
}

impl Joined {
    /// Fills the mailbox on the other side.
    fn fill(&self) -> Books {
        self.job.run(0).expect("there is room");
        self.gate.await_arrivals(1);
        for number in 1..THERE {
            self.job.run(number).expect("there is room");
        }
        self.flush()
    }

    /// An acknowledged message is counted first, and gives its room back then: so there is room when this returns.
    fn flush(&self) -> Books {
        self.calling.settle();
        let books = self.ends.1.flush(LIMIT);
        while self.calling.stats().threads.iter().any(|thread| thread.room.is_some_and(|room| room.taken > 0)) {
            thread::yield_now();
        }
        books
    }
}

/// Whether a sender waits for room in a mailbox of this engine.
fn has_waiting(engine: &ActorEngine) -> bool {
    engine.stats().threads.iter().any(|thread| thread.room.is_some_and(|room| room.waiting > 0))
}

#[test]
fn a_full_pool_there_holds_its_senders_back_here() {
    bounded(|| {
        const ALL: u64 = 40;
        let at = joined(Overflow::Wait, Overflow::Wait);
        let (sent, job) = (Counter::new(), at.job.clone());
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..ALL {
                    job.run(number).expect("it waits for room");
                    sent.increment();
                }
            });
            at.gate.await_arrivals(1);
            // Before that it may wait a moment, until a message has got through.
            while sent.get() < THERE + UNDER_WAY || !has_waiting(&at.calling) && sent.get() < ALL {
                thread::yield_now();
            }
            at.calling.settle();
            assert_eq!(sent.get(), THERE + UNDER_WAY, "it waits with the next");
            let books = at.ends.1.books();
            assert_eq!((books.accepted, books.acked, books.unsettled()), (THERE + UNDER_WAY, THERE, UNDER_WAY));
            at.gate.open();
        });
        assert_eq!(receive_many(&at.done, ALL as usize), (0..ALL).collect::<Vec<_>>());
        assert_eq!(at.flush().acked, ALL);
    });
}

#[test]
fn a_link_that_refuses_gives_the_message_back() {
    bounded(|| {
        let at = joined(Overflow::Wait, Overflow::Refuse);
        at.fill();
        for number in 0..UNDER_WAY {
            at.job.run(number).expect("it is under way");
        }
        let refused = at.job.run(77).expect_err("there is no room");
        assert!(refused.is_full() && matches!(refused.into_inner(), JobMessage::Run(77)));
        assert_eq!(at.job.ask(1), Err(CallError::Full { message: "JobMessage" }));
        at.gate.open();
        let books = at.flush();
        assert_eq!((books.accepted, books.acked), (THERE + UNDER_WAY, THERE + UNDER_WAY));
        assert_eq!(at.job.ask(1), Ok(2), "there is room again");
    });
}

#[test]
fn a_view_that_does_not_wait_is_refused() {
    bounded(|| {
        let at = joined(Overflow::Wait, Overflow::Wait);
        at.fill();
        for number in 0..UNDER_WAY {
            at.job.run(number).expect("it is under way");
        }
        assert!(at.job.non_blocking().run(1).expect_err("there is no room").is_full());
        assert_eq!(at.job.non_blocking().ask(1).wait(), Err(CallError::Full { message: "JobMessage" }));
        at.gate.open();
    });
}

#[test]
fn a_pool_there_that_refuses_is_told_of_here() {
    bounded(|| {
        let at = joined(Overflow::Refuse, Overflow::Wait);
        let (tell, letters) = mpsc::channel();
        at.calling.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        assert_eq!(at.fill().acked, THERE);
        at.job.run(9).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.message, letter.variant, letter.why), ("JobMessage", "Run", Undelivered::Full));
        assert_eq!(at.job.ask(1), Err(CallError::Full { message: "JobMessage" }));
        let books = at.flush();
        assert_eq!((books.accepted, books.acked, books.full), (THERE + 1, THERE, 1));
        assert_eq!(at.calling.stats().types[0].dead_letters.full, 1);
        at.gate.open();
    });
}

#[test]
fn a_pool_there_that_drops_the_newest_counts_it_there() {
    bounded(|| {
        let at = joined(Overflow::DropNewest, Overflow::Wait);
        at.serving.on_dead_letter(|_| {});
        at.fill();
        at.job.run(9).expect("the link takes it");
        let books = at.flush();
        assert_eq!((books.accepted, books.acked), (THERE + 1, THERE + 1), "as a local sender gets `Ok`");
        assert_eq!(at.serving.stats().types[0].dead_letters.full, 1);
        assert_eq!(at.job.ask(1), Err(CallError::Full { message: "JobMessage" }));
        at.gate.open();
    });
}

#[test]
fn a_call_that_finds_no_room_there_ends_at_its_deadline() {
    bounded(|| {
        let at = joined(Overflow::Wait, Overflow::Wait);
        at.fill();
        let late = at.job.within(Duration::from_millis(20)).ask(1);
        assert!(matches!(late, Err(CallError::Timeout { .. } | CallError::Full { .. })), "{late:?}");
        at.gate.open();
        assert_eq!(at.job.ask(1), Ok(2));
    });
}

#[actor(ctx)]
enum FloodMessage {
    #[reply(())]
    Flood(u64),
    #[reply(Pending<u64>)]
    Ask(u64),
}
struct Flood(JobClient);
impl FloodHandler for Flood {
    fn flood(&mut self, ctx: &mut Context<FloodMessage>, value: u64) {
        for number in 0..value / 2 {
            self.0.run(number).expect("no bound refuses a handler");
        }
        for number in value / 2..value {
            ctx.send(JobMessage::Run(number)).expect("no bound refuses a handler");
        }
    }
    fn ask(&mut self, _: &mut Context<FloodMessage>, value: u64) -> Pending<u64> {
        self.0.non_blocking().ask(value)
    }
}

#[test]
fn no_bound_on_either_side_holds_a_handler_back() {
    bounded(|| {
        const MANY: u64 = 100;
        let at = joined(Overflow::Wait, Overflow::Refuse);
        at.fill();
        let job = at.job.clone();
        let flood = at.calling.pool(1, FloodMessage::actor(move || Flood(job.clone()))).expect("a pool");
        flood.flood(MANY).expect("it waits for nothing");
        let books = at.flush();
        assert_eq!(books.acked, THERE + MANY, "they are in the full mailbox, whose handler waits");
        at.gate.open();
        let done = receive_many(&at.done, (THERE + MANY) as usize);
        assert_eq!(done[THERE as usize..], (0..MANY).collect::<Vec<_>>());
    });
}

#[test]
fn an_inner_bound_there_holds_for_what_handlers_send() {
    bounded(|| {
        const ROOM: u64 = 2;
        const TOO_MANY: u64 = 3;
        let at = joined_to(ActorThread::new().inner_bound(ROOM as usize, Inner::Refuse), Overflow::Wait);
        let (tell, letters) = mpsc::channel();
        at.calling.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        at.fill(); // from outside, so it counts for no inner bound
        let job = at.job.clone();
        let flood = at.calling.pool(1, FloodMessage::actor(move || Flood(job.clone()))).expect("a pool");
        flood.flood(ROOM + TOO_MANY).expect("the link takes them");
        let books = at.flush();
        assert_eq!((books.acked, books.full), (THERE + ROOM, TOO_MANY));
        for letter in receive_many(&letters, TOO_MANY as usize) {
            assert_eq!((letter.message, letter.variant, letter.why), ("JobMessage", "Run", Undelivered::Full));
        }
        assert_eq!(flood.ask(1).expect("it is asked").wait(), Err(CallError::Full { message: "JobMessage" }));
        at.gate.open();
        let done = receive_many(&at.done, (THERE + ROOM) as usize);
        assert_eq!(done[THERE as usize..], (0..ROOM).collect::<Vec<_>>(), "the first have the room");
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum OtherMessage {
    #[reply(u64)]
    Double(u64),
}
struct Other;
impl OtherHandler for Other {
    fn double(&mut self, value: u64) -> u64 {
        2 * value
    }
}

#[test]
fn a_full_pool_delays_no_other_pool_and_no_reply() {
    bounded(|| {
        let at = joined(Overflow::Wait, Overflow::Wait);
        at.serving.pool(1, OtherMessage::actor(|| Other)).expect("a pool");
        at.ends.0.serve::<OtherMessage>(&at.serving).expect("it has the pool");
        let other = at.ends.1.attach::<OtherMessage>(&at.calling).expect("a link");
        at.fill();
        for number in 0..UNDER_WAY {
            at.job.run(number).expect("it is under way");
        }
        for value in 0..100 {
            assert_eq!(other.double(value), Ok(2 * value));
        }
        assert_eq!(at.ends.1.books().acked, THERE, "the full one is as full as before");
        at.gate.open();
    });
}

/// Nothing that can be encoded.
#[derive(Debug)]
struct Stone;
impl Serialize for Stone {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("a stone"))
    }
}
impl<'de> Deserialize<'de> for Stone {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum StoneMessage {
    Throw(Stone),
    #[reply(())]
    Lift(Stone),
}

#[test]
fn the_room_of_a_message_comes_back_whatever_becomes_of_it() {
    bounded(|| {
        let (ends, here) = (Loopback::pair(), ActorEngine::new());
        here.on_dead_letter(|_| {});
        // There is room for one.
        let stone = ends.1.attach_bounded::<StoneMessage>(&here, 1, Overflow::Wait).expect("a link");
        let job = ends.1.attach_bounded::<JobMessage>(&here, 1, Overflow::Wait).expect("a link");
        for number in 0..100 {
            stone.within(AMPLE * 100).throw(Stone).expect("there is room again");
            assert_eq!(stone.lift(Stone), Err(CallError::Unfit { message: "StoneMessage", text: "a stone".into() }));
            job.run(number).expect("there is room again");
            assert_eq!(job.ask(number), Err(CallError::NotRegistered { message: "JobMessage" }));
            drop(job.non_blocking().ask(number));
        }
        here.settle();
        let books = ends.1.flush(LIMIT);
        assert!(books.unsettled() == 0, "{books}");
        assert_eq!((books.accepted, books.unfit, books.unreachable), (200, 100, 100));
    });
}
