//! The messages of one sender keep their order through a link, whichever way each of them takes.

use std::cell::Cell;
use std::sync::mpsc;

use serde::{Deserialize, Serialize, Serializer};
use zctor::remote::Loopback;
use zctor::{ActorEngine, CallError, Overflow, actor};
use zctor_tests::{LIMIT, SplitMix64, bounded, receive, receive_many};

/// Tells on which thread it is encoded.
#[derive(Clone, Default)]
struct Traced(u32);

thread_local! {
    static TOLD: Cell<Option<u32>> = const { Cell::new(None) };
}

impl Serialize for Traced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TOLD.set(Some(self.0));
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Traced {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self)
    }
}

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum LogMessage {
    Note(Traced),
    #[reply(u32)]
    Ask(Traced),
}

struct Log(mpsc::Sender<u32>);
impl LogHandler for Log {
    fn note(&mut self, value: Traced) {
        self.0.send(value.0).unwrap_or_default();
    }
    fn ask(&mut self, value: Traced) -> u32 {
        self.0.send(value.0).unwrap_or_default();
        value.0
    }
}

fn joined(room: usize) -> (ActorEngine, ActorEngine, (Loopback, Loopback), LogClient, mpsc::Receiver<u32>) {
    let (there, here, ends) = (ActorEngine::new(), ActorEngine::new(), Loopback::pair());
    let (tell, told) = mpsc::channel();
    there.pool(1, LogMessage::actor(move || Log(tell.clone()))).expect("a pool");
    ends.0.serve::<LogMessage>(&there).expect("it has the pool");
    let log = ends.1.attach_bounded::<LogMessage>(&here, room, Overflow::Wait).expect("a link");
    (there, here, ends, log, told)
}

/// Batches go through the mailbox of the link; messages and calls need not.
fn one_sender(room: usize) {
    const ALL: u32 = 3_000;
    let (_there, here, ends, log, told) = joined(room);
    let mut chance = SplitMix64::new(17);
    let (mut next, mut under_way) = (0, Vec::new());
    while next < ALL {
        match chance.below(4) {
            0 => {
                let batch = (next..next + 3).map(|number| LogMessage::Note(Traced(number)));
                assert_eq!(log.send_all(batch).expect("the link takes them"), 3);
                next += 3;
            }
            1 => {
                let reply = log.non_blocking().ask(Traced(next));
                match reply.try_take() {
                    None => under_way.push((next, reply)),
                    // This view does not wait for room, and the link may be far behind.
                    Some(Err(CallError::Full { .. })) => assert_eq!(log.ask(Traced(next)), Ok(next)),
                    Some(answer) => assert_eq!(answer, Ok(next)),
                }
                next += 1;
            }
            2 if chance.below(50) == 0 => here.settle(),
            _ => {
                log.note(Traced(next)).expect("the link takes it");
                next += 1;
            }
        }
    }
    // Before the numbers: what was refused never comes.
    assert!(under_way.into_iter().all(|(number, reply)| reply.wait() == Ok(number)));
    let numbers: Vec<u32> = receive_many(&told, next as usize);
    assert!(numbers.into_iter().eq(0..next));
    here.settle();
    let books = ends.1.flush(LIMIT);
    assert!(books.is_balanced() && books.accepted + books.called == u64::from(next), "{books}");
}

#[test]
fn sends_batches_and_calls_of_one_sender_keep_their_order() {
    bounded(|| one_sender(1_024));
}

#[test]
fn those_of_one_sender_that_waits_for_room_keep_their_order() {
    bounded(|| one_sender(8));
}

#[test]
fn a_message_from_outside_is_encoded_on_the_thread_that_sends_it_if_the_link_is_free() {
    bounded(|| {
        let (_there, here, ends, log, told) = joined(1_024);
        // The first one starts the link.
        log.note(Traced(1)).expect("the link takes it");
        here.settle();
        assert_eq!(TOLD.take(), None);
        log.note(Traced(2)).expect("the link takes it");
        assert_eq!(TOLD.take(), Some(2));
        log.ask(Traced(3)).expect("it is answered");
        assert_eq!(TOLD.take(), Some(3));
        assert_eq!(receive(&told), 1);
        // It is in its mailbox over there already, though the link's own thread has done nothing.
        assert_eq!((ends.0.books().taken, ends.1.books().acked), (3, 2));
        // The statistics count it as the link's.
        let stats = here.stats();
        assert_eq!((stats.handled(), here.instances()[0].handled), (3, 3), "{stats}");
    });
}

#[test]
fn messages_go_past_the_thread_of_a_link_that_was_built_again() {
    bounded(|| {
        let (_there, here, _ends, log, _told) = joined(1_024);
        for number in 0..3 {
            log.note(Traced(number)).expect("the link takes it");
            here.settle();
            log.pin(here.instances()[0].id).reset().expect("the link lives");
            here.settle();
        }
        // The first one behind a reset tells of the new state.
        log.note(Traced(3)).expect("the link takes it");
        here.settle();
        assert_eq!(TOLD.take(), None);
        log.note(Traced(4)).expect("the link takes it");
        assert_eq!(TOLD.take(), Some(4));
    });
}
