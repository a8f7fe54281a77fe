//! The inner queue of a mailbox. Where a thread has an inner bound, messages from inside wait here, and no more of them
//! than that. A sender never waits for room: its message is refused, or costs another its place.
//!
//! The protocol:
//!
//! 1. A message or a call from inside waits in this queue until its handler begins. An order in the mailbox stands for
//!    it, `Order::TakeInner`, which names the instance and not the message. So the thread takes in orders only, and
//!    other threads can take a message that waits out of here, or put another in its place.
//! 2. A sender does all of this under the lock. If the queue is closed, it takes its message back. Else the policy says
//!    whether the message takes the place of one that waits, costs the oldest its place, or is refused. A message that
//!    is sent in turn moves the turn of its pool now, when it is known to be accepted; if another sender has moved it
//!    meanwhile, the sender takes its message back, and chooses anew. If the message is added at the end, and there are
//!    not more orders for its instance than messages, an order is pushed into the mailbox.
//! 3. An order stays when its message is lost, and the next message for the same instance uses it. So there are never
//!    fewer orders for an instance than messages, and never more than there were messages for it at a time: the memory
//!    is bounded, however many are lost.
//! 4. The thread obeys an order by the first message for the instance, if that takes messages now; without a message
//!    the order is void. As long as the instance backs off, the order is held, and its message waits here, and counts.
//! 5. The mailbox closes and is emptied under the lock too. So no order is pushed behind the close; and each message
//!    here has an order, in the hands of whoever closed the mailbox or of the thread, and goes where that order goes:
//!    to a sibling, or to the dead letters.
//! 6. A lost message is counted under the lock, so before a shutdown can make its report, and told of outside of it.
//!
//! Messages for one instance are handled in the order in which they were added here, since they are taken from the
//! front. That holds for calls too, which wait here like messages and are never handled on the spot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::event::Undelivered;
use crate::id::{InstanceId, Slot, ThreadId};
use crate::mailbox::dead_letters::Incidents;
use crate::mailbox::envelope::Undeliverable;
use crate::mailbox::mail::{Mail, MailContents, MailKind, Order};
use crate::mailbox::mail_queue::MailQueue;
use crate::report::RoomStats;
use crate::sys::sync::{Mutex, MutexGuard, lock};

/// Says what becomes of a message from inside that finds an [inner bound](crate::ActorThread::inner_bound) used up.
///
/// It never makes its sender wait: others may wait for what an actor thread does. Each message that was accepted and is
/// lost is a dead letter; a call that is lost ends with [`CallError::Full`](crate::CallError::Full).
///
/// ```
/// use std::sync::mpsc;
/// use zctor::{ActorEngine, ActorThread, Context, Inner, actor};
///
/// #[actor]
/// pub enum ScreenMessage {
///     Quote(#[key] &'static str, u32),
/// }
/// struct Screen(mpsc::Sender<(&'static str, u32)>);
/// impl ScreenHandler for Screen {
///     fn quote(&mut self, symbol: &'static str, price: u32) {
///         self.0.send((symbol, price)).unwrap_or_default();
///     }
/// }
///
/// #[actor(ctx)]
/// pub enum FeedMessage {
///     Burst,
/// }
/// struct Feed;
/// impl FeedHandler for Feed {
///     fn burst(&mut self, ctx: &mut Context<FeedMessage>) {
///         for price in 1..=100 {
///             for symbol in ["AAA", "BBB"] {
///                 ctx.send(ScreenMessage::Quote(symbol, price)).expect("a place for each symbol");
///             }
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.on_dead_letter(|_| {}); // an old price is no loss
/// let (show, shown) = mpsc::channel();
/// let screen = ScreenMessage::actor(move || Screen(show.clone()));
/// // On one thread, so that the screen comes to look only after the burst.
/// let thread = ActorThread::new().inner_bound(2, Inner::Conflate);
/// engine.spawn(thread.register(screen).register(FeedMessage::actor(|| Feed)))?;
/// engine.send(FeedMessage::Burst)?;
/// let report = engine.shutdown()?;
/// assert_eq!(shown.try_iter().collect::<Vec<_>>(), [("AAA", 100), ("BBB", 100)]);
/// assert_eq!(report.dead_letters, 198);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inner {
    /// The message comes back: its sender gets [`SendError::Full`](crate::SendError::Full) or
    /// [`CallError::Full`](crate::CallError::Full).
    Refuse,
    /// The message is accepted, and the oldest that waits is lost.
    DropOldest,
    /// Whether there is room or not, the message takes the place of one that waits for the same instance, of the same
    /// variant and with the same `#[key]`, and that one is lost. If there is none and no room, the message is refused.
    /// Calls neither take the place of others nor lose their own.
    Conflate,
}

/// Of two messages with the same instance, variant and hash of the key, the newer takes the place of the older.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConflationKey {
    pub(crate) to: Slot,
    pub(crate) variant: &'static str,
    pub(crate) key: Option<u64>,
}

/// The messages and calls from inside that wait for the instances of one thread.
pub(crate) struct InnerQueue {
    thread: ThreadId,
    bound: usize,
    pub(crate) policy: Inner,
    waiting: Mutex<InnerState>,
}

/// The queue behind its lock. Mail has numbers in the order of arrival.
#[derive(Default)]
struct InnerState {
    is_closed: bool,
    arrivals: u64,
    mail: BTreeMap<u64, Queued>,
    instances: HashMap<Slot, PerInstance>,
    same: HashMap<ConflationKey, u64>,
}

struct Queued {
    mail: Mail,
    same: Option<ConflationKey>,
}

/// The mail that waits for one instance.
#[derive(Default)]
struct PerInstance {
    waiting: BTreeSet<u64>,
    /// The orders under way for it: never fewer than what waits.
    orders: usize,
}

/// The outcome for mail that was to be added.
enum Added {
    /// It waits. An order for it is to be pushed, or there is one.
    Waits { needs_order: bool },
    /// It waits, and this is lost.
    InPlaceOf { lost: Mail, why: Undelivered, needs_order: bool },
    /// There is no room.
    Full(Mail),
    /// The queue is as it was: it is closed, or the turn was another's. The sender chooses anew.
    Back(Mail),
}

impl InnerQueue {
    pub(super) fn new(thread: ThreadId, bound: usize, policy: Inner) -> Self {
        Self { thread, bound: bound.max(1), policy, waiting: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, InnerState> {
        lock(&self.waiting)
    }

    /// Whether the policy may accept a message just now.
    pub(crate) fn may_accept(&self) -> bool {
        self.policy != Inner::Refuse || self.has_room()
    }

    /// Whether the queue has room for one more, so that nothing would be lost.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().mail.len() < self.bound
    }

    /// The room of the queue, for the statistics. Nobody waits for it.
    pub(crate) fn room(&self) -> RoomStats {
        RoomStats { bound: self.bound, taken: self.lock().mail.len(), waiting: 0 }
    }

    /// Step 2: adds mail from inside, and pushes an order for it into `queue`, if it needs one. Gives the mail back if
    /// the mailbox has closed or the turn was another's, or with `Err` if there is no room.
    pub(super) fn push(
        &self,
        queue: &MailQueue,
        incidents: &Incidents,
        mail: Mail,
        same: Option<ConflationKey>,
        take_turn: &dyn Fn() -> bool,
    ) -> Result<Option<Mail>, Mail> {
        let (to, kind) = (mail.to, mail.kind);
        let mut waiting = self.lock();
        let (needs_order, lost) = match self.add(&mut waiting, mail, same, take_turn) {
            Added::Waits { needs_order } => (needs_order, None),
            Added::InPlaceOf { lost, why, needs_order } => {
                incidents.count(lost.name(), 1, why); // step 6
                (needs_order, Some((lost, why)))
            }
            Added::Full(mail) => return Err(mail),
            Added::Back(mail) => return Ok(Some(mail)),
        };
        if needs_order {
            queue.put(Mail::to_take(to, kind));
        }
        drop(waiting);
        if needs_order {
            // If the mailbox has closed meanwhile, the order was found there.
            let _ = queue.wake();
        }
        if let Some((lost, why)) = lost {
            self.tell_of(lost, why, incidents);
        }
        Ok(None)
    }

    /// Step 6: tells of mail that was lost and counted.
    fn tell_of(&self, mut lost: Mail, why: Undelivered, incidents: &Incidents) {
        let instance = InstanceId { thread: self.thread, slot: lost.to };
        if let MailContents::Envelope(envelope) = &mut lost.contents {
            envelope.discard(Undeliverable { incidents, instance, why, from_hook: lost.from_hook });
        }
    }

    /// Step 2, under the lock. `take_turn` moves the turn of the pool; `false` if that was another's meanwhile.
    fn add(
        &self,
        waiting: &mut InnerState,
        mail: Mail,
        same: Option<ConflationKey>,
        take_turn: &dyn Fn() -> bool,
    ) -> Added {
        if waiting.is_closed {
            return Added::Back(mail);
        }
        let like = same.and_then(|same| waiting.same.get(&same).copied());
        let is_full = waiting.mail.len() >= self.bound;
        if like.is_none() && is_full && self.policy != Inner::DropOldest {
            return Added::Full(mail);
        }
        if !take_turn() {
            return Added::Back(mail);
        }
        if let Some(entry) = like.and_then(|number| waiting.mail.get_mut(&number)) {
            let lost = std::mem::replace(&mut entry.mail, mail);
            return Added::InPlaceOf { lost, why: Undelivered::Conflated, needs_order: false };
        }
        let lost = if is_full { waiting.take_oldest() } else { None };
        let needs_order = waiting.append(mail, same);
        match lost {
            Some(lost) => Added::InPlaceOf { lost, why: Undelivered::Full, needs_order },
            None => Added::Waits { needs_order },
        }
    }

    /// Step 5: closes it, and the mailbox by `close_mailbox`, under the lock.
    pub(super) fn close<R>(&self, close_mailbox: impl FnOnce() -> R) -> R {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        close_mailbox()
    }

    /// Step 4: takes the first that waits for an instance, by an order which is obeyed, or which nobody will obey.
    pub(super) fn take(&self, to: Slot) -> Option<Mail> {
        let mut waiting = self.lock();
        let of_instance = waiting.instances.get_mut(&to)?;
        of_instance.orders -= 1;
        let number = of_instance.waiting.first().copied();
        if number.is_none() && of_instance.orders == 0 {
            waiting.instances.remove(&to);
        }
        waiting.remove(number?)
    }
}

impl InnerState {
    /// Adds mail at the end; gives whether it needs an order.
    fn append(&mut self, mail: Mail, same: Option<ConflationKey>) -> bool {
        self.arrivals += 1;
        let (number, to) = (self.arrivals, mail.to);
        if let Some(same) = same {
            self.same.insert(same, number);
        }
        self.mail.insert(number, Queued { mail, same });
        let of_instance = self.instances.entry(to).or_default();
        of_instance.waiting.insert(number);
        let needs_order = of_instance.waiting.len() > of_instance.orders;
        of_instance.orders += usize::from(needs_order);
        needs_order
    }

    fn take_oldest(&mut self) -> Option<Mail> {
        let number = *self.mail.first_key_value()?.0;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<Mail> {
        let Queued { mail, same } = self.mail.remove(&number)?;
        if let Some(same) = same {
            self.same.remove(&same);
        }
        if let Some(of_instance) = self.instances.get_mut(&mail.to) {
            of_instance.waiting.remove(&number);
            if of_instance.waiting.is_empty() && of_instance.orders == 0 {
                self.instances.remove(&mail.to);
            }
        }
        Some(mail)
    }
}

impl Mail {
    /// The order for mail that waits in the inner queue. It counts as the message, and goes ahead as a call where that
    /// would.
    pub(crate) fn to_take(to: Slot, kind: MailKind) -> Self {
        Self { messages: 1, kind, ..Self::order(to, Order::TakeInner) }
    }
}
