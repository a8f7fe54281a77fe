//! Two types of actors, which are held, break and end at a message's word.

use std::time::Duration;

use zctor::{Context, Stats, TypeStats, actor};
use zctor_tests::Gate;

#[actor(ctx)]
pub(crate) enum JobMessage {
    Run,
    Hold(Gate),
    Break,
    Stop,
    Remind(Duration),
    #[reply(())]
    Ask(Gate),
}

#[derive(Default)]
pub(crate) struct Job;

impl JobHandler for Job {
    fn run(&mut self, _: &mut Context<JobMessage>) {}
    fn hold(&mut self, _: &mut Context<JobMessage>, gate: Gate) {
        gate.pass();
    }
    fn r#break(&mut self, _: &mut Context<JobMessage>) {
        panic!("the job breaks");
    }
    fn stop(&mut self, ctx: &mut Context<JobMessage>) {
        ctx.stop();
    }
    fn remind(&mut self, ctx: &mut Context<JobMessage>, after: Duration) {
        drop(ctx.send_after(after, JobMessage::Run));
    }
    fn ask(&mut self, _: &mut Context<JobMessage>, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(JobMessage))]
pub(crate) enum BossMessage {
    Pass(u32),
    Delegate(Gate),
}

#[derive(Default)]
pub(crate) struct Boss;

impl BossHandler for Boss {
    fn pass(&mut self, ctx: &mut Context<BossMessage>, jobs: u32) {
        for _ in 0..jobs {
            ctx.send(JobMessage::Run).expect("a job lives");
        }
    }
    fn delegate(&mut self, ctx: &mut Context<BossMessage>, gate: Gate) {
        ctx.call(JobMessage::ask(gate)).expect("a job answers");
    }
}

/// The row of a type.
#[track_caller]
pub(crate) fn row<'s>(stats: &'s Stats, message: &str) -> &'s TypeStats {
    stats.types.iter().find(|row| row.message == message).unwrap_or_else(|| panic!("{message} has no row: {stats:?}"))
}

/// Looks at the statistics until `done` finds what it waits for. The tests that use it run under a limit.
pub(crate) fn look_until<T>(mut look: impl FnMut() -> T, mut done: impl FnMut(&T) -> bool) -> T {
    loop {
        let seen = look();
        if done(&seen) {
            return seen;
        }
        std::thread::yield_now();
    }
}
