//! Messages to one instance that wait one behind the other are handled as a batch, which nobody notices but by the time
//! that it takes: order, calls and stops in between, panics, restarts and dead letters are as for each message alone.

use std::sync::mpsc::{self, Receiver, Sender};

use zctor::{Actor, ActorEngine, ActorThread, Context, Undelivered, actor};
use zctor_tests::{Gate, bounded, receive, receive_many};

/// More than go into one batch.
const MANY: u64 = 2_500;
const MIDDLE: u64 = 1_200;

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Noted(u64),
    Asked(u64),
    Started,
    Back(u64, Undelivered),
}
use Seen::{Asked, Back, Noted, Started};

#[actor(ctx)]
enum NoteMessage {
    Note(u64),
    #[reply(u64)]
    Ask(u64),
    Hold(Gate),
}

/// Tells what it sees, and does something at the note in the middle.
struct Note {
    tell: Sender<Seen>,
    at_middle: fn(&Context<NoteMessage>),
}

impl NoteHandler for Note {
    fn on_start(&mut self, _: &mut Context<NoteMessage>) {
        self.tell.send(Started).expect("the test listens");
    }
    fn note(&mut self, ctx: &mut Context<NoteMessage>, number: u64) {
        self.tell.send(Noted(number)).expect("the test listens");
        if number == MIDDLE {
            (self.at_middle)(ctx);
        }
    }
    fn ask(&mut self, _: &mut Context<NoteMessage>, number: u64) -> u64 {
        self.tell.send(Asked(number)).expect("the test listens");
        number
    }
    fn hold(&mut self, _: &mut Context<NoteMessage>, gate: Gate) {
        gate.pass();
    }
}

fn note(at_middle: fn(&Context<NoteMessage>)) -> (Actor<NoteMessage, Note>, Receiver<Seen>) {
    let (tell, seen) = mpsc::channel();
    let back = tell.clone();
    let actor = NoteMessage::actor(move || Note { tell: tell.clone(), at_middle });
    let actor = actor.on_undelivered(move |message, why| {
        if let NoteMessage::Note(number) = message {
            back.send(Back(number, why)).expect("the test listens");
        }
    });
    (actor, seen)
}

/// Sends notes to a neighbour, with something else in the middle.
#[actor(calls(NoteMessage))]
enum WriterMessage {
    Write(NoteClient),
    WriteAndAsk(NoteClient),
    WriteInTurn(NoteClient, NoteClient),
    WriteAndHold(NoteClient, Gate),
}

struct Writer;

impl WriterHandler for Writer {
    fn write(&mut self, _: &mut Context<WriterMessage>, to: NoteClient) {
        (0..MANY).for_each(|number| to.note(number).expect("it lives"));
    }
    fn write_and_ask(&mut self, _: &mut Context<WriterMessage>, to: NoteClient) {
        (0..MIDDLE).for_each(|number| to.note(number).expect("it lives"));
        to.non_blocking().ask(MIDDLE).detach();
        (MIDDLE + 1..MANY).for_each(|number| to.note(number).expect("it lives"));
    }
    fn write_in_turn(&mut self, _: &mut Context<WriterMessage>, one: NoteClient, other: NoteClient) {
        for number in 0..MANY {
            if number % 7 < 3 { &one } else { &other }.note(number).expect("it lives");
        }
    }
    fn write_and_hold(&mut self, ctx: &mut Context<WriterMessage>, to: NoteClient, gate: Gate) {
        self.write(ctx, to);
        gate.pass();
    }
}

/// One thread for the writer and all of `actors`.
fn together(engine: &ActorEngine, actors: impl IntoIterator<Item = Actor<NoteMessage, Note>>) -> WriterClient {
    let thread = ActorThread::new().register(WriterMessage::actor(|| Writer));
    engine.spawn(actors.into_iter().fold(thread, ActorThread::register)).expect("they start");
    engine.client::<WriterMessage>().expect("it was registered")
}

fn notes(numbers: impl IntoIterator<Item = u64>) -> Vec<Seen> {
    numbers.into_iter().map(Noted).collect()
}

#[test]
fn a_call_between_messages_is_handled_between_them() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = note(|_| ());
        let writer = together(&engine, [actor]);
        writer.write_and_ask(engine.client::<NoteMessage>().unwrap()).unwrap();
        assert_eq!(receive(&seen), Started);
        assert_eq!(receive_many(&seen, MIDDLE as usize), notes(0..MIDDLE));
        assert_eq!(receive(&seen), Asked(MIDDLE));
        assert_eq!(receive_many(&seen, (MANY - MIDDLE - 1) as usize), notes(MIDDLE + 1..MANY));
    });
}

#[test]
fn messages_to_two_neighbours_keep_their_order_each() {
    bounded(|| {
        let engine = ActorEngine::new();
        let [(one, of_one), (other, of_other)] = [note(|_| ()), note(|_| ())];
        let writer = together(&engine, [one, other]);
        let all = engine.client::<NoteMessage>().unwrap();
        let ids = all.instances();
        writer.write_in_turn(all.pin(ids[0]), all.pin(ids[1])).unwrap();
        let (left, right): (Vec<u64>, Vec<u64>) = (0..MANY).partition(|number| number % 7 < 3);
        for (seen, numbers) in [(of_one, left), (of_other, right)] {
            assert_eq!(receive(&seen), Started);
            assert_eq!(receive_many(&seen, numbers.len()), notes(numbers));
        }
    });
}

#[test]
fn messages_from_outside_that_waited_keep_their_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = note(|_| ());
        let client = engine.pool(1, actor).unwrap();
        let gate = Gate::new();
        client.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        (0..MIDDLE).for_each(|number| client.note(number).unwrap());
        client.send_all((MIDDLE..MIDDLE + 10).map(NoteMessage::Note)).unwrap();
        (MIDDLE + 10..MANY).for_each(|number| client.note(number).unwrap());
        let asked = client.non_blocking().ask(MANY);
        gate.open();
        assert_eq!(receive(&seen), Started);
        assert_eq!(receive_many(&seen, MANY as usize), notes(0..MANY));
        assert_eq!(asked.wait(), Ok(MANY));
        engine.settle();
        assert_eq!(engine.stats().handled(), MANY + 2);
    });
}

#[test]
fn a_panic_in_the_middle_takes_its_message_alone() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = note(|_| panic!("the middle"));
        let writer = together(&engine, [actor]);
        writer.write(engine.client::<NoteMessage>().unwrap()).unwrap();
        assert_eq!(receive(&seen), Started);
        assert_eq!(receive_many(&seen, MIDDLE as usize + 1), notes(0..=MIDDLE));
        assert_eq!(receive(&seen), Started, "it was built again before it goes on");
        assert_eq!(receive_many(&seen, (MANY - MIDDLE - 1) as usize), notes(MIDDLE + 1..MANY));
        engine.settle();
        let report = engine.shutdown().unwrap();
        // That which writes has handled one message too.
        assert_eq!((report.handled(), report.panicked()), (MANY, 1));
    });
}

#[test]
fn what_is_left_of_them_when_it_ends_comes_back_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (actor, seen) = note(Context::stop);
        let writer = together(&engine, [actor]);
        let all = engine.client::<NoteMessage>().unwrap();
        writer.write(all.pin(all.instances()[0])).unwrap();
        assert_eq!(receive(&seen), Started);
        assert_eq!(receive_many(&seen, MIDDLE as usize + 1), notes(0..=MIDDLE));
        let back: Vec<Seen> = (MIDDLE + 1..MANY).map(|number| Back(number, Undelivered::Ended)).collect();
        assert_eq!(receive_many(&seen, back.len()), back);
        engine.settle();
        assert_eq!(engine.stats().dead_letters, MANY - MIDDLE - 1);
    });
}

#[test]
fn what_is_left_of_them_goes_to_a_sibling_if_they_were_sent_in_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (first, of_first) = note(Context::stop);
        let writer = together(&engine, [first]);
        // Holds their thread before the first is handled: all are for the only one there is.
        let all = engine.client::<NoteMessage>().unwrap();
        let gate = Gate::new();
        writer.write_and_hold(all, gate.clone()).unwrap();
        gate.await_arrivals(1);
        let (second, of_second) = note(|_| ());
        engine.spawn(ActorThread::new().register(second)).unwrap();
        gate.open();
        for (seen, numbers) in [(of_first, 0..MIDDLE + 1), (of_second, MIDDLE + 1..MANY)] {
            assert_eq!(receive(&seen), Started);
            assert_eq!(receive_many(&seen, numbers.clone().count()), notes(numbers));
        }
        engine.settle();
        assert_eq!(engine.stats().dead_letters, 0);
    });
}
