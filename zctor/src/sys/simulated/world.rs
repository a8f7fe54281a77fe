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
use crate::sys::operation::Operation;
use crate::sys::simulated::choice::{Passed, Step};
use crate::sys::simulated::faults::Strike;
use crate::sys::simulated::invariants::{Invariant, Violated};
use crate::sys::simulated::record::Record;
use crate::sys::simulated::report::stat_file_of_this_thread;
use crate::sys::simulated::setup::Setup;
use crate::sys::simulated::state::{Alarm, Member, On, State, Status};

pub(crate) struct World {
    /// Names the world among those of the process; 0 is the real one.
    pub(super) number: u64,
    setup: Setup,
    start: Instant,
    state: Mutex<State>,
    over: Condvar,
}

impl World {
    pub(crate) fn new(number: u64, setup: Setup, start: Instant) -> Arc<Self> {
        let state = State::new(&setup);
        Arc::new(Self { number, setup, start, state: Mutex::new(state), over: Condvar::new() })
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
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
        state.members.push(Member {
            name: name.to_owned(),
            status,
            permit: false,
            object: 0,
            pending: None,
            go: Arc::default(),
            os: None,
            handle: None,
            stat_file: None,
            last: None,
        });
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
        let stat_file = stat_file_of_this_thread();
        let go = {
            let member = &mut self.state().members[me];
            member.stat_file = stat_file;
            Arc::clone(&member.go)
        };
        self.until_turn(me, &go);
    }

    /// Called by a thread at its end.
    pub(crate) fn leave(&self, me: usize) {
        let mut state = self.after_step(me);
        state.make_ready(|on| on == On::Change);
        state.note(me, Operation::Plain("ends"));
        if let Some(error) = state.returned.take_if(|_| me == 0) {
            state.main_fails(error);
        }
        let handle = state.members[me].handle.take();
        state.ended.extend(handle);
        loop {
            state.members[me].status = Status::Gone;
            state.make_ready(|on| on == On::End(me));
            if let Some(next) = state.pick(&self.setup, me, Step::Acts) {
                return self.hand_over(state, next);
            }
            match state.pass_time() {
                Passed::Woken => {}
                Passed::Alarms(due) => {
                    // The wakers may send, which is a step: so the thread counts as ready again until they are done.
                    state.members[me].status = Status::Ready(0);
                    drop(state);
                    due.into_iter().for_each(|alarm| alarm());
                    state = self.state();
                }
                Passed::Over => return self.end(state),
            }
        }
    }

    pub(crate) fn is_gone(&self, id: usize) -> bool {
        self.state().members[id].status == Status::Gone
    }

    // Steps of threads.

    /// Called before an operation that others can see.
    pub(crate) fn step(&self, me: usize, object: u64, step: Step, operation: Operation) {
        let mut state = self.after_step(me);
        state.make_ready(|on| on == On::Change);
        let member = &mut state.members[me];
        (member.object, member.pending) = (object, Some(operation));
        state.record.steps += 1;
        if state.record.steps > self.setup.max_steps {
            state.fail(format!(
                "the run does not end within {} steps; raise `max_steps` if it may take more",
                self.setup.max_steps
            ));
            return self.give_up(state);
        }
        let alarms = state.take_time(&self.setup);
        state.wake(me);
        if step == Step::Looks {
            state.schedule.fall_behind(me);
        }
        if !alarms.is_empty() {
            drop(state);
            alarms.into_iter().for_each(|alarm| alarm());
            state = self.state();
        }
        if let Some(next) = state.pick(&self.setup, me, step) {
            self.go_to(state, me, next);
        }
        let mut state = self.state();
        state.members[me].pending = None;
        state.note(me, operation);
    }

    /// Blocks the thread. It may come back for no reason, as from `std::thread::park`.
    pub(crate) fn block(&self, me: usize, on: On, until: Option<Instant>) {
        let mut state = self.after_step(me);
        if on == On::Park && std::mem::take(&mut state.members[me].permit) {
            return;
        }
        // A thread that has only looked has changed nothing: two that wait for a change do not wake one another.
        if on != On::Change {
            state.make_ready(|on| on == On::Change);
        }
        state.members[me].status = Status::Blocked(on, until.map(|until| self.virtual_time(until)));
        loop {
            if let Some(next) = state.pick(&self.setup, me, Step::Acts) {
                self.go_to(state, me, next);
                break;
            }
            match state.pass_time() {
                Passed::Woken => {}
                Passed::Alarms(due) => {
                    state.wake(me);
                    drop(state);
                    due.into_iter().for_each(|alarm| alarm());
                    break;
                }
                Passed::Over => return self.give_up(state),
            }
        }
        let mut state = self.state();
        state.members[me].permit = false;
        if let Some(report) = state.condemned.take_if(|_| me == 0) {
            drop(state);
            panic!("{report}");
        }
    }

    /// The state, behind a step that has just been taken: the invariants are asked whether they hold.
    fn after_step(&self, me: usize) -> MutexGuard<'_, State> {
        let state = self.state();
        if state.invariants.is_empty() || state.record.failure.is_some() {
            return state;
        }
        let invariants = state.invariants.clone();
        drop(state);
        let violated = Violated::among(&invariants);
        let mut state = self.state();
        if let Some(violated) = violated {
            let last = state.members[me].last.map_or_else(|| "its start".to_owned(), |last| format!("`{last}`"));
            let why = match violated {
                Violated::Panics(_) => state.record.panics.last().map(|panic| format!(": {}", panic.text)),
                Violated::No(_) => None,
            };
            let text = format!("{violated} behind {last} of `{}`{}", state.members[me].name, why.unwrap_or_default());
            state.fail(text);
        }
        state
    }

    pub(crate) fn add_invariant(&self, invariant: Invariant) {
        self.state().invariants.push(Arc::new(invariant));
    }

    pub(crate) fn mark(&self, name: &'static str) {
        self.state().record.marks.insert(name);
    }

    /// The run fails, unless it has failed before.
    pub(super) fn fail(&self, text: String) {
        self.state().fail(text);
    }

    /// Whether there is this fault here, on this thread.
    pub(super) fn strikes(&self, me: usize, strike: Strike) -> bool {
        let mut state = self.state();
        let strikes = state.strikes(&self.setup, strike);
        if strikes {
            state.note(me, Operation::Plain(strike.text()));
        }
        strikes
    }

    /// Whether a fault stops, now, the engine whose handler begins. The drawn step is used up by the first question
    /// after it.
    pub(super) fn is_shutdown_due(&self) -> bool {
        let mut state = self.state();
        let steps = state.record.steps;
        state.shutdown_at.take_if(|at| *at <= steps).is_some() && state.strikes(&self.setup, Strike::Shutdown)
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
    pub(crate) fn note_panic(&self, me: usize, text: String) {
        self.state().note_panic(me, text);
    }

    /// `main` has returned an error: the run fails with its end.
    pub(super) fn main_returns(&self, error: String) {
        self.state().returned = Some(error);
    }

    /// `main` has panicked, and so the run has failed, unless the last step broke an invariant.
    pub(super) fn main_panics(&self, text: &str) {
        self.after_step(0).main_panics(text);
    }

    // The token.

    /// Gives the token to another thread, and waits until this one has it again.
    fn go_to(&self, state: MutexGuard<'_, State>, me: usize, next: usize) {
        if next != me {
            let go = Arc::clone(&state.members[me].go);
            self.hand_over(state, next);
            self.until_turn(me, &go);
        }
    }

    fn hand_over(&self, mut state: MutexGuard<'_, State>, next: usize) {
        state.running = next;
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
    pub(crate) fn until_over(&self) -> Record {
        let patience = self.setup.patience;
        let mut state = self.state();
        let mut seen = 0;
        while !state.is_over {
            let (back, waited) =
                self.over.wait_timeout(state, patience).unwrap_or_else(std::sync::PoisonError::into_inner);
            state = back;
            let moves = state.record.steps + state.changes;
            if waited.timed_out() && moves == seen && !state.is_over {
                let report = state.stuck(patience);
                state.fail(report);
                (state.record.is_stuck, state.is_over) = (true, true);
            }
            seen = moves;
        }
        let ended = std::mem::take(&mut state.ended);
        drop(state);
        for thread in ended {
            let _ = thread.join();
        }
        let mut state = self.state();
        state.take_record()
    }
}
