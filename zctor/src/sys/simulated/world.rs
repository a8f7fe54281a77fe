//! A world: threads of which one runs at a time, and a time that jumps.
//!
//! 1. Each thread is ready, blocked, or gone; one of the ready ones has the token and runs, all others are parked.
//! 2. The thread with the token gives it away where it blocks, where it ends, and where it is about to do something
//!    that another thread can see (`step`). The schedule draws who gets it.
//! 3. If no thread is ready, time jumps to the earliest deadline or alarm.
//! 4. If there is none either, nobody can move: the first thread of the world, `main`, is woken with a panic that
//!    says so, and its program is taken down by its own means. If that ends here too, the world is given up.
//! 5. A thread that ends is joined by the next one that gets the token, before that goes on. So the destructors of
//!    its thread-locals run while no other thread does.
//!
//! The lock of the world is never held while a thread of it runs anything but the code of this file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::sys::lock::lock;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::schedule::Candidate;
use crate::sys::simulated::state::{Alarm, Member, On, Record, Setup, State, Status};

pub(crate) struct World {
    setup: Setup,
    start: Instant,
    state: Mutex<State>,
    over: Condvar,
}

impl World {
    pub(crate) fn new(setup: Setup, start: Instant) -> Arc<Self> {
        let state = State::new(&setup);
        Arc::new(Self { setup, start, state: Mutex::new(state), over: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.setup.seed
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        self.state().own.below(n)
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + self.state().now
    }

    fn virtual_time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    // Members.

    /// Adds a thread, which waits for its turn.
    pub(crate) fn add(&self, name: &str) -> usize {
        let mut state = self.state();
        state.changes += 1;
        let status = Status::Ready(state.changes);
        let go = Arc::default();
        let name = name.to_owned();
        state.members.push(Member { name, status, permit: false, object: 0, go, os: None, handle: None, last: None });
        state.members.len() - 1
    }

    /// The system has refused the thread.
    pub(crate) fn remove_last(&self) {
        self.state().members.pop();
    }

    /// Tells the world which thread of the system that is. Called before the thread gets the token.
    pub(crate) fn started(&self, id: usize, handle: JoinHandle<()>) {
        let mut state = self.state();
        state.members[id].os = Some(handle.thread().clone());
        state.members[id].handle = Some(handle);
    }

    /// Begins the world: `main`, which was added and started, runs.
    pub(crate) fn begin(&self) {
        self.hand_over(self.state(), 0);
    }

    /// Called by a new thread: waits for its turn.
    pub(crate) fn enter(&self, me: usize) {
        let go = Arc::clone(&self.state().members[me].go);
        self.until_turn(me, &go);
    }

    /// Called by a thread at its end.
    pub(crate) fn leave(&self, me: usize) {
        let mut state = self.state();
        state.note(me, || "ends".to_owned());
        let handle = state.members[me].handle.take();
        state.ended.extend(handle);
        loop {
            state.members[me].status = Status::Gone;
            state.make_ready(|on| on == On::End(me));
            if let Some(next) = self.pick(&mut state, me, false) {
                return self.hand_over(state, next);
            }
            match self.pass_time(&mut state) {
                Passed::Woken => {}
                Passed::Alarms(due) => {
                    // The wakers may send, which is a step: so the thread is back for as long.
                    state.members[me].status = Status::Ready(0);
                    drop(state);
                    due.into_iter().for_each(|alarm| alarm());
                    state = self.state();
                }
                Passed::Condemned => {}
                Passed::Over => return self.end(state),
            }
        }
    }

    pub(crate) fn is_gone(&self, id: usize) -> bool {
        self.state().members[id].status == Status::Gone
    }

    // What threads do.

    /// Called before an operation that others can see. `yields`: it only looks, so the others come first.
    pub(crate) fn step(&self, me: usize, object: u64, yields: bool, what: impl FnOnce() -> String) {
        let mut state = self.state();
        state.members[me].object = object;
        state.steps += 1;
        if state.steps > self.setup.max_steps && state.failure.is_none() {
            state.failure = Some(format!(
                "the run does not end within {} steps; raise `max_steps` if it may take more",
                self.setup.max_steps
            ));
            return self.give_up(state);
        }
        let alarms = self.take_time(&mut state);
        state.changes += 1;
        state.members[me].status = Status::Ready(state.changes);
        if yields {
            state.schedule.fall_behind(me);
        }
        if !alarms.is_empty() {
            drop(state);
            alarms.into_iter().for_each(|alarm| alarm());
            state = self.state();
        }
        if let Some(next) = self.pick(&mut state, me, yields) {
            self.go_to(state, me, next);
        }
        self.state().note(me, what);
    }

    /// Blocks the thread. It may come back for no reason, as from `std::thread::park`.
    pub(crate) fn block(&self, me: usize, on: On, until: Option<Instant>) {
        let mut state = self.state();
        if on == On::Park && std::mem::take(&mut state.members[me].permit) {
            return;
        }
        state.members[me].status = Status::Blocked(on, until.map(|until| self.virtual_time(until)));
        loop {
            if let Some(next) = self.pick(&mut state, me, false) {
                self.go_to(state, me, next);
                break;
            }
            match self.pass_time(&mut state) {
                Passed::Woken | Passed::Condemned => {}
                Passed::Alarms(due) => {
                    state.changes += 1;
                    state.members[me].status = Status::Ready(state.changes);
                    drop(state);
                    due.into_iter().for_each(|alarm| alarm());
                    break;
                }
                Passed::Over => return self.give_up(state),
            }
        }
        let mut state = self.state();
        state.members[me].permit = false;
        if me == 0 && std::mem::take(&mut state.is_condemned) {
            let report = state.failure.clone().unwrap_or_default();
            drop(state);
            panic!("{report}");
        }
    }

    pub(crate) fn unpark(&self, id: usize) {
        let mut state = self.state();
        match state.members[id].status {
            Status::Blocked(On::Park, _) => state.wake(id),
            _ => state.members[id].permit = true,
        }
    }

    pub(crate) fn notify(&self, monitor: usize) {
        self.state().make_ready(|on| on == On::Monitor(monitor));
    }

    pub(crate) fn set_alarm(&self, at: Instant, alarm: Alarm) -> (Instant, u64) {
        let mut state = self.state();
        state.alarm_serial += 1;
        let serial = state.alarm_serial;
        state.alarms.insert((self.virtual_time(at), serial), alarm);
        (at, serial)
    }

    pub(crate) fn clear_alarm(&self, (at, serial): (Instant, u64)) -> Option<Alarm> {
        self.state().alarms.remove(&(self.virtual_time(at), serial))
    }

    /// Writes down a panic of one of the threads.
    pub(crate) fn note_panic(&self, text: String) {
        self.state().panics.push(text);
    }

    // Who runs next, and when.

    /// The thread that gets the token; `None` if no thread is ready.
    fn pick(&self, state: &mut State, me: usize, yields: bool) -> Option<usize> {
        let since = |member: &Member| match member.status {
            Status::Ready(since) => Some(since),
            _ => None,
        };
        let ready = state.members.iter().enumerate().filter(|(_, member)| since(member).is_some());
        let mut ready: Vec<Candidate> = ready.map(|(id, member)| Candidate { id, object: member.object }).collect();
        if yields && ready.len() > 1 {
            ready.retain(|one| one.id != me);
        }
        if ready.len() < 2 {
            return ready.first().map(|one| one.id);
        }
        let decision = state.decisions;
        state.decisions += 1;
        let held = self.setup.plan.as_ref().and_then(|plan| plan.held.as_ref());
        if let Some((held, _)) = held.filter(|(_, during)| during.contains(&decision)) {
            ready.retain(|one| one.id != *held);
        }
        let current = ready.iter().map(|one| one.id).find(|id| *id == me);
        let oldest = ready.iter().map(|one| one.id).min_by_key(|id| since(&state.members[*id]));
        let default = current.or(oldest)?;
        let next = match &self.setup.plan {
            Some(plan) => {
                let planned = plan.deviations.get(&decision).copied();
                planned.filter(|id| ready.iter().any(|one| one.id == *id)).unwrap_or(default)
            }
            None => state.schedule.choose(decision, &ready, current, default),
        };
        if next != default {
            state.deviations.insert(decision, next);
        }
        Some(next)
    }

    /// A step may take time: one in eight does. How long follows from the seed and from the number of the step, so that
    /// it stays the same while a schedule is shrunk. Gives the alarms that are due then.
    fn take_time(&self, state: &mut State) -> Vec<Alarm> {
        let mut dice = Dice::new(self.setup.seed ^ state.steps.rotate_left(32), 2);
        if self.setup.slowest.is_zero() || dice.below(8) != 0 {
            return Vec::new();
        }
        let nanos = u64::try_from(self.setup.slowest.as_nanos()).unwrap_or(u64::MAX);
        let to = state.now + Duration::from_nanos(dice.below(nanos));
        state.advance(to)
    }

    /// Called when no thread is ready.
    fn pass_time(&self, state: &mut State) -> Passed {
        if state.members[0].status == Status::Gone {
            return Passed::Over;
        }
        let deadlines = state.members.iter().filter_map(|member| match member.status {
            Status::Blocked(_, until) => until,
            _ => None,
        });
        let alarm = state.alarms.first_key_value().map(|((at, _), _)| *at);
        if let Some(next) = deadlines.chain(alarm).min() {
            let due = state.advance(next.max(state.now));
            return if due.is_empty() { Passed::Woken } else { Passed::Alarms(due) };
        }
        if state.failure.is_some() {
            return Passed::Over;
        }
        state.failure = Some(state.report());
        state.is_condemned = true;
        state.wake(0);
        Passed::Condemned
    }

    /// Gives the token to another thread, and waits until this one has it again.
    fn go_to(&self, state: MutexGuard<'_, State>, me: usize, next: usize) {
        if next != me {
            let go = Arc::clone(&state.members[me].go);
            self.hand_over(state, next);
            self.until_turn(me, &go);
        }
    }

    fn hand_over(&self, state: MutexGuard<'_, State>, next: usize) {
        let Member { go, os, .. } = &state.members[next];
        go.store(true, Ordering::Release); // pairs with `until_turn`
        let os = os.clone();
        drop(state);
        if let Some(os) = os {
            os.unpark();
        }
    }

    fn until_turn(&self, me: usize, go: &AtomicBool) {
        // Acquire: pairs with `hand_over`. In a loop, since a wake-up may come for no reason.
        while !go.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
        let mut state = self.state();
        if state.is_over {
            return self.give_up(state);
        }
        state.changes += 1;
        state.members[me].status = Status::Ready(state.changes);
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        for thread in ended {
            let _ = thread.join();
        }
    }

    fn end(&self, mut state: MutexGuard<'_, State>) {
        state.is_over = true;
        drop(state);
        self.over.notify_all();
    }

    /// Ends the world with this thread in it: it is parked for good.
    fn give_up(&self, state: MutexGuard<'_, State>) {
        self.end(state);
        loop {
            std::thread::park();
        }
    }

    /// Waits, outside the world, until no thread of it runs any more. If no step is made for `patience` of real time,
    /// the world is given up.
    pub(crate) fn until_over(&self, patience: Duration) -> Record {
        let mut state = self.state();
        let mut seen = 0;
        while !state.is_over {
            let (back, waited) =
                self.over.wait_timeout(state, patience).unwrap_or_else(std::sync::PoisonError::into_inner);
            state = back;
            let moves = state.steps + state.changes;
            if waited.timed_out() && moves == seen && !state.is_over {
                let report = state.stuck(patience);
                state.failure.get_or_insert(report);
                state.is_over = true;
            }
            seen = moves;
        }
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        for thread in ended {
            let _ = thread.join();
        }
        let mut state = self.state();
        state.record()
    }
}

enum Passed {
    /// Some thread is ready.
    Woken,
    Alarms(Vec<Alarm>),
    /// Nobody can move; `main` is ready, to say so.
    Condemned,
    Over,
}
