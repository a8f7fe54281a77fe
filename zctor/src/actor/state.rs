//! A state: how it is kept, built and dropped, and the one way in which code runs on it.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::mem::needs_drop;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::actor::attachments::Attachments;
use crate::actor::cell::{InstanceCell, SharedCell};
use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Failure, Rebuild};
use crate::actor::recovery::{Hook, Recover, run_part};
use crate::error::BoxError;
use crate::mailbox::account::Account;
use crate::route::location::Location;
use crate::sys::unwind::run_user;
use crate::thread::local::Local;
use crate::thread::phase::{Common, Phase, Requested};
use crate::trace::spans::{InSpans, SPANS};
use crate::trace::work::Work;

/// An instance whose state's type is known.
pub(crate) type TypedCell<M, S> = InstanceCell<M, RefCell<Option<S>>>;

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// Builds the state by `factory`.
    pub(super) fn build_by(
        self: &Rc<Self>,
        local: &Rc<Local>,
        factory: &mut dyn FnMut(&mut Context<M>) -> Result<S, BoxError>,
    ) -> Result<(), Failure> {
        let mut ctx = self.context(local);
        let mut built = None;
        run_part(local, self.slot(), &mut || built = Some(factory(&mut ctx))).map_err(Failure::Panic)?;
        match built {
            Some(Ok(state)) => drop(self.state.replace(Some(state))),
            Some(Err(error)) => return Err(Failure::Error(error)),
            None => unreachable!("what has not panicked has returned"),
        }
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
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn work<R>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        deadline: Option<Instant>,
        f: impl FnOnce(&mut S, &mut Context<M>) -> R,
    ) -> Option<Result<R, Arc<str>>> {
        let mut state = self.state.borrow_mut();
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

    /// Runs a hook on the state, if there is one. An error is the text of a panic.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run_plain_hook(self: &Rc<Self>, local: &Rc<Local>, hook: Hook) -> Result<(), Arc<str>> {
        // It handles no variant.
        let variant = if M::CALL_DEPTH > 0 { local.variant.replace(None) } else { None };
        let outcome = self.work(local, None, |state, ctx| {
            local.mailbox.meter.handles_no_message();
            match hook {
                Hook::Start => M::__on_start(state, ctx),
                Hook::Stop => M::__on_stop(state, ctx),
            }
        });
        if M::CALL_DEPTH > 0 {
            local.variant.set(variant);
        }
        local.mailbox.meter.other_pieces.add(1);
        outcome.unwrap_or(Ok(()))
    }

    /// The same in a span, if the subscriber asks for one.
    #[cold]
    #[inline(never)]
    fn run_hook_in_span(self: &Rc<Self>, local: &Rc<Local>, hook: Hook, in_spans: InSpans) -> Result<(), Arc<str>> {
        let work = if hook == Hook::Start { Work::Start } else { Work::Stop };
        in_spans.enter(work, M::name, || None, || self.endpoint.id());
        let outcome = self.run_plain_hook(local, hook);
        match &outcome {
            Err(_) => in_spans.unwound(),
            Ok(()) => in_spans.leave(),
        }
        outcome
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

    fn message_type(&self) -> TypeId {
        TypeId::of::<M>()
    }

    fn parts(&self) -> (&Common, &Attachments) {
        (&self.common, &self.attachments)
    }

    fn build(self: Rc<Self>, local: &Rc<Local>, factory: &dyn Any) -> Result<(), Failure> {
        match factory.downcast_ref::<Rebuild<M, S>>() {
            Some(factory) => self.build_by(local, &mut |ctx| factory(ctx)),
            None => unreachable!("an instance keeps the factory of its own state"),
        }
    }

    fn run_hook(self: Rc<Self>, local: &Rc<Local>, hook: Hook) -> Result<(), Arc<str>> {
        // Decided before the hook is run, not around it: of a hook that does nothing, not much is left.
        let in_spans = InSpans::around_own();
        if SPANS && in_spans.is_asked() {
            return self.run_hook_in_span(local, hook, in_spans);
        }
        self.run_plain_hook(local, hook)
    }

    fn run_on_panic(self: Rc<Self>, local: &Rc<Local>, text: &str) -> Result<(), Arc<str>> {
        let mut state = self.state.take();
        let mut ctx = self.context(local);
        run_part(local, self.slot(), &mut || {
            if let Some(state) = state.take() {
                M::__on_panic(state, &mut ctx, text);
            }
        })
    }

    fn drop_state(&self, local: &Local) -> Result<(), Arc<str>> {
        let mut state = self.state.take();
        // Without code to run, nothing can panic.
        if const { needs_drop::<S>() } {
            return run_part(local, self.slot(), &mut || drop(state.take()));
        }
        Ok(())
    }
}
