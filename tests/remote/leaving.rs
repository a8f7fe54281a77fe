//! An end stops serving: what it has taken is done, and what comes later never runs and is told.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, ActorThread, CallError, ReplyTo, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded};

const ROUNDS: u64 = 10;
const SENDERS: u64 = 4;
const EACH: u64 = 2_500;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum WorkMessage {
    Do,
    #[reply(u64)]
    Ask(u64),
    #[reply((), deferred)]
    Later,
}
struct Work {
    done: Counter,
    asked: Counter,
    gate: Gate,
    later: Vec<ReplyTo<()>>,
}
impl WorkHandler for Work {
    fn r#do(&mut self) {
        self.done.increment();
    }
    fn ask(&mut self, value: u64) -> u64 {
        self.asked.increment();
        value + 1
    }
    fn later(&mut self, reply: ReplyTo<()>) {
        self.later.push(reply);
        self.gate.pass();
    }
}

struct Joined {
    serves: Loopback,
    calls: Loopback,
    there: ActorEngine,
    here: ActorEngine,
    work: WorkClient,
    done: Counter,
    asked: Counter,
    gate: Gate,
    dead: Counter,
}

fn joined(thread: ActorThread) -> Joined {
    let ((serves, calls), there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
    let (done, asked, gate, dead) = (Counter::new(), Counter::new(), Gate::new(), Counter::new());
    let (counted, counts, inside) = (done.clone(), asked.clone(), gate.clone());
    let state = move || Work { done: counted.clone(), asked: counts.clone(), gate: inside.clone(), later: Vec::new() };
    there.spawn(thread.register(WorkMessage::actor(state))).expect("a pool");
    serves.serve::<WorkMessage>(&there).expect("it has the pool");
    let letters = dead.clone();
    here.on_dead_letter(move |_| {
        letters.increment();
    });
    let work = calls.attach::<WorkMessage>(&here).expect("a link");
    Joined { serves, calls, there, here, work, done, asked, gate, dead }
}

fn round(number: u64) {
    let Joined { serves, calls, there, here, work, done, asked, dead, .. } =
        joined(ActorThread::new().mailbox_bound(16));
    let (answered, handled) = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let work = work.clone();
                scope.spawn(move || {
                    let mut answered = 0;
                    for number in 0..EACH {
                        work.r#do().expect("the link takes it");
                        match (number % 5 == 0).then(|| work.within(LIMIT).ask(number)) {
                            None | Some(Err(CallError::NotRegistered { .. })) => {}
                            Some(Ok(reply)) => {
                                assert_eq!(reply, number + 1);
                                answered += 1;
                            }
                            Some(Err(error)) => panic!("{error}"),
                        }
                    }
                    answered
                })
            })
            .collect();
        while done.get() < 100 + 500 * number {
            thread::yield_now();
        }
        let left = serves.leave(LIMIT);
        assert!(left.is_drained(), "{left}");
        let report = there.shutdown().expect("nothing is in its way");
        assert_eq!(serves.books().taken, left.taken, "it took nothing after it had left");
        assert_eq!((report.handled(), report.left), (left.taken, 0));
        let answered: u64 = senders.into_iter().map(|sender| sender.join().expect("it ends")).sum();
        (answered, report.handled())
    });
    here.settle();
    let books = calls.flush(LIMIT);
    assert!(books.is_balanced(), "{books}");
    assert_eq!((books.accepted, books.acked), (SENDERS * EACH, done.get()), "{books}");
    assert_eq!((books.unreachable, dead.get()), (books.accepted - books.acked, books.unreachable), "{books}");
    assert_eq!((answered, handled), (asked.get(), done.get() + asked.get()), "each call that ran was answered");
}

#[test]
fn an_end_that_leaves_under_load_finishes_what_it_has_taken_and_the_rest_never_ran() {
    bounded(|| (0..ROUNDS).for_each(round));
}

#[test]
fn leaving_waits_for_room_and_for_the_reply_to_each_call_or_until_its_limit() {
    bounded(|| {
        const MANY: u64 = 10;
        let at = joined(ActorThread::new().mailbox_bound(1));
        let later = at.work.non_blocking().later();
        at.gate.await_arrivals(1);
        for _ in 0..MANY {
            at.work.r#do().expect("it is sent");
        }
        at.here.settle();
        while at.serves.books().waiting != MANY - 1 {
            thread::yield_now();
        }
        let books = at.serves.leave(Duration::from_millis(20));
        assert!(!books.is_drained(), "{books}");
        assert_eq!((books.taken, books.waiting, books.answering), (2, MANY - 1, 1), "one has room: {books}");
        at.gate.open();
        let books = at.serves.leave(Duration::from_millis(20));
        assert_eq!(books.answering, 1, "its reply is deferred: {books}");
        at.there.shutdown().expect("it drops the reply");
        assert_eq!(later.wait(), Err(CallError::NoReply { message: "WorkMessage" }));
        let books = at.serves.leave(LIMIT);
        assert!(books.is_drained(), "{books}");
        let sent = at.calls.flush(LIMIT);
        assert_eq!(at.done.get(), sent.acked, "{sent}");
        assert_eq!(sent.accepted - sent.acked, at.dead.get(), "{sent}");
    });
}

#[test]
fn a_pool_can_be_served_again_after_its_end_has_left() {
    bounded(|| {
        let at = joined(ActorThread::new());
        assert_eq!(at.work.ask(1), Ok(2));
        assert!(at.serves.leave(LIMIT).is_drained());
        assert_eq!(at.work.ask(1), Err(CallError::NotRegistered { message: "WorkMessage" }));
        at.serves.serve::<WorkMessage>(&at.there).expect("it has the pool");
        assert_eq!(at.work.ask(1), Ok(2));
    });
}
