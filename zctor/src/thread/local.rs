//! The state of an actor thread that no other thread touches, and its instances as it knows them.
//!
//! `Local` and the trait `Instance` stand in one file since each names the other: a thread has instances, and each call
//! of an instance is given the thread. The actor layer implements `Instance`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::event::End;
use crate::id::{Birth, InstanceId, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::account::{Account, Block};
use crate::mailbox::envelope::Serving;
use crate::mailbox::handling_times::Measured;
use crate::mailbox::mail::Cancellable;
use crate::mailbox::watchers::Removed;
use crate::reply::cancellation::Caller;
use crate::report::InstanceReport;
use crate::sys::alarm::AlarmId;
use crate::sys::spin::Budgets;
use crate::thread::free_list::FreeList;
use crate::thread::held::Held;
use crate::thread::kept::Kept;
use crate::thread::owner::ThreadOwner;
use crate::thread::phase::Common;
use crate::thread::queue::Queue;
use crate::thread::slots::{Occupant, Slots};
use crate::thread::timers::Timers;
use crate::trace::work::Work;

thread_local! {
    /// Without a destructor, so that it is there to the very end of a thread: destructors of the user's thread-locals
    /// may end instances, and wait. `ThreadGuard` empties it.
    pub(super) static LOCAL: ManuallyDrop<RefCell<Option<Rc<Local>>>> = const { ManuallyDrop::new(RefCell::new(None)) };
}

/// The actor thread that this code runs on.
#[inline(always)]
pub(crate) fn local() -> Option<Rc<Local>> {
    local_if(|_| true)
}

/// The same, if `is_meant`.
#[inline(always)]
pub(crate) fn local_if(is_meant: impl FnOnce(&Local) -> bool) -> Option<Rc<Local>> {
    // It never fails, but `with` is a function of its own.
    LOCAL.try_with(|local| local.borrow().as_ref().filter(|local| is_meant(local)).cloned()).ok().flatten()
}

/// The instance whose code runs on this thread, if it is an actor thread.
pub(crate) fn running_here() -> Option<InstanceId> {
    let local = LOCAL.try_with(|local| local.borrow().clone()).ok().flatten()?;
    let (thread, slot) = (local.mailbox.thread, local.mailbox.meter.running()?);
    Some(InstanceId { thread, slot })
}

/// The instances of a thread and the queue of their mail. They share one cell, so that a step borrows once.
#[derive(Default)]
pub(super) struct Hosting {
    pub(super) slots: Slots<Rc<dyn Instance>>,
    pub(super) queue: Queue,
    free: FreeList<dyn Instance>,
}

/// The slot, the age and the memory that a new instance of a thread gets.
pub(crate) struct Reserved {
    pub(crate) slot: Slot,
    /// Its age.
    pub(crate) born: Birth,
    /// An instance that has ended, whose memory the new one may take if it is of the same types.
    pub(crate) ended: Option<Rc<dyn Instance>>,
}

/// The part of the state that only the calling thread of `here` uses; see `borrowed.rs`.
#[derive(Default)]
pub(super) struct Borrowed {
    /// Whether the thread is borrowed. It goes on without instances then.
    pub(super) is_one: Cell<bool>,
    /// Set while the thread is in code of its own.
    pub(super) elsewhere: Cell<Option<Elsewhere>>,
    /// The end of its part in the engine, put off until no code of its instances is on the stack.
    pub(super) end: Cell<Option<Box<dyn FnOnce()>>>,
}

/// The things to be undone when a borrowed thread comes back from code of its own.
pub(super) struct Elsewhere {
    /// Whether its word stands by.
    pub(super) stands: bool,
    /// Whether it counts as at rest.
    pub(super) rests: bool,
    /// The alarm that is set for its next timer.
    pub(super) alarm: Option<AlarmId>,
}

/// The state of an actor thread that no other thread touches.
///
/// Its cells are borrowed only briefly, and never while user code runs. All that other threads touch of this one is in
/// its mailbox.
pub(crate) struct Local {
    pub(crate) owner: Arc<dyn ThreadOwner>,
    /// The address of the engine, which names it for as long as there is the thread.
    pub(crate) owner_address: usize,
    pub(crate) mailbox: Arc<Mailbox>,

    // Its instances, and their mail.
    pub(super) hosting: RefCell<Hosting>,
    pub(super) held: Held,
    pub(crate) timers: Timers,
    /// Whether the engine has told this thread to end.
    pub(super) ending: Cell<bool>,

    // How it waits.
    /// Wakes this thread.
    pub(super) waker: Waker,
    /// How long the thread spins before it parks.
    pub(super) budgets: Budgets,
    pub(super) borrowed: Borrowed,

    // The handlers under way.
    /// The innermost of the calls that are handled here and that their callers can give up; and the instance that
    /// handles it.
    caller: Cell<Option<(Slot, Arc<dyn Caller>)>>,
    /// The variant that the innermost handler which may wait handles.
    pub(crate) variant: Cell<Option<&'static str>>,
    /// The handlers whose times are measured.
    pub(crate) measured: Measured,

    /// Values that the layers above keep here.
    pub(crate) kept: Kept,
}

impl Local {
    pub(crate) fn new(owner: Arc<dyn ThreadOwner>, mailbox: Arc<Mailbox>, kept: Kept) -> Self {
        let waker = Waker::from(Arc::clone(&mailbox.parker));
        let measured = Measured::new(&mailbox.engine.observed);
        Self {
            owner_address: Arc::as_ptr(&owner) as *const () as usize,
            owner,
            mailbox,
            waker,
            hosting: RefCell::default(),
            held: Held::default(),
            timers: Timers::default(),
            ending: Cell::new(false),
            borrowed: Borrowed::default(),
            budgets: Budgets::new(),
            caller: Cell::new(None),
            variant: Cell::new(None),
            measured,
            kept,
        }
    }

    /// Prepares the handling of a message: notes its variant, begins to measure its handler. Gives whether the edge
    /// allows that it is handled. Called where `Edge::is_plain` says no.
    pub(crate) fn admit_and_note(
        &self,
        slot: Slot,
        account: &Account,
        message: Option<(&'static str, &'static str)>,
    ) -> bool {
        let Mailbox { engine, noted, .. } = &*self.mailbox;
        if engine.edge.is_sealed() {
            return false;
        }
        if let Some((message, variant)) = message {
            if engine.edge.notes_variants() {
                noted.note(slot, account, variant);
            }
            if self.measured.is_on() {
                self.measured.begin(slot, message, variant);
            }
        }
        true
    }

    /// Sets the call that an instance begins to handle, and gives the one before; to end the handling, set that again.
    pub(crate) fn set_caller(&self, caller: Option<(Slot, Arc<dyn Caller>)>) -> Option<(Slot, Arc<dyn Caller>)> {
        self.caller.replace(caller)
    }

    /// Whether the caller of the call that this instance handles waits no more.
    pub(crate) fn has_caller_left(&self, slot: Slot) -> bool {
        let caller = self.caller.take();
        let has_left = caller.as_ref().is_some_and(|(handler, caller)| *handler == slot && caller.has_left());
        self.caller.set(caller);
        has_left
    }

    #[inline(always)]
    pub(crate) fn instance(&self, slot: Slot) -> Option<Rc<dyn Instance>> {
        self.hosting.borrow().slots.instance(slot)
    }

    /// Reserves a slot for a new instance.
    pub(crate) fn reserve(&self) -> Reserved {
        let Hosting { slots, free, .. } = &mut *self.hosting.borrow_mut();
        Reserved {
            slot: slots.reserve(&self.mailbox.roster),
            born: Birth::of(self.timers.next_serial()),
            ended: free.take(),
        }
    }

    /// The block that holds the account of an instance.
    pub(crate) fn block(&self, slot: Slot) -> Arc<Block> {
        self.hosting.borrow().slots.block(slot)
    }

    /// Puts an instance into the slot that was reserved for it, and on the roster.
    pub(crate) fn occupy(&self, slot: Slot, born: Birth, depth: u16, name: &'static str, instance: Rc<dyn Instance>) {
        let slots = &mut self.hosting.borrow_mut().slots;
        let name = slots.number(name, &self.mailbox.roster);
        slots.occupy(slot, born, depth, name, instance);
        self.mailbox.meter.instances.add(1);
    }

    /// Frees the slot of an instance that has ended, and reports the end to the engine.
    pub(crate) fn vacate(&self, slot: Slot, why: &End) -> Removed {
        self.leave(slot, why, Some(|report| self.owner.instance_ended(report)))
    }

    /// Frees the slot of an instance that was never built.
    pub(crate) fn clear(&self, slot: Slot) -> Removed {
        self.leave(slot, &End::Stopped, None::<fn(InstanceReport)>)
    }

    fn leave(&self, slot: Slot, why: &End, report: Option<impl FnOnce(InstanceReport)>) -> Removed {
        let removed = self.mailbox.roster.remove(slot, why, report);
        // If the instance was reported with its abandoned thread, its account is still read; no other instance may get
        // that then.
        let left = {
            let Hosting { slots, free, .. } = &mut *self.hosting.borrow_mut();
            let left = slots.vacate(slot, removed.is_first_report);
            // The text of a panic is kept for as long as there is an endpoint, so the memory of an instance that
            // panicked is not given to another.
            if matches!(why, End::Stopped) { left.and_then(|left| free.keep(left)) } else { left }
        };
        self.mailbox.meter.instances.add(1_u64.wrapping_neg());
        // This drop runs no user code: the state and the factory were dropped before.
        drop(left);
        removed
    }

    /// Frees the memory of ended instances that is too much for a thread at rest.
    pub(super) fn free_ended(&self) {
        loop {
            // Dropped behind the borrow.
            let surplus = self.hosting.borrow_mut().free.take_surplus();
            if surplus.is_none() {
                break;
            }
        }
    }

    /// Whether no instance lives on this thread.
    pub(super) fn is_empty(&self) -> bool {
        self.mailbox.meter.instances.get() == 0
    }

    /// The youngest instance on this thread.
    pub(super) fn youngest(&self) -> Option<Rc<dyn Instance>> {
        self.hosting.borrow_mut().slots.youngest()
    }

    /// Whether mail of call depths below `below` is queued.
    pub(super) fn has_mail(&self, below: u32) -> bool {
        self.hosting.borrow().queue.has(below)
    }

    /// When this thread must wake by itself. Once it is told to end, timers count only while mail is held: a timer ends
    /// the backoff of the instance that the mail is held for.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        if self.ending.get() && self.held.is_empty() { None } else { self.timers.first() }
    }
}

/// An instance as its thread knows it, whatever the types of its messages and its state.
pub(crate) trait Instance {
    /// The instance as a value of its own type, for another of that type to take its memory.
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
    fn common(&self) -> &Common;
    fn slot(&self) -> Slot;
    fn born(&self) -> Birth;

    // Its life.

    /// Runs `on_start` if it has not run yet.
    fn start(self: Rc<Self>, local: &Rc<Local>);
    /// Builds the state afresh, after `on_stop` and the drop of the old one, if there is one: an instance that backs off
    /// gets a fresh state anyway.
    fn reset(self: Rc<Self>, local: &Rc<Local>);
    /// Ends the instance in an orderly way: runs `on_start` if it has not run yet, then `on_stop`, and drops the state.
    fn end(self: Rc<Self>, local: &Rc<Local>);
    /// Drops the instance without `on_stop`, and frees its slot: its thread will not run, or its factory failed.
    fn discard(self: Rc<Self>, local: &Rc<Local>);
    /// Does what follows a handler that has panicked, or has asked for something.
    fn follow_up(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>);

    // Its mail.

    /// Handles a message, which is in an `Option` of its type, if the instance takes messages just now. `false` if the
    /// message is still there.
    fn handle_message(self: Rc<Self>, local: &Rc<Local>, serving: Serving, message: &mut dyn Any) -> bool;
    /// As `handle_message`, for a call, which is in an `Option<Call>`. A call that its caller has given up is skipped.
    fn handle_call(
        self: Rc<Self>,
        local: &Rc<Local>,
        serving: Serving,
        call: &mut dyn Any,
        cancellable: Cancellable,
    ) -> bool;
    /// As `handle_message`, for a batch, which is a `VecDeque`: one message after the other, while the instance takes
    /// them and `serving` allows. `false` if messages are left.
    fn handle_batch(self: Rc<Self>, local: &Rc<Local>, serving: Serving, messages: &mut dyn Any) -> bool;
    /// Handles a call that other code of this thread makes just now, if the instance is free. `message` is an `Option`
    /// of the message; `reply` is the `Option` in which the caller awaits the reply.
    fn handle_here(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut dyn Any,
        reply: &mut dyn Any,
        deadline: Option<Instant>,
    ) -> OnTheSpot;

    // Its timers and pipes.

    /// Handles a message that a timer or a pipe of the instance has made. `message` is an `Option` of it.
    fn handle_own(self: Rc<Self>, local: &Rc<Local>, message: &mut dyn Any, work: Work);
    /// Does what the timer with this number is for.
    fn tick(self: Rc<Self>, local: &Rc<Local>, id: u64);
    /// Ends a timer of it. `true` if it was set; or, if `may_fire`, if its closure runs just now.
    fn cancel_timer(&self, local: &Local, id: u64, may_fire: bool) -> bool;
    /// Goes on with the pipe of this number.
    fn piped(self: Rc<Self>, local: &Rc<Local>, id: u64);
    /// Whether it has this pipe, whose outcome is still awaited.
    fn has_pipe(&self, id: u64) -> bool;
    /// Ends a pipe of it; `false` if there is none of this number.
    fn cancel_pipe(&self, id: u64) -> bool;
}

impl Occupant for Rc<dyn Instance> {
    fn slot(&self) -> Slot {
        (**self).slot()
    }

    fn born(&self) -> Birth {
        (**self).born()
    }
}

/// The outcome of a call that `handle_here` was to handle on the spot.
pub(crate) enum OnTheSpot {
    Handled,
    /// The callee is not free: the call must be queued.
    Busy,
    /// The callee's handler has run, and something follows from that.
    FollowUp(FollowUp),
}

/// The work that follows a handler that has panicked, or has asked for something.
pub(crate) struct FollowUp {
    pub(crate) callee: Rc<dyn Instance>,
    pub(crate) panic: Option<Arc<str>>,
}

impl FollowUp {
    /// Does it; gives the panic's text.
    #[cold]
    pub(crate) fn run(self, local: &Rc<Local>) -> Option<Arc<str>> {
        self.callee.follow_up(local, self.panic.as_ref());
        self.panic
    }
}
