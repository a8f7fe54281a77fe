//! Sends that come as a pack go into their mailboxes together, and each is what it would be by itself.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, mpsc};

use serde::{Deserialize, Serialize};
use zctor::remote::Travels;
use zctor::remote::transport::{Answer, End, Format, Pack, PackReceipt, Packet, Partition, Receipt, Route};
use zctor::{ActorEngine, ActorThread, Inner, InstanceId, actor};
use zctor_tests::{Gate, bounded, expect_panics, receive, receive_many};

/// A key whose hash panics for one value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Account(u32);
impl Hash for Account {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert!(self.0 != 13, "an unlucky number");
        self.0.hash(state);
    }
}

/// Its drop panics where it was read from bytes.
#[derive(Serialize, Deserialize)]
struct Brittle {
    #[serde(skip, default = "yes")]
    breaks: bool,
}
fn yes() -> bool {
    true
}
impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(!self.breaks, "it breaks");
    }
}

#[actor(remote, ctx)]
#[derive(Serialize, Deserialize)]
enum LogMessage {
    Note(u32, Vec<u8>),
    Mark(u32),
    Touch(Brittle),
    Book {
        #[key]
        account: Account,
        number: u32,
    },
}

struct Log {
    gate: Gate,
    notes: mpsc::Sender<(InstanceId, u32)>,
}
impl Log {
    fn tell(&self, ctx: &zctor::Context<LogMessage>, number: u32) {
        self.gate.pass();
        self.notes.send((ctx.instance_id(), number)).unwrap_or_default();
    }
}
impl LogHandler for Log {
    fn note(&mut self, ctx: &mut zctor::Context<LogMessage>, value0: u32, _bytes: Vec<u8>) {
        self.tell(ctx, value0);
    }
    fn mark(&mut self, ctx: &mut zctor::Context<LogMessage>, value: u32) {
        self.tell(ctx, value);
    }
    fn touch(&mut self, _: &mut zctor::Context<LogMessage>, _value: Brittle) {}
    fn book(&mut self, ctx: &mut zctor::Context<LogMessage>, _account: Account, number: u32) {
        self.tell(ctx, number);
    }
}

/// What a sender is told.
#[derive(Debug)]
enum Told {
    /// Of so many together.
    Together(u32),
    Taken(u32),
    Answered(u32, Answer),
    /// Its receipt was dropped.
    Nothing(u32),
}

struct Sender {
    number: u32,
    tell: mpsc::Sender<Told>,
    is_told: bool,
}
impl Receipt for Sender {
    fn taken(&mut self) {
        self.is_told = true;
        self.tell.send(Told::Taken(self.number)).unwrap_or_default();
    }
    fn answer(mut self: Box<Self>, answer: Answer) {
        self.is_told = true;
        self.tell.send(Told::Answered(self.number, answer)).unwrap_or_default();
    }
}
impl Drop for Sender {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell.send(Told::Nothing(self.number)).unwrap_or_default();
        }
    }
}

/// The sender of a pack whose numbers begin with the first.
struct PackSender {
    first: u32,
    packets: u32,
    tell: mpsc::Sender<Told>,
}
impl PackReceipt for PackSender {
    fn of(&self, place: usize) -> Box<dyn Receipt> {
        Box::new(Sender { number: self.first + place as u32, tell: self.tell.clone(), is_told: false })
    }
    fn taken(&self) {
        self.tell.send(Told::Together(self.packets)).unwrap_or_default();
    }
}

struct Served {
    engine: ActorEngine,
    end: End,
    gate: Gate,
    notes: mpsc::Receiver<(InstanceId, u32)>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
}

impl Served {
    fn start(instances: usize, thread: impl Fn() -> ActorThread) -> Self {
        let (engine, end, gate) = (ActorEngine::new(), End::default(), Gate::new());
        let ((note, notes), (tell, told)) = (mpsc::channel(), mpsc::channel());
        // A factory is shared among threads, and a sender is not.
        let (inside, note) = (gate.clone(), Arc::new(Mutex::new(note)));
        let log = move || Log { gate: inside.clone(), notes: note.lock().expect("no panic").clone() };
        engine.pool_on(instances, |_| thread(), LogMessage::actor(log)).expect("a pool");
        end.serve::<LogMessage>(&engine, None).expect("it has the pool");
        Self { engine, end, gate, notes, tell, told }
    }

    fn deliver(&self, first: u32, payloads: &[Vec<u8>], inside: bool) {
        self.deliver_by(Route::Turn, first, payloads, inside);
    }

    fn deliver_by(&self, route: Route, first: u32, payloads: &[Vec<u8>], inside: bool) {
        let messages: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let receipt = PackSender { first, packets: payloads.len() as u32, tell: self.tell.clone() };
        self.end.deliver_pack("LogMessage", &Pack { messages, inside, route }, &receipt);
    }

    fn deliver_one(&self, number: u32, bytes: Vec<u8>) {
        let (format, route) = (Format::MessagePack, Route::Turn);
        let packet = Packet { bytes: bytes.into(), format, call: None, inside: false, route, key: None };
        self.end.deliver("LogMessage", packet, Box::new(Sender { number, tell: self.tell.clone(), is_told: false }));
    }

    fn assert_drained(&self, taken: u64) {
        let books = self.end.drain(zctor_tests::LIMIT);
        assert!(books.is_drained() && books.taken == taken, "{books}");
    }
}

fn bytes(message: &LogMessage) -> Vec<u8> {
    message.__encode(Format::MessagePack).expect("it can be written")
}

fn note(number: u32) -> Vec<u8> {
    bytes(&LogMessage::Note(number, Vec::new()))
}

#[test]
fn each_message_of_a_pack_takes_its_turn_and_the_pack_is_told_of_once() {
    const INSTANCES: usize = 3;
    const ALL: u32 = 33;
    bounded(|| {
        for inside in [false, true] {
            let served = Served::start(INSTANCES, ActorThread::new);
            served.gate.open();
            let payloads: Vec<_> = (0..ALL).map(note).collect();
            let (first, rest) = payloads.split_at(7);
            served.deliver(0, first, inside);
            served.deliver(7, rest, inside);
            let told = receive_many(&served.told, 2);
            assert!(matches!(told[..], [Told::Together(7), Told::Together(26)]), "{told:?}");
            served.assert_drained(u64::from(ALL));
            let notes = receive_many(&served.notes, ALL as usize);
            let instances: Vec<_> =
                served.engine.registry().iter().flat_map(|entry| entry.instances().to_vec()).collect();
            for (index, id) in instances.iter().enumerate() {
                let own = notes.iter().filter(|(instance, _)| instance == id).map(|(_, number)| *number);
                assert!(own.eq((index as u32..ALL).step_by(INSTANCES)), "{index} of {notes:?}");
            }
        }
    });
}

#[test]
fn a_message_that_is_not_understood_is_refused_by_itself() {
    bounded(|| {
        let served = Served::start(1, ActorThread::new);
        served.gate.open();
        served.deliver(0, &[note(0), b"garbage".to_vec(), note(2)], false);
        let told = receive_many(&served.told, 3);
        let [Told::Taken(0), Told::Answered(1, Answer::Unfit(_)), Told::Taken(2)] = told[..] else {
            panic!("{told:?}")
        };
        served.assert_drained(2);
        let notes = receive_many(&served.notes, 2);
        assert!(notes.iter().map(|(_, number)| *number).eq([0, 2]));
    });
}

/// The thread that delivers a pack delivers all others too.
#[test]
fn a_panic_in_the_drop_of_a_refused_message_harms_neither_its_pack_nor_the_thread_that_delivers_it() {
    expect_panics("it breaks");
    bounded(|| {
        let served = Served::start(1, ActorThread::new);
        served.gate.open();
        // No partition is served here.
        let route = Route::Key(Partition { number: 0, of: 1 });
        let payloads = [note(0), bytes(&LogMessage::Touch(Brittle { breaks: false })), note(2)];
        served.deliver_by(route, 0, &payloads, false);
        let told = receive_many(&served.told, 3);
        let is_refused =
            |told: &Told, place| matches!(told, Told::Answered(number, Answer::Unreachable) if *number == place);
        assert!(told.iter().zip(0..).all(|(told, place)| is_refused(told, place)), "{told:?}");
        served.deliver(3, &[note(3), note(4)], false);
        assert!(matches!(receive(&served.told), Told::Together(2)));
        let notes = receive_many(&served.notes, 2);
        assert!(notes.iter().map(|(_, number)| *number).eq([3, 4]));
        served.assert_drained(2);
    });
}

/// Packs go into mailboxes at once, and large messages through the feeder: those behind one wait for it.
#[test]
fn packs_and_single_messages_of_one_sender_keep_their_order() {
    const ALL: u32 = 4_000;
    bounded(|| {
        let served = Served::start(1, ActorThread::new);
        served.gate.open();
        let mut number = 0;
        while number < ALL {
            if number % 7 == 0 {
                served.deliver_one(number, bytes(&LogMessage::Note(number, vec![0; 20_000])));
                number += 1;
            } else {
                let pack: Vec<_> = (number..ALL.min(number + 5)).map(note).collect();
                served.deliver(number, &pack, false);
                number += pack.len() as u32;
            }
        }
        let notes = receive_many(&served.notes, ALL as usize);
        assert!(notes.iter().map(|(_, number)| *number).eq(0..ALL));
        served.assert_drained(u64::from(ALL));
    });
}

#[test]
fn the_messages_of_a_pack_wait_for_room_one_by_one_and_hold_up_nobody() {
    const ALL: u32 = 8;
    bounded(|| {
        let served = Served::start(1, || ActorThread::new().mailbox_bound(1));
        served.deliver(0, &(0..ALL).map(note).collect::<Vec<_>>(), false);
        served.gate.await_arrivals(1);
        // The first is at the gate and the second in the mailbox.
        let told = receive_many(&served.told, 2);
        assert!(matches!(told[..], [Told::Taken(0), Told::Taken(1)]), "{told:?}");
        // The second is counted as waiting until its sender has been told.
        while served.end.books().waiting > u64::from(ALL) - 2 {
            std::thread::yield_now();
        }
        assert_eq!(served.end.books().waiting, u64::from(ALL) - 2);
        served.gate.open();
        let notes = receive_many(&served.notes, ALL as usize);
        assert!(notes.iter().map(|(_, number)| *number).eq(0..ALL));
        served.assert_drained(u64::from(ALL));
    });
}

#[test]
fn those_of_a_pack_that_find_no_room_are_told_by_their_variants() {
    bounded(|| {
        let served = Served::start(1, || ActorThread::new().inner_bound(2, Inner::Refuse));
        served.deliver(0, &[note(0)], true);
        served.gate.await_arrivals(1);
        let mark = |number| bytes(&LogMessage::Mark(number));
        served.deliver(1, &[note(1), mark(2), note(3), mark(4), note(5)], true);
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for told in receive_many(&served.told, 6) {
            match told {
                Told::Together(1) => taken.push(0),
                Told::Taken(number) => taken.push(number),
                Told::Answered(number, Answer::Full) => refused.push(number),
                other => panic!("{other:?}"),
            }
        }
        served.gate.open();
        let mut notes: Vec<_> = receive_many(&served.notes, taken.len()).iter().map(|(_, number)| *number).collect();
        served.assert_drained(taken.len() as u64);
        taken.sort_unstable();
        notes.sort_unstable();
        assert_eq!((taken, notes), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(refused.iter().copied().collect::<HashSet<_>>(), HashSet::from([3, 4, 5]));
        // Each was sent twice: with its pack, and once more by itself.
        let stats = served.engine.stats();
        assert_eq!((stats.refused, stats.types[0].refused.full), (3, 3));
    });
}

/// Others of its pack are in mailboxes by then: their senders would send them again.
#[test]
fn a_panic_in_the_drop_of_a_message_that_finds_no_room_is_no_loss_of_its_pack() {
    expect_panics("it breaks");
    bounded(|| {
        let served = Served::start(1, || ActorThread::new().inner_bound(2, Inner::Refuse));
        served.deliver(0, &[note(0)], true);
        served.gate.await_arrivals(1);
        assert!(matches!(receive(&served.told), Told::Together(1)));
        let touch = bytes(&LogMessage::Touch(Brittle { breaks: false }));
        served.deliver(1, &[note(1), bytes(&LogMessage::Mark(2)), touch, bytes(&LogMessage::Mark(4))], true);
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for told in receive_many(&served.told, 4) {
            match told {
                Told::Taken(number) => taken.push(number),
                Told::Answered(3, Answer::Unreachable) => refused.push(3),
                Told::Answered(number, Answer::Full) => refused.push(number),
                other => panic!("{other:?}"),
            }
        }
        served.gate.open();
        let notes = receive_many(&served.notes, 3);
        assert!(notes.iter().map(|(_, number)| *number).eq([0, 1, 2]));
        taken.sort_unstable();
        refused.sort_unstable();
        assert_eq!((taken, refused), (vec![1, 2], vec![3, 4]));
        served.assert_drained(3);
    });
}

#[test]
fn a_pack_for_a_pool_that_is_gone_is_refused_message_by_message() {
    bounded(|| {
        let served = Served::start(2, ActorThread::new);
        served.gate.open();
        served.engine.handle().stop();
        served.engine.wait();
        served.deliver(0, &[note(0), note(1)], false);
        assert!(served.end.leave(zctor_tests::LIMIT).is_drained());
        served.deliver(2, &[note(2)], false);
        let mut refused = HashSet::new();
        for told in receive_many(&served.told, 3) {
            let Told::Answered(number, Answer::Unreachable) = told else { panic!("{told:?}") };
            assert!(refused.insert(number));
        }
        served.assert_drained(0);
    });
}

#[test]
fn a_key_finds_its_instance_from_a_pack_and_a_panic_of_its_hash_harms_no_other_message() {
    const ACCOUNTS: u32 = 20;
    expect_panics("an unlucky number");
    bounded(|| {
        let served = Served::start(4, ActorThread::new);
        served.gate.open();
        let book = |account| bytes(&LogMessage::Book { account: Account(account), number: account });
        served.deliver(0, &(0..ACCOUNTS).map(book).collect::<Vec<_>>(), false);
        let by_pack: HashSet<_> = receive_many(&served.notes, ACCOUNTS as usize - 1).into_iter().collect();
        (0..ACCOUNTS).filter(|account| *account != 13).for_each(|account| served.deliver_one(account, book(account)));
        let by_itself: HashSet<_> = receive_many(&served.notes, ACCOUNTS as usize - 1).into_iter().collect();
        assert_eq!(by_pack, by_itself);
        for _ in 0..2 * ACCOUNTS - 1 {
            match receive(&served.told) {
                Told::Taken(number) if number != 13 => {}
                Told::Nothing(13) => {}
                other => panic!("{other:?}"),
            }
        }
        served.assert_drained(2 * (u64::from(ACCOUNTS) - 1));
    });
}
