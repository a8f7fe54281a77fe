//! What an actor thread has that no other thread touches, and how it knows its instances and its engine.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use crate::event::End;
use crate::id::{Birth, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::counters::Block;
use crate::mailbox::envelope::{Envelope, Serving};
use crate::mailbox::roster::Removed;
use crate::report::InstanceReport;
use crate::sys::alarm::AlarmId;
use crate::sys::park::FIRST_SPIN;
use crate::thread::held::Held;
use crate::thread::queue::Queue;
use crate::thread::slots::{Occupant, Slots};
use crate::thread::timers::Timers;
use crate::type_map::TypeMap;

thread_local! {
    pub(super) static LOCAL: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

/// The actor thread that this code runs on.
#[inline]
pub(crate) fn local() -> Option<Rc<Local>> {
    LOCAL.try_with(|local| local.borrow().clone()).ok().flatten()
}

/// Whom an actor thread tells of itself, and who finds another receiver for its mail: its engine.
pub(crate) trait Parent: Send + Sync {
    /// The thread has nothing to do, for now.
    fn came_to_rest(&self);
    /// An instance of it has ended.
    fn instance_ended(&self, report: InstanceReport);
    /// The thread has ended.
    fn thread_ended(&self, mailbox: &Arc<Mailbox>);
    /// Gives what is left in an envelope to siblings of its receiver, which has ended. What it could not place stays inside.
    fn redirect(&self, envelope: &mut Envelope);
}

/// What the layers above keep on a thread: a value a type.
#[derive(Default)]
pub(crate) struct Kept(RefCell<TypeMap<Box<dyn Any>>>);

impl Kept {
    #[inline]
    pub(crate) fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.borrow().get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }

    /// Keeps a value. Gives the one before, which may hold something of the user's.
    pub(crate) fn put<T: 'static>(&self, value: T) -> Option<Box<dyn Any>> {
        self.0.borrow_mut().insert(TypeId::of::<T>(), Box::new(value))
    }
}

/// The instances of a thread, and the queue of what waits for them: in one cell, which is borrowed once for each step.
#[derive(Default)]
pub(super) struct Hosting {
    pub(super) slots: Slots<Rc<dyn Instance>>,
    pub(super) queue: Queue,
}

/// A thread that is not ours: the calling thread of `here`, an actor thread only while it serves or waits.
#[derive(Default)]
pub(super) struct Borrowed {
    /// Whether this is one. It goes on without instances then.
    pub(super) is_one: Cell<bool>,
    /// It is back at something of its own.
    pub(super) elsewhere: Cell<Option<Elsewhere>>,
    /// Its end, put off until no code of its instances is on the stack.
    pub(super) end: Cell<Option<Box<dyn FnOnce()>>>,
}

/// What a borrowed thread has left behind while it is back at something of its own.
pub(super) struct Elsewhere {
    /// Its word stands by.
    pub(super) stands: bool,
    pub(super) rests: bool,
    /// For its next timer.
    pub(super) alarm: Option<AlarmId>,
}

/// Everything of an actor thread that no other thread touches.
///
/// Its cells are borrowed for a origin each, never while user code runs.
pub(crate) struct Local {
    pub(crate) parent: Arc<dyn Parent>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Wakes this thread.
    pub(super) waker: Waker,
    pub(super) hosting: RefCell<Hosting>,
    pub(super) held: Held,
    pub(crate) timers: Timers,
    /// The engine told this thread to end.
    pub(super) ending: Cell<bool>,
    pub(super) borrowed: Borrowed,
    /// How long it spins before it parks.
    pub(super) budget: Cell<u32>,
    /// What the layers above keep here.
    pub(crate) kept: Kept,
}

impl Local {
    pub(super) fn new(parent: Arc<dyn Parent>, mailbox: Arc<Mailbox>, kept: Kept) -> Self {
        let waker = Waker::from(Arc::clone(&mailbox.parker));
        Self {
            parent,
            mailbox,
            waker,
            hosting: RefCell::default(),
            held: Held::default(),
            timers: Timers::default(),
            ending: Cell::new(false),
            borrowed: Borrowed::default(),
            budget: Cell::new(FIRST_SPIN),
            kept,
        }
    }

    #[inline(always)]
    pub(crate) fn instance(&self, slot: Slot) -> Option<Rc<dyn Instance>> {
        self.hosting.borrow().slots.instance(slot)
    }

    /// A slot for a newcomer, and when it came.
    pub(crate) fn reserve(&self) -> (Slot, Birth) {
        (self.hosting.borrow_mut().slots.reserve(), Birth::of(self.timers.next_serial()))
    }

    /// Puts a newcomer on the roster; gives the block with its account.
    pub(crate) fn add(&self, slot: Slot, name: &'static str) -> Arc<Block> {
        let block = self.mailbox.roster.add(slot, name);
        self.hosting.borrow_mut().slots.keep(slot, &block);
        block
    }

    /// Puts an instance into the slot that was reserved for it.
    pub(crate) fn occupy(&self, instance: Rc<dyn Instance>, depth: u16) {
        self.hosting.borrow_mut().slots.occupy(instance, depth);
        self.mailbox.meter.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// The instance has ended: reports it and frees its slot.
    pub(crate) fn vacate(&self, slot: Slot, why: &End) -> Removed {
        self.leave(slot, why, |report| self.parent.instance_ended(report))
    }

    /// Frees the slot of an instance that has ended. `report` is given its account, unless an abandonment has reported that
    /// before.
    pub(crate) fn leave(&self, slot: Slot, why: &End, report: impl FnOnce(InstanceReport)) -> Removed {
        let removed = self.mailbox.roster.remove(slot, why, report);
        // Its account is still read where it was reported with its thread: that is nobody else's then.
        let left = self.hosting.borrow_mut().slots.vacate(slot, removed.is_news);
        self.mailbox.meter.instances.fetch_sub(1, Ordering::Relaxed);
        // Its parts of the user's making are gone by now; what is left is ours.
        drop(left);
        removed
    }

    /// Nobody lives here.
    pub(super) fn is_empty(&self) -> bool {
        self.mailbox.meter.instances.load(Ordering::Relaxed) == 0
    }

    /// The youngest of those that live here.
    pub(super) fn youngest(&self) -> Option<Rc<dyn Instance>> {
        self.hosting.borrow_mut().slots.youngest()
    }

    /// Mail of depths below this one waits in the queue.
    pub(super) fn has_mail(&self, below: u32) -> bool {
        self.hosting.borrow().queue.has(below)
    }

    /// When this thread must wake by itself. Once it is to end, only mail that is held is waited for.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        if self.ending.get() && self.held.is_empty() { None } else { self.timers.first() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Built; `on_start` comes before the first message.
    New,
    Live,
    /// Panicked too often: waits before it is built again. Its mail is held.
    BackingOff,
    Ended,
}

/// What a handler asked for; done when it has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Requested {
    #[default]
    None,
    Reset,
    Stop,
}

/// The part of an instance that does not depend on its types.
pub(crate) struct Common {
    pub(crate) phase: Cell<Phase>,
    pub(crate) requested: Cell<Requested>,
    /// Its code is on the stack: a message for it must wait its turn.
    pub(crate) busy: Cell<bool>,
    /// Its handlers have answered when they return. A double's have not: a test answers for it.
    pub(crate) answers_itself: bool,
}

/// What a thread does with an instance whatever its types.
pub(crate) trait Instance {
    fn common(&self) -> &Common;
    fn slot(&self) -> Slot;
    fn born(&self) -> Birth;
    /// Handles the message in an `Option` of its type, if it takes messages now; `true` if nothing is left of that.
    fn handle_message(self: Rc<Self>, local: &Rc<Local>, serving: Serving, message: &mut dyn Any) -> bool;
    /// As `handle_message`, for the call in an `Option<Call>`. One whose caller has given up is skipped.
    fn handle_call(
        self: Rc<Self>,
        local: &Rc<Local>,
        serving: Serving,
        call: &mut dyn Any,
        can_be_given_up: bool,
    ) -> bool;
    /// As `handle_message`, for those in a `VecDeque`, one after the other while it takes them and `serving` allows.
    fn handle_batch(self: Rc<Self>, local: &Rc<Local>, serving: Serving, messages: &mut dyn Any) -> bool;
    /// Handles the message in an `Option`, called on this thread just now, if it is free to, under a deadline; `reply` is its
    /// caller's place for that, an `Option` too.
    fn handle_here(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut dyn Any,
        reply: &mut dyn Any,
        deadline: Option<Instant>,
    ) -> OnTheSpot;
    /// Runs `on_start` if it is due.
    fn start(self: Rc<Self>, local: &Rc<Local>);
    /// Ends it in order: `on_stop`, drop.
    fn end(self: Rc<Self>, local: &Rc<Local>);
    /// Drops it as it is, and frees its slot: the thread never came to run, or its factory failed.
    fn discard(&self, local: &Rc<Local>);
    fn tick(self: Rc<Self>, local: &Rc<Local>, id: u64);
    fn piped(self: Rc<Self>, local: &Rc<Local>, id: u64);
    /// Does what follows the end of a handler, if that panicked or asked for something.
    fn follow_up(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>);
}

impl Occupant for Rc<dyn Instance> {
    fn slot(&self) -> Slot {
        (**self).slot()
    }

    fn born(&self) -> Birth {
        (**self).born()
    }
}

/// What became of a call that its caller's thread was to handle on the spot.
pub(crate) enum OnTheSpot {
    Handled,
    /// The callee must handle something else first.
    Busy,
    FollowUp(FollowUp),
}

/// The callee has panicked, or asked for something.
pub(crate) struct FollowUp {
    pub(crate) callee: Rc<dyn Instance>,
    pub(crate) panic: Option<Arc<str>>,
}

impl FollowUp {
    /// Does what follows from it; gives the panic's text.
    #[cold]
    pub(crate) fn run(self, local: &Rc<Local>) -> Option<Arc<str>> {
        self.callee.follow_up(local, self.panic.as_ref());
        self.panic
    }
}
