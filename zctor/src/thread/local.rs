//! An actor thread: what a user describes with [`ActorThread`], and the loop that serves its instances.
//!
//! The life of a thread:
//!
//! 1. It builds its instances, each by its factory, and reports. Until the engine has registered them it runs nothing.
//! 2. It takes mail from its mailbox into its own queue, a lane a call depth, and serves it in order of arrival; but a
//!    call to an instance for which nothing else is queued goes ahead (`Queue`). `on_start` is the first entry of each
//!    instance. Mail between its own instances goes to the queue directly. Messages to one instance that wait one behind
//!    the other are gathered to a batch, and handled under one look-up.
//! 3. A handler that waits serves the lanes below its own call depth meanwhile (`Local::wait`).
//! 4. With nothing to do it rests: announces itself, looks a last time, spins, parks (`park.rs`).
//! 5. It ends when its last instance has, or when the engine tells it to and its queue is empty: each instance in
//!    reverse order runs `on_stop` and is dropped, the mailbox closes, and what is left in it becomes dead letters.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use crate::event::End;
use crate::id::{Birth, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::counters::Page;
use crate::mailbox::envelope::{Letter, Serving};
use crate::mailbox::mail::Mail;
use crate::mailbox::roster::Struck;
use crate::report::InstanceReport;
use crate::sys::park::FIRST_SPIN;
use crate::thread::borrowed::Away;
use crate::thread::run::Exit;
use crate::thread::slots::Floor;
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
    /// Gives what is left in a letter to siblings of its receiver, which has ended. What it could not place stays inside.
    fn redirect(&self, letter: &mut Letter);
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

/// Everything of an actor thread that no other thread touches.
///
/// Its cells are borrowed for a moment each, never while user code runs.
pub(crate) struct Local {
    pub(crate) parent: Arc<dyn Parent>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(super) waker: Waker,
    pub(super) floor: RefCell<Floor>,
    pub(super) timers: RefCell<BTreeMap<(Instant, u64), Slot>>,
    /// Numbers timers, pipes and tenants.
    pub(super) serial: Cell<u64>,
    /// The engine told this thread to end.
    pub(super) ending: Cell<bool>,
    /// It goes on without instances: the calling thread of `here`.
    pub(super) stays: Cell<bool>,
    /// That one is back at something of its own: since when it rests, if it does, and the alarm for its next timer.
    pub(super) away: Cell<Option<Away>>,
    /// The end of that one, put off until no code of its instances is on the stack.
    pub(super) dropped: Cell<Option<Exit>>,
    /// Messages held for instances that rest.
    pub(super) held: Cell<usize>,
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
            floor: RefCell::default(),
            timers: RefCell::default(),
            serial: Cell::new(0),
            ending: Cell::new(false),
            stays: Cell::new(false),
            away: Cell::new(None),
            dropped: Cell::new(None),
            held: Cell::new(0),
            budget: Cell::new(FIRST_SPIN),
            kept,
        }
    }

    // Slots.

    #[inline(always)]
    pub(crate) fn instance(&self, slot: Slot) -> Option<Rc<dyn AnyInstance>> {
        self.floor.borrow().instance(slot)
    }

    /// A slot for a newcomer, and when it came.
    pub(crate) fn reserve(&self) -> (Slot, Birth) {
        (self.floor.borrow_mut().reserve(), Birth::of(self.next_serial()))
    }

    /// Puts a newcomer on the roll; gives the page with its account.
    pub(crate) fn enrol(&self, slot: Slot, name: &'static str) -> Arc<Page> {
        let page = self.mailbox.roll.enrol(slot, name);
        self.floor.borrow_mut().keep(slot, &page);
        page
    }

    pub(crate) fn settle_in(&self, instance: Rc<dyn AnyInstance>, depth: u16) {
        self.floor.borrow_mut().settle_in(instance, depth);
        self.mailbox.meter.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody lives here.
    pub(super) fn is_empty(&self) -> bool {
        self.mailbox.meter.instances.load(Ordering::Relaxed) == 0
    }

    /// The youngest of those that live here.
    pub(super) fn youngest(&self) -> Option<Rc<dyn AnyInstance>> {
        self.floor.borrow_mut().youngest()
    }

    /// The instance has ended: reports it and frees its slot.
    pub(crate) fn vacate(&self, slot: Slot, why: &End) -> Struck {
        self.leave(slot, why, |report| self.parent.instance_ended(report))
    }

    /// Frees the slot of an instance that has ended. `report` is given its account, unless an abandonment has reported that
    /// before.
    pub(crate) fn leave(&self, slot: Slot, why: &End, report: impl FnOnce(InstanceReport)) -> Struck {
        let struck = self.mailbox.roll.strike(slot, why, report);
        // Its account is still read where it was reported with its thread: that is nobody else's then.
        let left = self.floor.borrow_mut().vacate(slot, struck.is_news);
        self.mailbox.meter.instances.fetch_sub(1, Ordering::Relaxed);
        // Its parts of the user's making are gone by now; what is left is ours.
        drop(left);
        struck
    }

    pub(crate) fn count_restart(&self) {
        self.mailbox.edge.losses.restart();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Built; `on_start` comes before the first message.
    New,
    Live,
    /// Panicked too often: waits before it is built again. Its mail is held.
    Resting,
    Ended,
}

/// What a handler asked for; done when it has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    #[default]
    None,
    Reset,
    Stop,
}

/// The part of an instance that does not depend on its types.
pub(crate) struct Common {
    pub(crate) phase: Cell<Phase>,
    pub(crate) wish: Cell<Wish>,
    /// Its code is on the stack: a message for it must wait its turn.
    pub(crate) busy: Cell<bool>,
    /// Its handlers have answered when they return. A double's have not: a test answers for it.
    pub(crate) answers_itself: bool,
}

/// What a thread does with an instance whatever its types.
pub(crate) trait AnyInstance {
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
    fn settle(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>);
    /// Keeps mail while it rests.
    fn hold(&self, mail: Mail);
    fn take_held(&self) -> VecDeque<Mail>;
    fn holds_mail(&self) -> bool;
}

/// What became of a call that its caller's thread was to handle on the spot.
pub(crate) enum OnTheSpot {
    Handled,
    /// The callee must handle something else first.
    Busy,
    Unsettled(Unsettled),
}

/// The callee has panicked, or asked for something.
pub(crate) struct Unsettled {
    pub(crate) callee: Rc<dyn AnyInstance>,
    pub(crate) panic: Option<Arc<str>>,
}

impl Unsettled {
    /// Does what follows from it; gives the panic's text.
    #[cold]
    pub(crate) fn settle(self, local: &Rc<Local>) -> Option<Arc<str>> {
        self.callee.settle(local, self.panic.as_ref());
        self.panic
    }
}
