//! The mailbox of an actor thread: one flume queue of envelopes, and the state word that says who must be woken.

pub(crate) mod buffers;
pub(crate) mod dead_letters;
pub(crate) mod permits;
pub(crate) mod roster;

use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use smallbox::{SmallBox, smallbox};

use crate::actor::instance::{AnyInstance, InstanceId};
use crate::client::message::Message;
use crate::client::watch::{RunningInstance, ThreadStats, Wait};
use crate::mailbox::buffers::Spares;
use crate::mailbox::dead_letters::{Losses, OnUndelivered, Undelivered, as_hook, in_hook};
use crate::mailbox::permits::Room;
use crate::mailbox::roster::Roll;
use crate::route::endpoint::How;
use crate::route::registry::Pools;
use crate::sys::frame::quietly;
use crate::sys::park::Parker;
use crate::sys::sync::{AtomicU8, AtomicU64, AtomicUsize, Mutex, fence, lock, queue};
use crate::thread::local::{Local, ThreadId};

/// Words that an envelope holds inline: a message of four words with the port of its call.
const INLINE: usize = 7;

/// An envelope whose type of message is erased; nothing is allocated for small ones.
pub(crate) type Letter = SmallBox<dyn Envelope + Send, [usize; INLINE]>;

/// A message, a call or a batch on its way to an instance that handles such messages.
pub(crate) trait Envelope {
    /// Has the instance handle what is in it, one message after the other, while it takes them and `serving` allows;
    /// `true` if nothing is left. A call whose caller has given up goes to the grave instead.
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool;

    /// Adds the message in the one behind it, which is empty then, if they are for that.
    fn gather(&mut self, next: &mut Letter, spares: &Spares) -> Gathered;

    /// Messages left in it.
    fn len(&self) -> usize;

    /// The receiver has ended: gives what is left to its siblings. What it could not place stays inside.
    fn forward(&mut self, pools: &Pools);

    /// Nobody will handle what is left, which is counted: tells of the dead letters, and ends the calls.
    fn bury(&mut self, grave: Grave<'_>);

    /// For its sender, who knows its type, to take back what was not accepted.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// What became of an envelope and the one behind it.
pub(crate) enum Gathered {
    /// They are not for that.
    Not,
    Joined,
    /// A batch of both, which takes its place.
    Batch(Letter),
}

impl Gathered {
    /// Puts a batch into its place; `false` if nothing was gathered.
    #[inline]
    pub(crate) fn apply(self, letter: &mut Letter) -> bool {
        match self {
            Self::Not => return false,
            Self::Joined => {}
            Self::Batch(batch) => *letter = batch,
        }
        true
    }
}

/// How an envelope is served.
#[derive(Clone, Copy)]
pub(crate) struct Serving {
    /// So many of its messages at most.
    pub(crate) budget: usize,
    /// Each gives a permit of the mailbox back when it is begun.
    pub(crate) permitted: bool,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
    /// It is a call that may be given up.
    pub(crate) on_terms: bool,
}

/// Where mail that nobody will handle goes, and what is told of it.
#[derive(Clone, Copy)]
pub(crate) struct Grave<'a> {
    pub(crate) losses: &'a Losses,
    pub(crate) instance: InstanceId,
    pub(crate) why: Undelivered,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
}

impl Grave<'_> {
    /// A message that nobody will handle, and that is counted.
    pub(crate) fn lose<M: Message>(&self, message: M, hook: Option<&OnUndelivered<M>>) {
        self.losses.tell(message, self.instance, self.why, self.from_hook, hook);
    }
}

/// Erases the type of an envelope.
pub(crate) fn seal<E: Envelope + Send + 'static>(envelope: E) -> Letter {
    smallbox!(envelope)
}

/// A place on an actor thread. The generation tells it from earlier tenants of the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// What a mailbox holds.
pub(crate) struct Mail {
    pub(crate) to: Slot,
    /// Until its push into a mailbox is over, names the thread that pushes it: 0 for orders, which nobody takes back. Then
    /// it is its place in the order of arrival on its thread, where that needs to be known (`lanes.rs`).
    pub(crate) number: u64,
    /// Messages in it.
    pub(crate) messages: u32,
    /// Whether its instance was chosen by rotation, so that a sibling may take it over.
    pub(crate) rotated: bool,
    /// Each of its messages holds a permit of the mailbox, until it is begun.
    pub(crate) permitted: bool,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
    pub(crate) wants: Wants,
    pub(crate) what: What,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Mail>() <= 96, "mail is moved often");

/// What the sender of mail wants back. Here, so that the callee of a call that nobody gives up need not look where its reply
/// will lie before that is there: the caller looks there all the while, and the two would contend for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Nothing,
    /// It is a call whose caller waits until the reply is there.
    Reply,
    /// It is a call whose caller may give up: the terms say so.
    ReplyOnTerms,
}

pub(crate) enum What {
    Letter(Letter),
    Order(Order),
}

/// What an instance or its thread is to do beside handling messages.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// Run `on_start`.
    Start,
    /// End the instance.
    End,
    /// A timer is due.
    Tick(u64),
    /// A pipe's future can go on.
    Piped(u64),
    /// End the thread when all that came before is done.
    Shutdown,
}

impl Mail {
    /// What it counts for in `Account::take_in`.
    pub(crate) fn weight(&self) -> u64 {
        if self.messages == 0 { ORDER } else { u64::from(self.messages) }
    }

    /// A letter with one message. It goes into no mailbox before it is `signed`.
    #[inline(always)]
    pub(crate) fn letter(to: Slot, letter: Letter, how: How) -> Self {
        let How { rotated, permitted } = how;
        let what = What::Letter(letter);
        let (from_hook, wants) = (in_hook(), Wants::Nothing);
        Self { to, number: 0, messages: 1, rotated, permitted, from_hook, wants, what }
    }

    /// For any mailbox: this thread takes it back if that has closed.
    #[inline(always)]
    pub(crate) fn signed(self) -> Self {
        Self { number: pusher(), ..self }
    }

    /// A letter with a message that asks for a reply.
    #[inline]
    pub(crate) fn call(to: Slot, letter: Letter, on_terms: bool, how: How) -> Self {
        let wants = if on_terms { Wants::ReplyOnTerms } else { Wants::Reply };
        Self { wants, ..Self::letter(to, letter, how).signed() }
    }

    /// A letter with any number of messages.
    pub(crate) fn batch(to: Slot, letter: Letter, how: How) -> Self {
        let mut mail = Self::letter(to, letter, how).signed();
        mail.recount();
        mail
    }

    /// Something that is no message.
    #[inline(always)]
    pub(crate) fn order(to: Slot, order: Order) -> Self {
        let what = What::Order(order);
        let (rotated, permitted, from_hook, wants) = (false, false, false, Wants::Nothing);
        Self { to, number: 0, messages: 0, rotated, permitted, from_hook, wants, what }
    }

    /// With its place in the order of arrival, where that needs to be known.
    #[inline(always)]
    pub(crate) fn numbered(self, number: Option<u64>) -> Self {
        Self { number: number.unwrap_or(self.number), ..self }
    }

    pub(crate) fn into_letter(self) -> Option<Letter> {
        match self.what {
            What::Letter(letter) => Some(letter),
            What::Order(_) => None,
        }
    }

    /// Whether a message for `to`, on its way in the way told, may be added to it.
    #[inline]
    pub(crate) fn takes(&self, to: Slot, how: How, from_hook: bool) -> bool {
        let in_same_way = (self.rotated, self.permitted, self.from_hook) == (how.rotated, how.permitted, from_hook);
        self.to == to && in_same_way && self.messages < GATHERED
    }

    /// Adds what is in `next` to it, if that is a single message to the same instance that came in the same way, and there is
    /// room: what comes one after another for one instance is handled as a batch.
    #[inline]
    pub(crate) fn gather(&mut self, next: &mut Self, spares: &Spares) -> bool {
        let how = How { rotated: next.rotated, permitted: next.permitted };
        if !self.takes(next.to, how, next.from_hook) {
            return false;
        }
        let (What::Letter(letter), What::Letter(other)) = (&mut self.what, &mut next.what) else { return false };
        let gathered = letter.gather(other, spares).apply(letter);
        if gathered {
            self.messages += next.messages;
        }
        gathered
    }

    /// Some of its messages were delivered.
    pub(crate) fn recount(&mut self) {
        if let What::Letter(letter) = &self.what {
            self.messages = u32::try_from(letter.len()).unwrap_or(u32::MAX);
        }
    }
}

/// Messages that are gathered to a batch at most: enough that what a batch costs does not count.
const GATHERED: u32 = 1_024;

/// The weight of an order: the low half of a load counts messages.
pub(crate) const ORDER: u64 = 1 << 32;

/// A number for the current thread, never 0 and never given to two.
#[inline]
fn pusher() -> u64 {
    use std::sync::atomic::AtomicU64; // under loom too: it only counts
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

/// What all of an engine's mailboxes and pools share: how far it is from its end, which only ever moves on, who is to be
/// told of that, and what was lost.
pub(crate) struct Edge {
    word: AtomicU8,
    pub(crate) losses: Losses,
    /// For calls that set none.
    pub(crate) default_deadline: Option<Duration>,
    /// Wakers of those parked until a thread of this engine answers, for the day that one is abandoned.
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    next: u64,
    wakers: HashMap<u64, Waker>,
}

impl Edge {
    const OPEN: u8 = 0;
    const CLOSED: u8 = 1;
    const SEALED: u8 = 2;
    const ABANDONED: u8 = 3;

    pub(crate) fn new(default_deadline: Option<Duration>) -> Self {
        Self { word: AtomicU8::new(Self::OPEN), losses: Losses::default(), default_deadline, waiters: Mutex::default() }
    }

    /// Outside threads may send.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) == Self::OPEN
    }

    /// Not even the engine's own threads may send.
    #[inline]
    pub(crate) fn is_sealed(&self) -> bool {
        self.word.load(Ordering::Acquire) >= Self::SEALED
    }

    /// Threads were left to themselves, and all others have ended: who waits for any of them waits in vain.
    pub(crate) fn is_abandoned(&self) -> bool {
        // Pairs with the fence in `abandon`, for who was woken by something else, and announced itself again before this
        // look: either it sees the abandonment, or the waker that it left sees it watching.
        fence(Ordering::SeqCst);
        self.word.load(Ordering::Acquire) == Self::ABANDONED
    }

    pub(crate) fn close(&self) {
        self.word.fetch_max(Self::CLOSED, Ordering::AcqRel);
    }

    pub(crate) fn seal(&self) {
        self.word.fetch_max(Self::SEALED, Ordering::AcqRel);
    }

    pub(crate) fn abandon(&self) {
        self.word.fetch_max(Self::ABANDONED, Ordering::AcqRel);
        fence(Ordering::SeqCst); // pairs with that in `is_abandoned`
        let wakers = std::mem::take(&mut lock(&self.waiters).wakers);
        for waker in wakers.into_values() {
            quietly(|| waker.wake());
        }
    }

    /// Has `waker` woken if threads are abandoned, until `leave` with the number given.
    pub(crate) fn attend(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        let mut waiters = lock(&self.waiters);
        waiters.next += 1;
        let id = waiters.next;
        waiters.wakers.insert(id, waker);
        id
    }

    pub(crate) fn leave(&self, id: u64) {
        let waker = lock(&self.waiters).wakers.remove(&id);
        quietly(|| drop(waker));
    }
}

/// Counters written by the mailbox's own thread alone and read as statistics, on cache lines of their own.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) handled: AtomicU64,
    pub(crate) panicked: AtomicU64,
    /// Messages that this thread has had in its hands, its own timers' and pipes' among them.
    pub(crate) taken: AtomicU64,
    /// Those of them that it gave to others, or that nobody will handle.
    pub(crate) passed: AtomicU64,
    pub(crate) instances: AtomicUsize,
    /// The slot whose code runs, packed; `IDLE` where none does.
    running: AtomicU64,
    /// Odd while the thread is at work; each spell of rest has a number of its own. See `lifecycle::Core::is_quiet`.
    activity: AtomicU64,
}

impl Meter {
    const IDLE: u64 = u64::MAX;

    /// Code of this instance runs from now on; gives what ran before, for `resume`.
    #[inline]
    pub(crate) fn run(&self, slot: Slot) -> u64 {
        let before = self.running.load(Ordering::Relaxed);
        self.running.store(u64::from(slot.generation) << 32 | u64::from(slot.index), Ordering::Relaxed);
        before
    }

    #[inline]
    pub(crate) fn resume(&self, before: u64) {
        self.running.store(before, Ordering::Relaxed);
    }

    pub(crate) fn running(&self) -> Option<Slot> {
        let packed = self.running.load(Ordering::Relaxed);
        (packed != Self::IDLE).then_some(Slot { index: packed as u32, generation: (packed >> 32) as u32 })
    }

    #[inline]
    pub(crate) fn add(counter: &AtomicU64, change: u64) {
        // Relaxed, not even a read-modify-write: one thread writes it.
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
    }

    /// Messages taken out of the mailbox and not done.
    pub(crate) fn in_hand(&self) -> usize {
        let done = [&self.handled, &self.panicked, &self.passed].map(|counter| counter.load(Ordering::Relaxed));
        // Read at different moments, they may seem to say that more was done than there was.
        self.taken.load(Ordering::Relaxed).saturating_sub(done.iter().sum()) as usize
    }
}

/// The one queue of an actor thread, with all that other threads touch of it.
pub(crate) struct Mailbox {
    pub(crate) thread: ThreadId,
    pub(crate) name: String,
    pub(crate) parker: Arc<Parker>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) meter: Meter,
    /// For a bounded one.
    pub(crate) room: Option<Room>,
    /// The instances that live here.
    pub(crate) roll: Roll,
    pub(crate) spares: Spares,
    /// Waits of handlers that did not end at once.
    waits: Mutex<Vec<Wait>>,
    /// Where siblings of an instance that ended are found.
    pools: Weak<Pools>,
    sender: queue::Sender<Mail>,
    receiver: queue::Receiver<Mail>,
    /// Messages in batches beyond the one that each batch counts for in the queue's length.
    batched: AtomicUsize,
    /// Letters pushed behind the closing, on their way back to their senders.
    late: Mutex<Vec<Mail>>,
}

impl Mailbox {
    pub(crate) fn new(thread: ThreadId, name: String, edge: Arc<Edge>, pools: Weak<Pools>, room: Option<Room>) -> Self {
        let (sender, receiver) = queue::unbounded();
        let meter = Meter { activity: AtomicU64::new(1), running: AtomicU64::new(Meter::IDLE), ..Meter::default() };
        Self {
            thread,
            name,
            parker: Arc::new(Parker::for_actor_thread()),
            edge,
            meter,
            room,
            roll: Roll::new(thread),
            spares: Spares::default(),
            waits: Mutex::default(),
            pools,
            sender,
            receiver,
            batched: AtomicUsize::new(0),
            late: Mutex::default(),
        }
    }

    /// Puts mail in and wakes the thread. A letter that came too late, behind the closing, is given back.
    #[inline]
    pub(crate) fn push(&self, mail: Mail) -> Option<Mail> {
        let pusher = mail.number;
        debug_assert!(pusher != 0 || matches!(mail.what, What::Order(_)), "nobody could take it back");
        // It cannot fail: this struct holds a receiver.
        let _ = self.sender.send(mail);
        if self.parker.wake() { None } else { self.take_back(pusher) }
    }

    /// The mailbox was closed before or during a push. Whoever closed it emptied it under the same lock, and what was
    /// pushed in time was found; what came later is still there, and belongs to those who pushed it, each of whom comes
    /// here.
    #[cold]
    fn take_back(&self, pusher: u64) -> Option<Mail> {
        let mut late = lock(&self.late);
        let mut orders = Vec::new();
        while let Ok(mail) = self.receiver.try_recv() {
            self.weigh(&mail);
            if mail.number == 0 { orders.push(mail) } else { late.push(mail) }
        }
        let own =
            late.iter().position(|mail| pusher != 0 && mail.number == pusher).map(|index| late.swap_remove(index));
        drop(late);
        drop(orders); // they hold nothing of the user's
        own.map(|own| self.release(own))
    }

    /// The same for a batch, which counts for as many messages as it holds.
    pub(crate) fn push_batch(&self, mail: Mail) -> Option<Mail> {
        // Relaxed: a statistic.
        self.batched.fetch_add(mail.messages.saturating_sub(1) as usize, Ordering::Relaxed);
        self.push(mail)
    }

    /// Nothing goes in any more; what is inside finds another receiver or none.
    pub(crate) fn close(&self) {
        // Under this lock, so that a late sender's `take_back` comes after: what is found here was pushed in time, or by
        // one who will not find it and takes it for that.
        let late = lock(&self.late);
        self.parker.close();
        let found: Vec<Mail> = self.receiver.drain().collect();
        drop(late);
        self.call_all();
        for mail in found {
            self.weigh(&mail);
            self.divert(mail);
        }
    }

    /// Mail whose instance has ended: if rotation had chosen that, a sibling takes over; else it is a dead letter.
    pub(crate) fn divert(&self, mail: Mail) {
        let mut mail = self.release(mail);
        let from_hook = mail.from_hook;
        if let (true, What::Letter(letter), Some(pools)) = (mail.rotated, &mut mail.what, self.pools.upgrade()) {
            // What a hook had sent stays known for that.
            as_hook(from_hook, || letter.forward(&pools));
            mail.recount();
        }
        self.bury(mail);
    }

    /// Nobody will handle it: what is left in it are dead letters, and calls end.
    pub(crate) fn bury(&self, mail: Mail) {
        let mut mail = self.release(mail);
        let why = if self.edge.is_sealed() { Undelivered::Stopped } else { Undelivered::Ended };
        let grave = self.grave(&mail, why);
        if let What::Letter(letter) = &mut mail.what {
            grave.losses.count(letter.len(), why);
            letter.bury(grave);
        }
    }

    fn grave(&self, mail: &Mail, why: Undelivered) -> Grave<'_> {
        let instance = InstanceId { thread: self.thread, slot: mail.to };
        Grave { losses: &self.edge.losses, instance, why, from_hook: mail.from_hook }
    }

    // Permits.

    /// Mail that will not be begun here holds none.
    fn release(&self, mut mail: Mail) -> Mail {
        if std::mem::take(&mut mail.permitted) {
            self.give_back(mail.messages as usize);
        }
        mail
    }

    #[inline]
    pub(crate) fn give_back(&self, permits: usize) {
        if let Some(room) = &self.room {
            room.give_back(permits);
        }
    }

    /// Something has changed for those who wait for room.
    pub(crate) fn call_all(&self) {
        if let Some(room) = &self.room {
            room.call_all();
        }
    }

    pub(crate) fn stats(&self) -> ThreadStats {
        ThreadStats {
            thread: self.thread,
            name: self.name.clone(),
            instances: self.meter.instances.load(Ordering::Relaxed),
            queued: self.load(),
            handled: self.meter.handled.load(Ordering::Relaxed),
            panicked: self.meter.panicked.load(Ordering::Relaxed),
            runs: self.meter.running().and_then(|slot| self.roll.find(slot)),
            waits: lock(&self.waits).clone(),
        }
    }

    /// The instance whose code runs begins to wait, until `end_wait`.
    pub(crate) fn begin_wait(&self, waiter: RunningInstance, callee: &'static str, on: ThreadId) {
        let RunningInstance { instance, message } = waiter;
        lock(&self.waits).push(Wait { instance, message, callee, on });
    }

    /// The innermost wait is over.
    pub(crate) fn end_wait(&self) {
        lock(&self.waits).pop();
    }

    /// Takes what is there: one by one if that is little, else all under one lock. Each counts as a message in hand before
    /// it leaves the queue, so that nobody sees it nowhere; who takes it puts that right (`Arrivals::counted`).
    #[inline]
    pub(crate) fn take(&self) -> Arrivals<'_> {
        let waiting = self.receiver.len();
        Meter::add(&self.meter.taken, waiting as u64);
        if waiting < MANY {
            return Arrivals { mailbox: self, source: Source::Few(&self.receiver, waiting), counted: waiting };
        }
        let drain = self.receiver.drain();
        let counted = drain.len();
        // More may have come meanwhile; or less, where the mailbox was closed from outside.
        Meter::add(&self.meter.taken, (counted as u64).wrapping_sub(waiting as u64));
        Arrivals { mailbox: self, source: Source::Many(drain), counted }
    }

    /// Mail was taken out of the queue.
    #[inline]
    fn weigh(&self, mail: &Mail) {
        if mail.messages > 1 {
            self.batched.fetch_sub(mail.messages as usize - 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Messages waiting or in the thread's hands.
    pub(crate) fn load(&self) -> usize {
        self.receiver.len() + self.batched.load(Ordering::Relaxed) + self.meter.in_hand()
    }

    /// The number of this spell of rest, or `None` while the thread has anything to do.
    pub(crate) fn rest(&self) -> Option<u64> {
        // In this order: if mail was taken out just now, the spell of work that began before that is seen.
        let empty = self.is_empty();
        // Acquire: pairs with `begin_rest`, so that all that was handled, and all that it pushed, is visible.
        let activity = self.meter.activity.load(Ordering::Acquire);
        (empty && activity % 2 == 0).then_some(activity)
    }

    /// The thread has nothing to do; called after it found its mailbox empty.
    pub(crate) fn begin_rest(&self) {
        self.meter.activity.fetch_add(1, Ordering::Release); // pairs with `rest`
    }

    /// Called before the thread takes anything out again.
    pub(crate) fn end_rest(&self) {
        // Relaxed: the lock of the mailbox, taken next, orders it before the look in `rest` that finds the mailbox empty.
        self.meter.activity.fetch_add(1, Ordering::Relaxed);
    }
}

/// From so many on, a mailbox is emptied under one lock, which costs an allocation.
const MANY: usize = 32;

/// Mail on its way out of the mailbox.
pub(crate) struct Arrivals<'a> {
    mailbox: &'a Mailbox,
    source: Source<'a>,
    /// So many messages were counted as taken.
    pub(crate) counted: usize,
}

enum Source<'a> {
    Few(&'a queue::Receiver<Mail>, usize),
    Many(queue::Drain<'a, Mail>),
}

impl Arrivals<'_> {
    /// Puts the next into its place, or leaves that empty: where it can stay, for each time that it is moved costs more than
    /// all else that is done with it.
    #[inline(always)]
    pub(crate) fn next_into(&mut self, place: &mut Option<Mail>) {
        *place = None;
        match &mut self.source {
            Source::Few(_, 0) => return,
            Source::Few(receiver, left) => {
                *left -= 1;
                *place = receiver.try_recv().ok();
            }
            Source::Many(drain) => *place = drain.next(),
        }
        if let Some(mail) = place {
            self.mailbox.weigh(mail);
        }
    }

    /// Nothing was there.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.source, Source::Few(_, 0))
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.thread)
    }
}

#[cfg(all(test, loom))]
mod loom_models;
