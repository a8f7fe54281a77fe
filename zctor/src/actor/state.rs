//! A state: how it is kept, built and dropped, and the one way in which code runs on it.

use std::cell::{Cell, RefCell};
use std::mem::{needs_drop, take};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::actor::cell::{Extras, HasExtras, InstanceCell, SharedCell};
use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Blueprint, Failure, StateFactory};
use crate::actor::recovery::{Hook, Recover};
use crate::actor::restart::{History, Restart};
use crate::client::message::Message;
use crate::mailbox::counters::Account;
use crate::route::known_pool::{KnownPool, known_pool};
use crate::route::location::Location;
use crate::sys::unwind::{ignoring_panic, run_seldom, run_user};
use crate::thread::local::{Local, Phase, Requested};
use crate::trace::spans::InSpans;
use crate::trace::work::Work;

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
    /// Builds the state by `factory`. It runs at depth 0: it may send, but not wait.
    pub(super) fn build_by(self: &Rc<Self>, local: &Rc<Local>, factory: StateFactory<M, S>) -> Result<(), Failure> {
        let built = local.mailbox.meter.around(self.slot(), || match factory {
            StateFactory::Again(Blueprint { factory, .. }) => {
                let mut ctx = self.context(local);
                run_seldom(0, || factory(&mut ctx))
            }
            StateFactory::Once(factory) => run_seldom(0, || Ok(factory())),
        });
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

    /// Drops something of the user's. `failed` is given the text of its panic.
    #[inline]
    fn drop_part<T>(&self, local: &Local, part: T, failed: &mut dyn FnMut(&Arc<str>)) {
        // Without code to run, nothing can panic.
        if needs_drop::<T>() {
            let dropped = local.mailbox.meter.around(self.slot(), || run_seldom(0, || drop(part)));
            if let Err(text) = dropped {
                failed(&text);
            }
        }
    }

    /// The pool that the instance is in, if it is in one.
    fn pool(&self, local: &Local) -> Option<Rc<KnownPool<M>>> {
        if self.endpoint.pooled { known_pool(local) } else { None }
    }
}

impl<M, S> Recover for TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    fn location(&self) -> &Location {
        &self.endpoint.location
    }

    fn message(&self) -> &'static str {
        M::name()
    }

    fn depth(&self) -> u16 {
        M::CALL_DEPTH
    }

    fn account(&self) -> &Account {
        InstanceCell::account(self)
    }

    fn restart(&self) -> Option<Restart> {
        self.typed.if_attachments(|attachments| attachments.blueprint.as_ref().map(|blueprint| blueprint.restart))
    }

    fn with_history(&self, makes: bool, f: &mut dyn FnMut(&mut History)) {
        let mut extras = match HasExtras::take(&self.typed) {
            Some(extras) => extras,
            None if makes => Box::default(),
            None => return,
        };
        f(&mut extras.history);
        HasExtras::put(&self.typed, extras);
    }

    fn build(self: Rc<Self>, local: &Rc<Local>) -> Result<(), Failure> {
        // A copy, so that the factory runs while nothing of ours is borrowed.
        let blueprint = self.typed.if_attachments(|attachments| attachments.blueprint.clone());
        self.build_by(local, StateFactory::Again(blueprint.ok_or(Failure::RunsOnce)?))
    }

    fn run_hook(self: Rc<Self>, local: &Rc<Local>, hook: Hook) -> Option<Result<(), Arc<str>>> {
        // It handles no variant.
        let variant = if M::CALL_DEPTH > 0 { local.variant.replace(None) } else { None };
        let work = if hook == Hook::Start { Work::Start } else { Work::Stop };
        let in_spans = InSpans::around(work);
        let outcome = self.work(local, None, |state, ctx| {
            local.mailbox.meter.handles_no_message();
            in_spans.enter(work, M::name, || None, || ctx.instance_id());
            match hook {
                Hook::Start => M::__on_start(state, ctx),
                Hook::Stop => M::__on_stop(state, ctx),
            }
            in_spans.leave();
        });
        if let Some(Err(_)) = &outcome {
            in_spans.unwound();
        }
        if M::CALL_DEPTH > 0 {
            local.variant.set(variant);
        }
        local.mailbox.meter.others.add(1);
        outcome
    }

    fn run_on_panic(self: Rc<Self>, local: &Rc<Local>, text: &str) -> Result<(), Arc<str>> {
        let Some(state) = self.typed.state.take() else { return Ok(()) };
        let mut ctx = self.context(local);
        local.mailbox.meter.around(self.slot(), || run_seldom(0, || M::__on_panic(state, &mut ctx, text)))
    }

    fn drop_parts(&self, local: &Local, failed: &mut dyn FnMut(&Arc<str>)) {
        let state = self.typed.state.take();
        self.drop_part(local, state, failed);
        let extras = self.if_extras(|extras| Some((take(&mut extras.timers), take(&mut extras.pipes))));
        let Some((timers, pipes)) = extras else { return };
        for (id, message) in timers.into_values() {
            local.timers.clear(message.due, id);
            self.drop_part(local, message, failed);
        }
        for (_, pipe) in pipes.into_values() {
            self.drop_part(local, pipe, failed);
        }
    }

    fn drop_factory(&self, local: &Local) {
        if let Some(blueprint) = self.typed.if_attachments(|attachments| attachments.blueprint.take()) {
            local.mailbox.meter.around(self.slot(), || ignoring_panic(|| drop(blueprint)));
        }
        drop(self.if_extras(|extras| extras.undelivered.take()));
    }

    fn leave_pool(&self, local: &Local) -> bool {
        self.pool(local).is_some_and(|known| known.pool.remove_one())
    }

    fn wake_pool(&self, local: &Local) {
        if let Some(known) = self.pool(local) {
            known.pool.wake_waiting();
        }
    }
}
