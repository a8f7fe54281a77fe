//! Sends that are acknowledged together give their room back together, when all of them are in the books.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use serde::{Deserialize, Serialize};
use zctor::remote::transport::{Answer, Carrier, End, Packet, Receipt, TakenTogether};
use zctor::{ActorEngine, Overflow, actor};
use zctor_tests::{bounded, receive, receive_many};

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LogMessage {
    Note(u32),
    #[reply(u32)]
    Count,
}

/// Keeps the receipts of what it carries.
struct Keeps(Mutex<mpsc::Sender<Box<dyn Receipt>>>);
impl Carrier for Keeps {
    fn carry(&self, _: &'static str, _: Packet<'static>, receipt: Box<dyn Receipt>) {
        self.0.lock().expect("no panic").send(receipt).unwrap_or_default();
    }
}

struct Attached {
    engine: ActorEngine,
    end: End,
    log: LogClient,
    receipts: mpsc::Receiver<Box<dyn Receipt>>,
}

impl Attached {
    fn start(bound: usize) -> Self {
        let (engine, end, (keep, receipts)) = (ActorEngine::new(), End::default(), mpsc::channel());
        let carrier = Arc::new(Keeps(Mutex::new(keep)));
        let log = end.attach::<LogMessage>(&engine, carrier, None, bound, Overflow::Wait).expect("a link");
        Self { engine, end, log, receipts }
    }

    fn held(&self) -> usize {
        self.engine.stats().threads[0].room.as_ref().expect("links are bounded").taken
    }
}

#[test]
fn room_comes_back_for_all_at_once_behind_the_books() {
    const BOUND: usize = 8;
    bounded(|| {
        let attached = Attached::start(BOUND);
        for number in 0..BOUND as u32 {
            attached.log.note(number).expect("there is room");
        }
        let mut receipts = receive_many(&attached.receipts, BOUND);
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                attached.log.note(BOUND as u32).expect("it waits for room");
                attached.end.books().acked
            });
            let mut together = TakenTogether::default();
            receipts.iter_mut().for_each(|receipt| receipt.taken_with(&mut together));
            assert_eq!((attached.end.books().acked, attached.held()), (0, BOUND));
            drop(together);
            assert_eq!(waits.join().expect("no panic"), BOUND as u64);
        });
        drop(receipts);
        receive(&attached.receipts).taken();
        let books = attached.end.books();
        assert!(books.is_balanced() && books.acked == BOUND as u64 + 1, "{books}");
        assert_eq!(attached.held(), 0);
    });
}

/// The sends of two links of one bridge, and calls among them: a call keeps its receipt, and gives its room back once.
#[test]
fn receipts_of_several_links_and_of_calls_can_be_told_together() {
    bounded(|| {
        let (one, other) = (Attached::start(8), Attached::start(8));
        let mut calls = Vec::new();
        for number in 0..3 {
            for link in [&one, &other] {
                link.log.note(number).expect("there is room");
                calls.push(link.log.non_blocking().count());
            }
        }
        let (mut of_one, mut of_other) = (receive_many(&one.receipts, 6), receive_many(&other.receipts, 6));
        let mut together = TakenTogether::default();
        for (first, second) in of_one.iter_mut().zip(&mut of_other) {
            first.taken_with(&mut together);
            second.taken_with(&mut together);
        }
        drop(together);
        for link in [&one, &other] {
            assert_eq!((link.end.books().acked, link.held()), (3, 0));
        }
        of_one.into_iter().chain(of_other).for_each(|receipt| receipt.answer(Answer::NoReply));
        calls.into_iter().for_each(|call| drop(call.wait().expect_err("there is no reply")));
        for link in [&one, &other] {
            let books = link.end.books();
            assert!(books.is_balanced() && (books.acked, books.ended) == (3, 3), "{books}");
            assert_eq!(link.held(), 0);
        }
    });
}
