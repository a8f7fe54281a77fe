//! The test's own books: what became of every copy of a message, counted without asking the engine.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zctor::{CallError, Overflow};
use zctor_tests::{Counter, DropGuard, Gate};

/// What every expected panic says.
pub(crate) const AT_RANDOM: &str = "at random";

/// What is known of everything in one world.
///
/// The counts of senders (what their calls and sends returned) and those of receivers (what their handlers saw) are
/// kept apart, so that they can be held against one another, and both against the engine's report.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// What mailboxes do with mail from outside beyond their bound, where they have one.
    overflow: Option<Overflow>,
    serials: AtomicU64,
    /// Copies that came to be to be sent, and of them those that their senders know to be accepted or refused.
    pub(crate) made: Counter,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    /// Copies of which their sender cannot know whether they were accepted: a call answered `Stopped`, a broadcast that
    /// passed over some, a request that is not under way.
    pub(crate) unclear: Counter,
    /// Messages that an instance made for itself by timers and pipes, when they came to their handler.
    pub(crate) own: Counter,
    /// Copies that came to their handler, and of them those whose handler panicked.
    pub(crate) entered: Counter,
    pub(crate) panicked: Counter,
    /// Accepted copies that were dropped and never came to a handler.
    pub(crate) dead: Counter,
    /// What the engine's hooks were told: dead letters, and ends of instances.
    pub(crate) letters_told: Counter,
    pub(crate) ends_told: Counter,
    /// Every ticket, and every drop of one.
    tickets: Counter,
    dropped: Counter,
    pub(crate) states: Counter,
    pub(crate) states_dropped: Counter,
    pub(crate) pipes: Counter,
    pub(crate) pipes_ended: Counter,
    /// Calls that were waited for, and those waits that ended.
    pub(crate) waits: Counter,
    pub(crate) waits_ended: Counter,
    /// Set before a shutdown begins: from then on it is no fault that a receiver has stopped.
    pub(crate) stopping: AtomicBool,
    /// Calls answered `Timeout { begun: false }`: whether their handler ran all the same.
    never: Mutex<Vec<Flag>>,
    faults: Mutex<Vec<String>>,
}

/// A flag that says nothing of itself.
struct Flag(Arc<AtomicBool>);

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Ledger {
    pub(crate) fn new(overflow: Option<Overflow>) -> Self {
        Self { overflow, ..Self::default() }
    }

    /// Mailboxes may be full.
    pub(crate) fn is_bounded(&self) -> bool {
        self.overflow.is_some()
    }

    /// Calls that found no room, which were refused or are dead letters, and were dropped here.
    fn note_full(&self, calls: u64) {
        if self.overflow == Some(Overflow::DropNewest) {
            self.accepted.add(calls);
            self.dead.add(calls);
        } else {
            self.refused.add(calls);
        }
    }

    /// Notes a fault, to be told at the end: a panic in a handler would be caught by the engine.
    pub(crate) fn claim(&self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault());
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Grows as long as anything happens.
    pub(crate) fn progress(&self) -> u64 {
        let counts =
            [&self.tickets, &self.dropped, &self.entered, &self.waits_ended, &self.states, &self.states_dropped];
        counts.into_iter().map(Counter::get).sum()
    }

    /// Whether a message, a state or a pipe is still somewhere.
    pub(crate) fn holds(&self) -> bool {
        self.tickets.get() > self.dropped.get()
            || self.states.get() > self.states_dropped.get()
            || self.pipes.get() > self.pipes_ended.get()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        for ran in &*self.never.lock().unwrap_or_else(PoisonError::into_inner) {
            self.claim(!ran.0.load(Ordering::SeqCst), || "it ran, and had timed out before it began".into());
        }
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What must hold when every thread has ended and nothing is held any more.
    pub(crate) fn claim_nothing_leaked(&self) {
        let pairs = [
            (self.tickets.get(), self.dropped.get(), "tickets were dropped once"),
            (self.states.get(), self.states_dropped.get(), "states were dropped once"),
            (self.pipes.get(), self.pipes_ended.get(), "pipes ended once"),
            (self.waits.get(), self.waits_ended.get(), "waits ended"),
            (
                self.made.get(),
                self.accepted.get() + self.refused.get() + self.unclear.get(),
                "copies were accepted or refused",
            ),
        ];
        for (all, ended, what) in pairs {
            self.claim(all == ended, || format!("{ended} of {all} {what}"));
        }
        // What senders count as accepted is what receivers saw, or nobody.
        let (accepted, ended) = (self.accepted.get() + self.own.get(), self.entered.get() + self.dead.get());
        self.claim(accepted == ended, || format!("{accepted} copies were accepted, {ended} came to an end"));
    }

    /// A ticket for a copy that is to be sent.
    pub(crate) fn ticket(self: &Arc<Self>, sent: Sent, seed: u64, life: u8) -> Ticket {
        self.made.increment();
        self.tickets.increment();
        let serial = self.serials.fetch_add(1, Ordering::Relaxed) + 1;
        let origin = Origin::Sent(sent);
        Ticket {
            ledger: Arc::clone(self),
            serial,
            seed,
            life,
            origin,
            entered: false,
            refused: false,
            ran: None,
            hold: None,
        }
    }

    /// A ticket for a message that an instance makes for itself.
    pub(crate) fn own_ticket(self: &Arc<Self>, agent: u32, build: u64, cancelled: Option<Arc<AtomicBool>>) -> Ticket {
        self.tickets.increment();
        let serial = self.serials.fetch_add(1, Ordering::Relaxed) + 1;
        let origin = Origin::Own { agent, build, cancelled };
        let ledger = Arc::clone(self);
        Ticket { ledger, serial, seed: serial, life: 0, origin, entered: false, refused: false, ran: None, hold: None }
    }

    /// A refused message is back with its sender.
    pub(crate) fn take_back(&self, mut ticket: Ticket) {
        ticket.refused = true;
        self.refused.increment();
    }

    /// Sends or requests by `send`, which neither waits nor runs any code of the test's; gives what it gave.
    pub(crate) fn note_request<R>(&self, serial: u64, send: impl FnOnce() -> R) -> R {
        let (pending, dropped) = passing(serial, send);
        self.claim(dropped <= 1, || format!("one request was dropped {dropped} times"));
        match (dropped, self.overflow) {
            (0, _) => &self.accepted,
            (_, Some(Overflow::DropNewest)) => &self.unclear,
            _ => &self.refused,
        }
        .increment();
        pending
    }

    /// Calls by `call`, which waits; gives what it gave. `inside`: in a handler.
    pub(crate) fn note_call(
        &self,
        inside: bool,
        serial: u64,
        call: impl FnOnce() -> Result<u64, CallError>,
    ) -> Result<u64, CallError> {
        self.waits.increment();
        let (result, dropped) = passing(serial, call);
        self.waits_ended.increment();
        match (&result, dropped) {
            (Err(CallError::Full { .. }), _) => {
                self.claim(dropped == 1, || format!("full, it was dropped {dropped} times"));
                self.note_full(1);
            }
            (Err(CallError::NotRegistered { .. } | CallError::Undeclared { .. }), _) => {
                self.claim(dropped == 1, || format!("refused with {result:?}, it was dropped {dropped} times"));
                self.refused.increment();
            }
            // Dropped here: refused, or inside also a dead letter, while this thread served itself.
            (Err(CallError::Stopped { .. }), 1) if inside => drop(self.unclear.increment()),
            (Err(CallError::Stopped { .. }), 1) => drop(self.refused.increment()),
            (_, dropped) => {
                self.accepted.increment();
                self.dead.add(dropped);
            }
        }
        result
    }

    /// Calls everybody by `call`, which waits, with tickets of one serial; gives the replies.
    pub(crate) fn note_call_all(
        &self,
        serial: u64,
        call: impl FnOnce() -> Result<Vec<Result<u64, CallError>>, CallError>,
    ) -> Result<Vec<Result<u64, CallError>>, CallError> {
        self.waits.increment();
        let (result, dropped) = passing(serial, call);
        self.waits_ended.increment();
        match &result {
            Err(_) => drop(self.refused.add(dropped)),
            Ok(replies) => {
                let count = |is: fn(&CallError) -> bool| {
                    replies.iter().filter(|reply| reply.as_ref().is_err_and(is)).count() as u64
                };
                let full = count(|error| matches!(error, CallError::Full { .. }));
                let stopped = count(|error| matches!(error, CallError::Stopped { .. }));
                self.note_full(full);
                let unclear = (dropped - full).min(stopped);
                self.unclear.add(unclear);
                self.accepted.add(replies.len() as u64 - full - unclear);
                self.dead.add(dropped - full - unclear);
            }
        }
        result
    }

    /// Sends copies of one serial to many by `send`, which does not wait and gives how many were reached, or one back.
    pub(crate) fn note_copies(&self, serial: u64, send: impl FnOnce() -> Result<usize, Ticket>) {
        let (result, dropped) = passing(serial, send);
        // Passed over for want of room they are dead letters.
        if self.is_bounded() { &self.unclear } else { &self.refused }.add(dropped);
        match result {
            Ok(reached) => drop(self.accepted.add(reached as u64)),
            Err(ticket) => self.take_back(ticket),
        }
    }

    /// What a call may have been answered.
    pub(crate) fn check(&self, answer: &Answer, result: &Result<u64, CallError>, may: May, place: &str) {
        let fits = match result {
            Ok(reply) => *reply == answer.reply,
            Err(CallError::Panicked { text, .. }) => &**text == AT_RANDOM,
            Err(CallError::Timeout { begun, .. }) => {
                if let (false, Some(ran)) = (begun, &answer.ran) {
                    self.never.lock().unwrap_or_else(PoisonError::into_inner).push(Flag(Arc::clone(ran)));
                }
                may.time_out
            }
            // It ends the wait and not the call, which is given up by the drop of its `Pending`.
            Err(CallError::HandlerTimeout { .. }) => may.time_out,
            Err(CallError::Stopped { .. } | CallError::NotRegistered { .. }) => may.stop || self.is_stopping(),
            Err(CallError::Undeclared { .. }) => may.be_undeclared,
            Err(CallError::NoReply { .. }) => may.be_given_up,
            Err(CallError::Full { .. }) => may.be_full,
            Err(_) => false,
        };
        let fits = fits && (!may.be_undeclared || matches!(result, Err(CallError::Undeclared { .. })));
        self.claim(fits, || format!("{place}: {result:?} for {may:?}, the reply is {}", answer.reply));
    }
}

/// How a call may end beside its reply or a panic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct May {
    pub(crate) time_out: bool,
    pub(crate) stop: bool,
    /// It must.
    pub(crate) be_undeclared: bool,
    pub(crate) be_given_up: bool,
    pub(crate) be_full: bool,
}

/// What is known of the answer to a call before it comes.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) reply: u64,
    ran: Option<Arc<AtomicBool>>,
}

impl Answer {
    /// That of all copies of a ticket.
    pub(crate) fn of_copies(ticket: &Ticket) -> Self {
        Self { reply: ticket.reply(), ran: None }
    }
}

/// By whom a message was sent, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) from: u32,
    /// Grows with each that its sender sends.
    pub(crate) sequence: u64,
    /// Rotation chose the receiver.
    pub(crate) by_turn: bool,
    #[expect(dead_code, reason = "a fault shows it")]
    pub(crate) how: &'static str,
}

enum Origin {
    Sent(Sent),
    /// By the timer or pipe of an instance, in its life since so many builds.
    Own {
        agent: u32,
        build: u64,
        cancelled: Option<Arc<AtomicBool>>,
    },
}

/// Goes with every message: what its handler is to do, and what becomes of it.
pub(crate) struct Ticket {
    ledger: Arc<Ledger>,
    /// Copies have the same.
    pub(crate) serial: u64,
    pub(crate) seed: u64,
    /// How many generations of messages may come of it.
    pub(crate) life: u8,
    origin: Origin,
    entered: bool,
    refused: bool,
    ran: Option<Arc<AtomicBool>>,
    /// Its handler waits here.
    hold: Option<Gate>,
}

impl Ticket {
    pub(crate) fn by_turn(mut self, is_by_turn: bool) -> Self {
        if let Origin::Sent(sent) = &mut self.origin {
            sent.by_turn = is_by_turn;
        }
        self
    }

    pub(crate) fn held_at(mut self, gate: &Gate) -> Self {
        self.hold = Some(gate.clone());
        self
    }

    /// Tells what its answer will be.
    pub(crate) fn answer(&mut self) -> Answer {
        let ran = self.ran.get_or_insert_default();
        Answer { reply: reply_to(self.serial), ran: Some(Arc::clone(ran)) }
    }

    pub(crate) fn reply(&self) -> u64 {
        reply_to(self.serial)
    }

    /// Its handler has begun, on `agent` in its life since `build` builds. `note` notes it, and gives the last of the
    /// same sender that came there; `keeps_turns`: no instance of that pool ever leaves, so that nobody else's mail
    /// comes there.
    pub(crate) fn enter(&mut self, agent: u32, build: u64, keeps_turns: bool, note: impl FnOnce(Sent) -> Option<Sent>) {
        self.ledger.entered.increment();
        self.ledger.claim(!self.entered, || format!("message {} came twice", self.serial));
        self.entered = true;
        if let Some(ran) = &self.ran {
            ran.store(true, Ordering::SeqCst);
        }
        match &self.origin {
            Origin::Sent(sent) => {
                if !sent.by_turn || keeps_turns {
                    let last = note(*sent);
                    self.ledger.claim(last.is_none_or(|last| last.sequence < sent.sequence), || {
                        format!("instance {agent} got {sent:?} after {last:?}")
                    });
                }
            }
            Origin::Own { agent: own, build: since, cancelled } => {
                self.ledger.own.increment();
                self.ledger.claim((own, since) == (&agent, &build), || {
                    format!(
                        "{agent} in its build {build} got a message that {own} made for itself in its build {since}"
                    )
                });
                let is_cancelled = cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::SeqCst));
                self.ledger.claim(!is_cancelled, || format!("{agent} got a tick of a timer that it had cancelled"));
            }
        }
        if let Some(gate) = self.hold.take() {
            gate.pass();
        }
    }
}

fn reply_to(serial: u64) -> u64 {
    serial.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Another copy, for a broadcast.
impl Clone for Ticket {
    fn clone(&self) -> Self {
        self.ledger.made.increment();
        self.ledger.tickets.increment();
        let Origin::Sent(sent) = self.origin else { unreachable!("nobody copies these") };
        let origin = Origin::Sent(sent);
        let (ran, hold) = (self.ran.clone(), self.hold.clone());
        Self { ledger: Arc::clone(&self.ledger), origin, entered: false, refused: false, ran, hold, ..*self }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.ledger.dropped.increment();
        if self.entered || self.refused || matches!(self.origin, Origin::Own { .. }) {
            return;
        }
        // A thread at its very end passes nothing on any more.
        let passed = PASSING.try_with(|passing| {
            let (serial, dropped) = passing.get();
            passing.set((serial, dropped + u64::from(serial == self.serial)));
            serial == self.serial
        });
        if !passed.unwrap_or(false) {
            self.ledger.dead.increment();
        }
    }
}

thread_local! {
    /// The message that this thread is about to send, and how many copies of it were dropped here meanwhile.
    static PASSING: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Runs `send`, and gives how many copies of `serial` were dropped on this very thread before it returned and outside
/// any handler that it served: those were refused, if it did not wait.
fn passing<R>(serial: u64, send: impl FnOnce() -> R) -> (R, u64) {
    let before = PASSING.replace((serial, 0));
    let result = send();
    let (_, dropped) = PASSING.replace(before);
    (result, dropped)
}

/// A pipe on its way: dropped with its closure, whether that ran or not.
pub(crate) fn pipe_guard(ledger: &Ledger) -> DropGuard {
    ledger.pipes.increment();
    ledger.pipes_ended.guard()
}
