//! Chooses the thread that gets the token next, and moves the time on.

use std::time::Duration;

use crate::sys::operation::Operation;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::faults::Strike;
use crate::sys::simulated::record::Deviation;
use crate::sys::simulated::schedule::Candidate;
use crate::sys::simulated::setup::{Plan, Setup};
use crate::sys::simulated::state::{Alarm, On, State, Status};
use crate::sys::simulated::turns::Turn;

/// The outcome when no thread was ready and time passed.
pub(super) enum Passed {
    /// Some thread is ready.
    Woken,
    Alarms(Vec<Alarm>),
    Over,
}

/// What a thread does in a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something that others may see.
    Acts,
    /// It only looks, so the others come first: a loop of looks keeps nobody from running.
    Looks,
}

impl State {
    /// The thread that gets the token before this one's step; `None` if no thread is ready. This one gets it for a look
    /// only if no other is ready.
    pub(super) fn pick(&mut self, setup: &Setup, me: usize, step: Step) -> Option<usize> {
        let ready = self.members.iter().enumerate().filter(|(_, member)| matches!(member.status, Status::Ready(_)));
        let mut ready: Vec<Candidate> = ready.map(|(id, member)| Candidate { id, object: member.object }).collect();
        if step == Step::Looks && ready.len() > 1 {
            ready.retain(|one| one.id != me);
        }
        let steady = ready.iter().map(|one| one.id).min_by_key(|id| self.steady_place(me, *id))?;
        let next = if ready.len() > 1 { self.decide(setup, me, &ready, steady) } else { steady };
        if setup.plan.is_some() && self.record.failure.is_none() {
            self.begin_turn(me, &ready, next);
        }
        Some(next)
    }

    /// The place of a thread in the steady order: this one goes on, and behind it the one comes that has been ready for
    /// longest.
    fn steady_place(&self, me: usize, id: usize) -> (bool, Option<u64>) {
        let since = match self.members[id].status {
            Status::Ready(since) => Some(since),
            _ => None,
        };
        (id != me, since)
    }

    /// The one of two or more that gets the token.
    fn decide(&mut self, setup: &Setup, me: usize, ready: &[Candidate], steady: usize) -> usize {
        let decision = self.record.decisions;
        self.record.decisions += 1;
        let next = match &setup.plan {
            Some(plan) => self.planned(plan, decision, me, ready).unwrap_or(steady),
            None => {
                let current = ready.iter().map(|one| one.id).find(|id| *id == me);
                self.schedule.choose(decision, ready, current, steady)
            }
        };
        if self.record.failure.is_none() {
            self.record.decided_at.push(self.record.events.len());
            if next != steady {
                self.record.deviations.insert(decision, Deviation { step: self.record.events.len(), to: next });
            }
        }
        next
    }

    /// The one that a plan takes: the first in the steady order of those that it does not hold back.
    fn planned(&self, plan: &Plan, decision: u64, me: usize, ready: &[Candidate]) -> Option<usize> {
        let ready = || ready.iter().map(|one| one.id);
        let is_held = |id| plan.held.iter().any(|(held, during)| *held == id && during.contains(&decision));
        let is_delayed = |id| self.turns.delay(&plan.delays, &self.next_turn(id));
        let planned = plan.deviations.get(&decision).copied().filter(|planned| ready().any(|id| id == *planned));
        let free = ready().filter(|id| !is_held(*id) && !is_delayed(*id));
        planned.or_else(|| free.min_by_key(|id| self.steady_place(me, *id)))
    }

    fn next_turn(&self, id: usize) -> Turn {
        self.turns.next(id, self.members[id].pending)
    }

    fn begin_turn(&mut self, me: usize, ready: &[Candidate], next: usize) {
        let place = self.steady_place(me, next);
        let passed_over = ready.iter().filter(|one| self.steady_place(me, one.id) < place);
        let passed_over: Vec<Turn> = passed_over.map(|one| self.next_turn(one.id)).collect();
        self.turns.begin(self.next_turn(next), self.record.events.len(), passed_over.into_iter());
    }

    /// A step may take time: one in eight does. How long follows from the seed and from the number of the step, so that
    /// it stays the same while a schedule is shrunk. Gives the alarms that are due then.
    pub(super) fn take_time(&mut self, setup: &Setup) -> Vec<Alarm> {
        if self.strikes(setup, Strike::Slow) {
            if let Some(next) = self.next_that_may_be_early() {
                self.note(self.running, Operation::Plain(Strike::Slow.text()));
                return self.advance(next.max(self.now));
            }
        }
        if setup.slowest.is_zero() {
            return Vec::new();
        }
        let mut dice = Dice::new(setup.seed ^ self.record.steps.rotate_left(32), 2);
        if dice.below(8) != 0 {
            return Vec::new();
        }
        let nanos = u64::try_from(setup.slowest.as_nanos()).unwrap_or(u64::MAX);
        let to = self.now + Duration::from_nanos(dice.below(nanos));
        self.advance(to)
    }

    /// The next deadline or alarm that a slow step may reach. Those after the limit of a shutdown are left out: that
    /// limit is there to find threads that do not end.
    fn next_that_may_be_early(&self) -> Option<Duration> {
        let deadlines = || {
            self.members.iter().filter_map(|member| match member.status {
                Status::Blocked(on, Some(until)) => Some((on, until)),
                _ => None,
            })
        };
        let of_engine = deadlines().filter(|(on, _)| matches!(on, On::Monitor(_))).map(|(_, until)| until).min();
        let others = deadlines().filter(|(on, _)| !matches!(on, On::Monitor(_))).map(|(_, until)| until);
        let alarm = self.alarms.first_key_value().map(|((at, _), _)| *at);
        others.chain(alarm).min().filter(|next| of_engine.is_none_or(|limit| *next < limit))
    }

    /// Called when no thread is ready: lets time pass to the next deadline or alarm. If there is none nobody can move:
    /// `main` is woken, to panic with a report of that.
    pub(super) fn pass_time(&mut self) -> Passed {
        if self.members[0].status == Status::Gone {
            return Passed::Over;
        }
        let deadlines = self.members.iter().filter_map(|member| match member.status {
            Status::Blocked(_, until) => until,
            _ => None,
        });
        let alarm = self.alarms.first_key_value().map(|((at, _), _)| *at);
        if let Some(next) = deadlines.chain(alarm).min() {
            let due = self.advance(next.max(self.now));
            return if due.is_empty() { Passed::Woken } else { Passed::Alarms(due) };
        }
        if self.is_hung {
            return Passed::Over;
        }
        self.is_hung = true;
        let report = self.hang();
        self.condemned = Some(report.clone());
        self.fail(report);
        self.wake(0);
        Passed::Woken
    }

    /// Moves the time on to `to`. Threads that wait for it become ready. Gives the alarms that are due.
    fn advance(&mut self, to: Duration) -> Vec<Alarm> {
        self.now = to;
        for id in 0..self.members.len() {
            if matches!(self.members[id].status, Status::Blocked(_, Some(until)) if until <= to) {
                self.wake(id);
            }
        }
        let mut due = Vec::new();
        while self.alarms.first_key_value().is_some_and(|((at, _), _)| *at <= to) {
            due.extend(self.alarms.pop_first().map(|(_, alarm)| alarm));
        }
        due
    }
}
