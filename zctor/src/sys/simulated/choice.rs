//! Who gets the token next, and what time it is then.

use std::time::Duration;

use crate::sys::operation::Operation;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::faults::Strike;
use crate::sys::simulated::schedule::Candidate;
use crate::sys::simulated::state::{Alarm, Deviation, Member, On, Setup, State, Status};

/// What has come of a time at which no thread was ready.
pub(super) enum Passed {
    /// Some thread is ready.
    Woken,
    Alarms(Vec<Alarm>),
    Over,
}

impl State {
    /// The thread that gets the token; `None` if no thread is ready. `yields`: this one only if no other is.
    pub(super) fn pick(&mut self, setup: &Setup, me: usize, yields: bool) -> Option<usize> {
        let since = |member: &Member| match member.status {
            Status::Ready(since) => Some(since),
            _ => None,
        };
        let ready = self.members.iter().enumerate().filter(|(_, member)| since(member).is_some());
        let mut ready: Vec<Candidate> = ready.map(|(id, member)| Candidate { id, object: member.object }).collect();
        if yields && ready.len() > 1 {
            ready.retain(|one| one.id != me);
        }
        if ready.len() < 2 {
            return ready.first().map(|one| one.id);
        }
        let decision = self.decisions;
        self.decisions += 1;
        let oldest = |ready: &[Candidate]| ready.iter().map(|one| one.id).min_by_key(|id| since(&self.members[*id]));
        let default = |ready: &[Candidate]| ready.iter().map(|one| one.id).find(|id| *id == me).or(oldest(ready));
        let steady = default(&ready)?;
        let next = match &setup.plan {
            Some(plan) => {
                let is_held = |id| plan.held.iter().any(|(held, during)| *held == id && during.contains(&decision));
                let mut free = ready.clone();
                free.retain(|one| !is_held(one.id));
                let planned = plan.deviations.get(&decision).copied();
                let planned = planned.filter(|id| ready.iter().any(|one| one.id == *id));
                planned.or_else(|| default(&free)).unwrap_or(steady)
            }
            None => {
                let current = ready.iter().map(|one| one.id).find(|id| *id == me);
                self.schedule.choose(decision, &ready, current, steady)
            }
        };
        if self.failure.is_none() {
            self.decided_at.push(self.events.len());
            if next != steady {
                let held_up = self.members[steady].pending;
                let deviation = Deviation { step: self.events.len(), to: next, in_place_of: steady, held_up };
                self.deviations.insert(decision, deviation);
            }
        }
        Some(next)
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
        let mut dice = Dice::new(setup.seed ^ self.steps.rotate_left(32), 2);
        if dice.below(8) != 0 {
            return Vec::new();
        }
        let nanos = u64::try_from(setup.slowest.as_nanos()).unwrap_or(u64::MAX);
        let to = self.now + Duration::from_nanos(dice.below(nanos));
        self.advance(to)
    }

    /// The next deadline or alarm that a slow step may reach: none behind the limit of a shutdown, which is there to
    /// tell of threads that do not end.
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

    /// Lets it be this time. Who waits for that is ready; alarms that are due are given.
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
