//! Work that grows by itself, and a count of what was handled and dropped.

use std::sync::mpsc::Sender;

use zctor::{CallError, Context, actor};
use zctor_tests::{Counter, DropGuard, Gate};

pub(crate) const LEVELS: u32 = if cfg!(miri) { 4 } else { 12 };

pub(crate) type Job = Box<dyn FnOnce(&mut Context<WorkMessage>) + Send>;

#[actor(ctx)]
pub(crate) enum WorkMessage {
    /// Sends two of the level below.
    Grow(u32),
    #[reply(())]
    Run(Job),
    Later(Job),
    #[reply(())]
    Hold(Gate),
    #[reply(())]
    Call,
    Break,
}

pub(crate) struct Work {
    pub(crate) handled: Counter,
    pub(crate) ends: Option<Sender<(usize, &'static str)>>,
    pub(crate) dropped: Option<DropGuard>,
    pub(crate) thread: usize,
}

impl Work {
    pub(crate) fn tell(&self, what: &'static str) {
        if let Some(ends) = &self.ends {
            // A test that has seen enough may be gone.
            let _ = ends.send((self.thread, what));
        }
    }
}

impl WorkHandler for Work {
    fn grow(&mut self, ctx: &mut Context<WorkMessage>, level: u32) {
        self.handled.increment();
        if level > 0 {
            for _ in 0..2 {
                ctx.send(WorkMessage::Grow(level - 1)).expect("the inside is still accepted");
            }
        }
    }
    fn run(&mut self, ctx: &mut Context<WorkMessage>, job: Job) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<WorkMessage>, job: Job) {
        job(ctx);
    }
    fn hold(&mut self, _: &mut Context<WorkMessage>, gate: Gate) {
        gate.pass();
    }
    fn call(&mut self, _: &mut Context<WorkMessage>) {}
    fn r#break(&mut self, _: &mut Context<WorkMessage>) {
        panic!("the work breaks");
    }
    fn on_start(&mut self, ctx: &mut Context<WorkMessage>) {
        self.thread = ctx.thread_id().index();
    }
    fn on_stop(&mut self, _: &mut Context<WorkMessage>) {
        self.tell("stop");
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        drop(self.dropped.take());
        self.tell("drop");
    }
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) handled: Counter,
    pub(crate) built: Counter,
    pub(crate) dropped: Counter,
    pub(crate) ends: Option<Sender<(usize, &'static str)>>,
}

impl Seen {
    pub(crate) fn actor(&self) -> zctor::Actor<WorkMessage, Work> {
        let seen = self.clone();
        WorkMessage::actor(move || {
            seen.built.increment();
            Work {
                handled: seen.handled.clone(),
                ends: seen.ends.clone(),
                dropped: Some(seen.dropped.guard()),
                thread: usize::MAX,
            }
        })
    }
}

pub(crate) fn is_stopped<R>(result: &Result<R, CallError>) -> bool {
    matches!(result, Err(CallError::Stopped { message: "WorkMessage", .. }))
}
