//! The floors: a thread an actor, with nothing but a channel between, as one writes it by hand.

use std::hint;
use std::marker::PhantomData;
use std::sync::mpsc;
use std::thread;

use crate::library::{Behaviour, Library, Need, Oracle};

/// A channel, how a thread takes from it, and what a reply comes back through.
pub(crate) trait Channel: Send + Sync + 'static {
    type Sender<T: Send + 'static>: Clone + Send + Sync + Unpin + 'static;
    type Receiver<T: Send + 'static>: Send + 'static;
    type Reply: Send + 'static;
    type Answer;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>);
    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T);
    /// Gives each message to `handle`, until there is no sender any more.
    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, handle: impl FnMut(T));

    fn reply() -> (Self::Reply, Self::Answer);
    fn give(reply: Self::Reply, value: u64);
    fn take(answer: Self::Answer) -> u64;
}

pub(crate) enum Mail<B: Behaviour, R> {
    Tell(B::Message),
    Ask(B::Question, R),
}

struct Caller<C: Channel>(C::Sender<Mail<Oracle, C::Reply>>);

impl<C: Channel> Behaviour for Caller<C> {
    type Message = ();
    type Question = u64;

    fn receive(&mut self, (): ()) {}

    fn answer(&mut self, count: u64) -> u64 {
        (0..count).map(|i| Floor::<C>::ask(&self.0, [i, 1, 0])).sum()
    }
}

pub(crate) struct Floor<C>(PhantomData<C>);

impl<C: Channel> Library for Floor<C> {
    const SHARES_THREADS: bool = false;

    type Address<B: Behaviour> = C::Sender<Mail<B, C::Reply>>;

    fn lacks(need: Need) -> Option<&'static str> {
        match need {
            Need::SharedThread | Need::Many => Some("a thread an actor"),
            Need::Batch => Some("no batches"),
            Need::Ask | Need::AskInside | Need::Stop | Need::Order => None,
        }
    }

    fn start(_: usize) -> Self {
        Self(PhantomData)
    }

    fn spawn<B: Behaviour>(&self, _: usize, make: impl FnOnce() -> B + Send + 'static) -> Self::Address<B> {
        let (sender, receiver) = C::open();
        thread::spawn(move || {
            let mut behaviour = make();
            C::serve(receiver, |mail| match mail {
                Mail::Tell(message) => behaviour.receive(message),
                Mail::Ask(question, reply) => C::give(reply, behaviour.answer(question)),
            });
        });
        sender
    }

    fn tell<B: Behaviour>(to: &Self::Address<B>, message: B::Message) {
        C::send(to, Mail::Tell(message));
    }

    fn ask<B: Behaviour>(of: &Self::Address<B>, question: B::Question) -> u64 {
        let (reply, answer) = C::reply();
        C::send(of, Mail::Ask(question, reply));
        C::take(answer)
    }

    fn stop<B: Behaviour>(_: &Self::Address<B>) {
        // The thread ends with its last sender.
    }

    fn caller(&self, place: usize, target: Self::Address<Oracle>) -> impl Fn(u64) -> u64 {
        let caller = self.spawn(place, move || Caller::<C>(target));
        move |count| Self::ask(&caller, count)
    }
}

const ALIVE: &str = "the other side lives";

pub(crate) struct Std;

impl Channel for Std {
    type Sender<T: Send + 'static> = mpsc::Sender<T>;
    type Receiver<T: Send + 'static> = mpsc::Receiver<T>;
    type Reply = mpsc::SyncSender<u64>;
    type Answer = mpsc::Receiver<u64>;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        mpsc::channel()
    }

    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T) {
        assert!(to.send(message).is_ok(), "{ALIVE}");
    }

    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, handle: impl FnMut(T)) {
        receiver.into_iter().for_each(handle);
    }

    fn reply() -> (Self::Reply, Self::Answer) {
        mpsc::sync_channel(1)
    }

    fn give(reply: Self::Reply, value: u64) {
        reply.send(value).expect(ALIVE);
    }

    fn take(answer: Self::Answer) -> u64 {
        answer.recv().expect(ALIVE)
    }
}

pub(crate) struct Crossbeam;

impl Channel for Crossbeam {
    type Sender<T: Send + 'static> = crossbeam_channel::Sender<T>;
    type Receiver<T: Send + 'static> = crossbeam_channel::Receiver<T>;
    type Reply = crossbeam_channel::Sender<u64>;
    type Answer = crossbeam_channel::Receiver<u64>;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        crossbeam_channel::unbounded()
    }

    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T) {
        assert!(to.send(message).is_ok(), "{ALIVE}");
    }

    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, handle: impl FnMut(T)) {
        receiver.into_iter().for_each(handle);
    }

    fn reply() -> (Self::Reply, Self::Answer) {
        crossbeam_channel::bounded(1)
    }

    fn give(reply: Self::Reply, value: u64) {
        reply.send(value).expect(ALIVE);
    }

    fn take(answer: Self::Answer) -> u64 {
        answer.recv().expect(ALIVE)
    }
}

pub(crate) struct Kanal;

impl Channel for Kanal {
    type Sender<T: Send + 'static> = kanal::Sender<T>;
    type Receiver<T: Send + 'static> = kanal::Receiver<T>;
    type Reply = kanal::Sender<u64>;
    type Answer = kanal::Receiver<u64>;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        kanal::unbounded()
    }

    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T) {
        assert!(to.send(message).is_ok(), "{ALIVE}");
    }

    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, handle: impl FnMut(T)) {
        receiver.for_each(handle);
    }

    fn reply() -> (Self::Reply, Self::Answer) {
        kanal::bounded(1)
    }

    fn give(reply: Self::Reply, value: u64) {
        reply.send(value).expect(ALIVE);
    }

    fn take(answer: Self::Answer) -> u64 {
        answer.recv().expect(ALIVE)
    }
}

/// flume, received one by one; the reply comes through a flume channel too.
pub(crate) struct Flume;

impl Channel for Flume {
    type Sender<T: Send + 'static> = flume::Sender<T>;
    type Receiver<T: Send + 'static> = flume::Receiver<T>;
    type Reply = flume::Sender<u64>;
    type Answer = flume::Receiver<u64>;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        flume::unbounded()
    }

    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T) {
        assert!(to.send(message).is_ok(), "{ALIVE}");
    }

    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, handle: impl FnMut(T)) {
        receiver.into_iter().for_each(handle);
    }

    fn reply() -> (Self::Reply, Self::Answer) {
        flume::bounded(1)
    }

    fn give(reply: Self::Reply, value: u64) {
        reply.send(value).expect(ALIVE);
    }

    fn take(answer: Self::Answer) -> u64 {
        answer.recv().expect(ALIVE)
    }
}

/// flume, all that waits taken under one lock: the mark for one-way messages.
pub(crate) struct FlumeDrain;

impl Channel for FlumeDrain {
    type Sender<T: Send + 'static> = flume::Sender<T>;
    type Receiver<T: Send + 'static> = flume::Receiver<T>;
    type Reply = flume::Sender<u64>;
    type Answer = flume::Receiver<u64>;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        flume::unbounded()
    }

    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T) {
        Flume::send(to, message);
    }

    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, mut handle: impl FnMut(T)) {
        while let Ok(first) = receiver.recv() {
            handle(first);
            receiver.drain().for_each(&mut handle);
        }
    }

    fn reply() -> (Self::Reply, Self::Answer) {
        Flume::reply()
    }

    fn give(reply: Self::Reply, value: u64) {
        Flume::give(reply, value);
    }

    fn take(answer: Self::Answer) -> u64 {
        Flume::take(answer)
    }
}

/// flume and oneshot, where both sides look two thousand times before they park: the mark for calls.
pub(crate) struct FlumeSpin;

const TURNS: usize = 2_000;

fn spin<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..TURNS {
        if let Some(found) = look() {
            return Some(found);
        }
        hint::spin_loop();
    }
    None
}

impl Channel for FlumeSpin {
    type Sender<T: Send + 'static> = flume::Sender<T>;
    type Receiver<T: Send + 'static> = flume::Receiver<T>;
    type Reply = oneshot::Sender<u64>;
    type Answer = oneshot::Receiver<u64>;

    fn open<T: Send + 'static>() -> (Self::Sender<T>, Self::Receiver<T>) {
        flume::unbounded()
    }

    fn send<T: Send + 'static>(to: &Self::Sender<T>, message: T) {
        Flume::send(to, message);
    }

    fn serve<T: Send + 'static>(receiver: Self::Receiver<T>, mut handle: impl FnMut(T)) {
        while let Some(message) = spin(|| receiver.try_recv().ok()).or_else(|| receiver.recv().ok()) {
            handle(message);
        }
    }

    fn reply() -> (Self::Reply, Self::Answer) {
        oneshot::channel()
    }

    fn give(reply: Self::Reply, value: u64) {
        reply.send(value).expect(ALIVE);
    }

    fn take(answer: Self::Answer) -> u64 {
        match spin(|| answer.try_recv().ok()) {
            Some(value) => value,
            None => answer.recv().expect(ALIVE),
        }
    }
}
