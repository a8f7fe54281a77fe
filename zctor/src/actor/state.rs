//! A state: how it is kept and built, and the one way in which code runs on it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::actor::cell::{Extras, HasExtras, InstanceCell, SharedCell};
use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Blueprint, Failure};
use crate::client::message::Message;
use crate::error::BoxError;
use crate::sys::unwind::run_user;
use crate::thread::local::{Local, Phase, Requested};
use crate::trace::spans::enter;
use crate::trace::work::Work;

/// Which of the user's code has just run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The handler of a message, or a closure that was to make one.
    Handler,
    /// `on_start`.
    Start,
}

/// An instance whose state's type is known.
pub(crate) type TypedCell<M, S> = InstanceCell<M, Typed<M, S>>;

/// The part of an instance that depends on the type of its state.
pub(crate) struct Typed<M: Message, S> {
    pub(super) state: RefCell<Option<S>>,
    /// Taken out while it is looked at. `None` for an instance that is built once and has had no extras so far.
    pub(super) attachments: Cell<Option<Box<Attachments<M, S>>>>,
}

/// What not every instance has: a factory that can build again, and extras.
pub(super) struct Attachments<M: Message, S> {
    /// Dropped at the end of the instance, since it holds what the user moved into it. `None` for one that is built
    /// once.
    pub(super) blueprint: Option<Blueprint<M, S>>,
    /// Allocated with the first timer, pipe or panic.
    extras: Option<Box<Extras<M>>>,
}

impl<M: Message, S> Default for Attachments<M, S> {
    fn default() -> Self {
        Self { blueprint: None, extras: None }
    }
}

impl<M: Message, S> Typed<M, S> {
    /// Runs `f`, which must run none of the user's code, on the attachments; makes them if there are none.
    pub(super) fn with_attachments(&self, f: impl FnOnce(&mut Attachments<M, S>)) {
        let mut attachments = self.attachments.take().unwrap_or_default();
        f(&mut attachments);
        self.attachments.set(Some(attachments));
    }

    /// As `with_attachments`, but only if there are attachments.
    pub(super) fn if_attachments<R>(&self, f: impl FnOnce(&mut Attachments<M, S>) -> Option<R>) -> Option<R> {
        let mut attachments = self.attachments.take()?;
        let result = f(&mut attachments);
        self.attachments.set(Some(attachments));
        result
    }
}

impl<M: Message, S> HasExtras<M> for Typed<M, S> {
    fn take(&self) -> Option<Box<Extras<M>>> {
        self.if_attachments(|attachments| attachments.extras.take())
    }

    fn put(&self, extras: Box<Extras<M>>) {
        self.with_attachments(|attachments| attachments.extras = Some(extras));
    }
}

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// How the state is built again, if it can be: a copy, so that the factory runs while nothing of ours is borrowed.
    pub(super) fn blueprint(&self) -> Option<Blueprint<M, S>> {
        self.typed.if_attachments(|attachments| attachments.blueprint.clone())
    }

    /// Builds the state by the instance's own factory; fails if that runs once.
    pub(super) fn build(self: &Rc<Self>, local: &Rc<Local>) -> Result<(), Failure> {
        let Blueprint { factory, .. } = self.blueprint().ok_or(Failure::RunsOnce)?;
        self.build_by(local, |ctx| factory(ctx))
    }

    /// Builds the state by `factory`. It runs at depth 0: it may send, but not wait.
    pub(super) fn build_by(
        self: &Rc<Self>,
        local: &Rc<Local>,
        factory: impl FnOnce(&mut Context<M>) -> Result<S, BoxError>,
    ) -> Result<(), Failure> {
        let mut ctx = self.context(local);
        let built = run_user(0, None, || factory(&mut ctx));
        local.mailbox.meter.others.add(1);
        let built = built.map_err(Failure::Panic)?;
        self.typed.state.replace(Some(built.map_err(Failure::Error)?));
        self.common.requested.set(Requested::None);
        self.common.phase.set(Phase::New);
        Ok(())
    }

    /// The context for a piece of the user's code.
    #[inline]
    pub(super) fn context(self: &Rc<Self>, local: &Rc<Local>) -> Context<M> {
        Context::new(Rc::clone(local), Rc::clone(self) as Rc<SharedCell<M>>)
    }

    /// Runs a piece of the user's code on the state; `None` if there is no state. An error is the text of a panic.
    #[inline(always)]
    pub(super) fn work<R>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        deadline: Option<Instant>,
        f: impl FnOnce(&mut S, &mut Context<M>) -> R,
    ) -> Option<Result<R, Arc<str>>> {
        let mut state = self.typed.state.borrow_mut();
        let state = state.as_mut()?;
        let mut ctx = self.context(local);
        let meter = &local.mailbox.meter;
        self.common.busy.set(true);
        let before = meter.run(self.slot());
        let outcome = run_user(M::CALL_DEPTH, deadline, || f(state, &mut ctx));
        meter.resume(before);
        self.common.busy.set(false);
        Some(outcome)
    }

    /// As `work`, for a hook, which handles no variant.
    pub(super) fn work_as_hook(
        self: &Rc<Self>,
        local: &Rc<Local>,
        work: Work,
        hook: fn(&mut S, &mut Context<M>),
    ) -> Option<Result<(), Arc<str>>> {
        let hook = |state: &mut S, ctx: &mut Context<M>| {
            let _span = enter(work, M::name, || None, || ctx.instance_id());
            hook(state, ctx);
        };
        let variant = if M::CALL_DEPTH > 0 { local.variant.replace(None) } else { None };
        let outcome = self.work(local, None, hook);
        if M::CALL_DEPTH > 0 {
            local.variant.set(variant);
        }
        local.mailbox.meter.others.add(1);
        outcome
    }
}
