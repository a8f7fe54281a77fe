//! The books: each accepted message is acknowledged or a dead letter, and each call ends, whatever happens meanwhile.

use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, actor};
use zctor_tests::{Counter, LIMIT, bounded, receive};

const SENDERS: u64 = 4;
const EACH: u64 = 2_000;
const ROUNDS: usize = 10;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum WorkMessage {
    Do {
        sender: u64,
        number: u64,
    },
    #[reply(u64)]
    Ask(u64),
}
struct Work {
    done: mpsc::Sender<(u64, u64)>,
    half: Counter,
}
impl WorkHandler for Work {
    fn r#do(&mut self, sender: u64, number: u64) {
        self.half.increment();
        self.done.send((sender, number)).unwrap_or_default();
    }
    fn ask(&mut self, value: u64) -> u64 {
        value + 1
    }
}

/// One round; the serving engine is shut down once `stop_after` messages were handled.
fn round(stop_after: Option<u64>) {
    let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
    let dead = Counter::new();
    let letters = dead.clone();
    here.on_dead_letter(move |_| {
        letters.increment();
    });
    let (tell, done) = mpsc::channel();
    let half = Counter::new();
    let counted = half.clone();
    there.pool(2, WorkMessage::actor(move || Work { done: tell.clone(), half: counted.clone() })).expect("a pool");
    ends.0.serve::<WorkMessage>(&there).expect("it has the pool");
    let work = ends.1.attach::<WorkMessage>(&here).expect("a link");
    let answered: u64 = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let work = work.clone();
                scope.spawn(move || {
                    let mut answered = 0;
                    for number in 0..EACH {
                        work.r#do(sender, number).expect("the link takes it");
                        if number % 8 == 0 {
                            match work.ask(number) {
                                Ok(reply) => {
                                    assert_eq!(reply, number + 1);
                                    answered += 1;
                                }
                                Err(error) => assert_eq!(error.message(), "WorkMessage"),
                            }
                        }
                    }
                    answered
                })
            })
            .collect();
        if let Some(stop_after) = stop_after {
            while half.get() < stop_after {
                thread::yield_now();
            }
            there.shutdown().expect("nothing is in its way");
        }
        senders.into_iter().map(|sender| sender.join().expect("it ends")).sum()
    });
    here.settle();
    let sent = ends.1.flush(LIMIT);
    there.settle();
    let taken = ends.0.books();
    assert!(sent.is_balanced(), "{sent}");
    assert_eq!((sent.accepted, sent.called), (SENDERS * EACH, SENDERS * EACH.div_ceil(8)));
    assert_eq!(sent.accepted - sent.acked, dead.get(), "each loss is one dead letter: {sent}");
    let handled = there.shutdown().expect("it has ended").handled();
    assert!(handled >= sent.acked + answered, "what was acknowledged was handled: {sent}, {handled}");
    assert!(handled <= taken.taken, "and nothing twice: {taken}, {handled}");
    if stop_after.is_none() {
        assert_eq!((sent.acked, answered), (SENDERS * EACH, sent.called));
    } else {
        assert!(sent.unreachable > 0, "the shutdown came in the middle: {sent}");
    }
    let mut came = vec![vec![false; EACH as usize]; SENDERS as usize];
    for _ in 0..sent.acked {
        let (sender, number) = receive(&done);
        let seen = &mut came[sender as usize][number as usize];
        assert!(!*seen, "{sender}:{number} came twice");
        *seen = true;
    }
    assert!(done.try_recv().is_err(), "nothing beyond what was acknowledged");
}

#[test]
fn the_books_balance_when_all_goes_well() {
    bounded(|| round(None));
}

#[test]
fn the_books_balance_when_the_serving_engine_is_shut_down_in_the_middle() {
    bounded(|| (0..ROUNDS).for_each(|i| round(Some(1 + 300 * i as u64))));
}

/// It panics where it is decoded.
#[derive(Serialize)]
struct Poison;
impl<'de> Deserialize<'de> for Poison {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("poison");
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum FeedMessage {
    Eat(Poison),
    #[reply(u8)]
    Taste(Poison),
    #[reply(u8)]
    Wait,
}
struct Feed;
impl FeedHandler for Feed {
    fn eat(&mut self, _value: Poison) {}
    fn taste(&mut self, _value: Poison) -> u8 {
        0
    }
    fn wait(&mut self) -> u8 {
        1
    }
}

#[test]
fn a_value_that_panics_where_it_is_decoded_is_refused_and_counted() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, FeedMessage::actor(|| Feed)).expect("a pool");
        ends.0.serve::<FeedMessage>(&there).expect("it has the pool");
        let feed = ends.1.attach::<FeedMessage>(&here).expect("a link");
        here.on_dead_letter(|_| {});
        feed.eat(Poison).expect("the link takes it");
        let tasted = feed.taste(Poison);
        assert_eq!(tasted, Err(CallError::Unfit { message: "FeedMessage", text: "`Taste`: poison".into() }));
        assert_eq!(feed.wait(), Ok(1), "the link goes on");
        here.settle();
        let books = ends.1.flush(LIMIT);
        assert!(books.is_balanced(), "{books}");
        assert_eq!((books.accepted, books.unfit, books.called), (1, 1, 2));
    });
}

#[actor(ctx)]
enum InnerMessage {
    Send { sender: u64, many: u64 },
}
struct Inner(WorkClient);
impl InnerHandler for Inner {
    fn send(&mut self, _: &mut Context<InnerMessage>, sender: u64, many: u64) {
        for number in 0..many {
            self.0.r#do(sender, number).expect("no bound holds a handler back");
        }
    }
}

/// Threads and handlers send at once, through small mailboxes on both sides. `there` says what becomes of those that
/// find no room.
fn storm(there_is: Overflow, here_is: Overflow) {
    const OUTSIDE: u64 = 4;
    const INSIDE: u64 = 3;
    let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
    let dead = Counter::new();
    let letters = dead.clone();
    here.on_dead_letter(move |_| {
        letters.increment();
    });
    let (tell, done) = mpsc::channel();
    let work = WorkMessage::actor(move || Work { done: tell.clone(), half: Counter::new() });
    there.pool_on(2, |_| ActorThread::new().mailbox_bound(3).overflow(there_is), work).expect("a pool");
    ends.0.serve::<WorkMessage>(&there).expect("it has the pool");
    let work = ends.1.attach_bounded::<WorkMessage>(&here, 8, here_is).expect("a link");
    let client = work.clone();
    let inner = here.pool(INSIDE as usize, InnerMessage::actor(move || Inner(client.clone()))).expect("a pool");
    for sender in OUTSIDE..OUTSIDE + INSIDE {
        inner.send(sender, EACH).expect("it is sent");
    }
    let refused: u64 = thread::scope(|scope| {
        let send = |sender| {
            let work = work.clone();
            move || (0..EACH).filter(|number| work.r#do(sender, *number).is_err()).count() as u64
        };
        let senders: Vec<_> = (0..OUTSIDE).map(|sender| scope.spawn(send(sender))).collect();
        senders.into_iter().map(|sender| sender.join().expect("it ends")).sum()
    });
    here.settle();
    let sent = ends.1.flush(LIMIT);
    there.settle();
    assert!(sent.is_balanced(), "{sent}");
    assert_eq!(sent.accepted, (OUTSIDE + INSIDE) * EACH - refused);
    assert_eq!(sent.accepted - sent.acked, dead.get(), "each loss is one dead letter: {sent}");
    assert_eq!((sent.acked, sent.unreachable + sent.unfit), (ends.0.books().taken, 0));
    let mut next = vec![0; (OUTSIDE + INSIDE) as usize];
    let mut handled = vec![vec![false; EACH as usize]; next.len()];
    for _ in 0..sent.acked {
        let (sender, number) = receive(&done);
        let seen = &mut handled[sender as usize][number as usize];
        assert!(!*seen, "{sender}:{number} came twice");
        *seen = true;
        next[sender as usize] += 1;
    }
    assert!(done.try_recv().is_err(), "nothing beyond what was acknowledged");
    let inside = &next[OUTSIDE as usize..];
    assert!(inside.iter().all(|count| *count == EACH), "no bound refuses a handler: {inside:?}");
    if (there_is, here_is) == (Overflow::Wait, Overflow::Wait) {
        assert_eq!((refused, sent.acked), (0, sent.accepted), "all waited for room");
    }
}

#[test]
fn the_books_balance_in_a_storm_through_small_mailboxes() {
    bounded(|| {
        for there in [Overflow::Wait, Overflow::Refuse] {
            for here in [Overflow::Wait, Overflow::Refuse] {
                storm(there, here);
            }
        }
    });
}
