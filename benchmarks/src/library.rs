//! A library, as a workload uses it, and an actor of a workload.
//!
//! A workload is written once, against [`Library`]; a library is one file in `libraries/` that says how it hosts a
//! [`Behaviour`]. Everything is generic, nothing is boxed on the way: after compilation each library runs the handler
//! as if it had been written for it.

/// What a counted message carries: 24 bytes.
pub(crate) type Payload = [u64; 3];

/// The question of a behaviour that is never asked.
pub(crate) type Never = std::convert::Infallible;

/// What an actor of a workload does, whichever library hosts it.
///
/// Handlers are plain functions, since all libraries can run those; the one workload whose handlers wait (calls from
/// inside) is written by each library, as [`Library::caller`].
pub(crate) trait Behaviour: Send + Unpin + 'static {
    type Message: Send + Unpin + 'static;
    type Question: Send + Unpin + 'static;

    fn receive(&mut self, message: Self::Message);

    fn answer(&mut self, _question: Self::Question) -> u64 {
        unreachable!("nobody asks this behaviour")
    }
}

/// Answers calls.
pub(crate) struct Oracle {
    asked: u64,
}

impl Oracle {
    pub(crate) fn new() -> Self {
        Self { asked: 0 }
    }
}

impl Behaviour for Oracle {
    type Message = Never;
    type Question = Payload;

    fn receive(&mut self, message: Never) {
        match message {}
    }

    fn answer(&mut self, [a, b, _]: Payload) -> u64 {
        self.asked += 1;
        a + b
    }
}

/// What a workload needs that some library has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Calls that wait for a reply.
    Ask,
    /// Calls from inside a handler.
    AskInside,
    /// Several instances on one thread.
    SharedThread,
    /// Ending a single instance.
    Stop,
    /// Thousands of instances.
    Many,
    /// Many messages to one instance in one operation.
    Batch,
    /// Messages of one sender handled in the order sent.
    Order,
}

/// A library, or a hand-written floor, set up on a number of threads.
pub(crate) trait Library: Sized + Send + Sync + 'static {
    /// Whether instances share a chosen number of threads; else each has one of its own.
    const SHARES_THREADS: bool;

    type Address<B: Behaviour>: Clone + Send + Sync + Unpin + 'static;

    /// Why the library is left out where a workload needs this.
    fn lacks(_need: Need) -> Option<&'static str> {
        None
    }

    fn start(threads: usize) -> Self;

    /// Creates an instance on thread `place` (modulo the threads there are, and if the library lets one choose).
    fn spawn<B: Behaviour>(&self, place: usize, make: impl FnOnce() -> B + Send + 'static) -> Self::Address<B>;

    /// Creates `count` instances on one thread.
    fn spawn_many<B: Behaviour>(
        &self,
        count: u64,
        make: impl Fn(u64) -> B + Clone + Send + 'static,
    ) -> Vec<Self::Address<B>> {
        let spawn = |i| {
            let make = make.clone();
            self.spawn(0, move || make(i))
        };
        (0..count).map(spawn).collect()
    }

    /// Sends one way, from anywhere.
    fn tell<B: Behaviour>(to: &Self::Address<B>, message: B::Message);

    /// Calls from a thread outside, and waits.
    fn ask<B: Behaviour>(of: &Self::Address<B>, question: B::Question) -> u64;

    /// Ends an instance, after what was sent to it before.
    fn stop<B: Behaviour>(address: &Self::Address<B>);

    /// Sends many messages in the one operation the library has for that.
    fn tell_all<B: Behaviour>(to: &Self::Address<B>, messages: impl IntoIterator<Item = B::Message>) {
        messages.into_iter().for_each(|message| Self::tell(to, message));
    }

    /// An actor on thread `place` that makes calls inside a handler: a function that orders `n` of them and gives
    /// the sum of the answers. The `i`-th call asks `[i, 1, 0]`.
    fn caller(&self, place: usize, target: Self::Address<Oracle>) -> impl Fn(u64) -> u64;

    /// Creates `count` instances, sends each one message and ends it, from where the library is quickest at it:
    /// inside its own threads, where it has such. Need not wait for the ends.
    fn create<B: Behaviour<Message = ()>>(&self, count: u64, make: impl Fn() -> B + Clone + Send + Sync + 'static) {
        for place in 0..count {
            let make = make.clone();
            let address = self.spawn(place as usize, make);
            Self::tell(&address, ());
            Self::stop(&address);
        }
    }

    /// A pool, and the way to send each message to all of it.
    fn broadcaster<B: Behaviour<Message: Clone, Question = Never>>(
        &self,
        count: usize,
        make: impl Fn() -> B + Clone + Send + Sync + 'static,
    ) -> impl Fn(B::Message) {
        let pool: Vec<_> = (0..count).map(|place| self.spawn(place, make.clone())).collect();
        move |message| pool.iter().for_each(|address| Self::tell(address, message.clone()))
    }

    /// A pool, and the way to send each message to the next of it in turn.
    fn rotator<B: Behaviour>(
        &self,
        count: usize,
        make: impl Fn() -> B + Clone + Send + Sync + 'static,
    ) -> impl FnMut(B::Message) {
        let pool: Vec<_> = (0..count).map(|place| self.spawn(place, make.clone())).collect();
        let mut turn = 0;
        move |message| {
            Self::tell(&pool[turn], message);
            turn = (turn + 1) % pool.len();
        }
    }
}
