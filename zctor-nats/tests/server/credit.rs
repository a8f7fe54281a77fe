//! The room of a link beyond its own: more while sends are acknowledged soon, and none where the bound is stated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, Overflow, actor};
use zctor_tests::{LIMIT, bounded};

use crate::nats::Server;
use crate::over::Ends;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum QuickMessage {
    Note(u64),
}
/// The number of the next message.
struct Quick(u64);
impl QuickHandler for Quick {
    fn note(&mut self, number: u64) {
        assert_eq!(number, self.0, "none is lost, and the order is kept");
        self.0 += 1;
    }
}

/// For how many messages a link has room by itself, and how many more it has at most while acknowledgements come soon.
const ROOM: u64 = 1_024;
const LENT: u64 = 7 * 1_024;

/// Issue #17.
#[test]
fn a_link_has_more_room_than_its_own_while_its_sends_are_acknowledged_soon() {
    bounded(|| {
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, sends) = (server.bridge(), server.patient_bridge());
        there.pool(1, QuickMessage::actor(|| Quick(0))).expect("a pool");
        serves.serve::<QuickMessage>(&there).expect("it has the pool");
        let quick = sends.attach::<QuickMessage>(&here).expect("a link");
        let over = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                (0..)
                    .take_while(|_| !over.load(Ordering::Relaxed))
                    .map(|number| quick.note(number).expect("it waits"))
                    .count()
            });
            let _ends = Ends(&over);
            // On a busy machine acknowledgements may come late for a while.
            loop {
                let books = sends.books();
                assert!(books.unsettled() <= ROOM + LENT, "{books}");
                if books.unsettled() > 2 * ROOM {
                    break;
                }
                thread::yield_now();
            }
            over.store(true, Ordering::Relaxed);
            sender.join().expect("all were sent")
        });
        here.settle();
        let books = sends.flush(LIMIT);
        assert_eq!(books.acked, sent as u64, "{books}");
        assert_eq!(there.shutdown().expect("it handles all").handled(), books.acked);
    });
}

#[test]
fn a_link_whose_bound_is_stated_has_no_more_room_than_that() {
    const BOUND: u64 = 16;
    const SENDS: u64 = 5_000;
    bounded(|| {
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, sends) = (server.bridge(), server.patient_bridge());
        there.pool(1, QuickMessage::actor(|| Quick(0))).expect("a pool");
        serves.serve::<QuickMessage>(&there).expect("it has the pool");
        let quick = sends.attach_bounded::<QuickMessage>(&here, BOUND as usize, Overflow::Wait).expect("a link");
        for number in 0..SENDS {
            quick.note(number).expect("it waits");
            let books = sends.books();
            assert!(books.unsettled() <= BOUND, "{books}");
        }
        here.settle();
        let books = sends.flush(LIMIT);
        assert_eq!(books.acked, SENDS, "{books}");
    });
}
