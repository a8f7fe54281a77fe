//! The user's code runs here alone, and its panics are caught.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::sys::frame::Frame;

/// Runs the user's code: the one place that does. A panic comes back as its text.
#[inline(always)]
pub(crate) fn run_user<R>(depth: u16, deadline: Option<Instant>, f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    let orphans = count_uncaught();
    let before = Frame::current();
    Frame { below: u32::from(depth), deadline }.enter();
    let outcome = catch(f);
    before.enter();
    tell_caught(orphans, outcome.as_ref().err());
    outcome
}

/// Runs a drop or a waker of the user's, which may not wait and whose panic ends nothing.
pub(crate) fn quietly(f: impl FnOnce()) {
    let _ = run_user(0, None, f);
}

/// A closure of the user's that may be dropped anywhere: its drop is run as all code of the user's is.
pub(crate) struct Quiet<F: ?Sized>(Option<Box<F>>);

impl<F: ?Sized> Quiet<F> {
    pub(crate) fn new(closure: Box<F>) -> Self {
        Self(Some(closure))
    }

    /// `None` only while it is dropped.
    pub(crate) fn get(&self) -> Option<&F> {
        self.0.as_deref()
    }
}

impl<F: ?Sized> Drop for Quiet<F> {
    fn drop(&mut self) {
        let closure = self.0.take();
        quietly(|| drop(closure));
    }
}

/// Catches a panic and gives its text.
#[inline]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    catch_unwind(AssertUnwindSafe(f)).map_err(into_text)
}

/// Once for all that is caught: what runs user code is there for each type of message.
#[cold]
#[inline(never)]
fn into_text(payload: Box<dyn Any + Send>) -> Arc<str> {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Arc::from(*text),
        (_, Some(text)) => Arc::from(text.as_str()),
        _ => Arc::from("a panic whose payload is no text"),
    };
    // The drop of the payload is the user's, and may run other handlers, which may panic too.
    let unwound = UNWOUND.get();
    drop_payload(payload);
    UNWOUND.set(unwound);
    text
}

/// A payload is the user's, and its drop may panic in turn.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

thread_local! {
    /// The name that the last panic met on its way; see `Unwound`.
    static UNWOUND: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Names the code that runs, for the case that it panics. That costs nothing while it does not: the name is written down by
/// the panic itself, when it unwinds past this.
#[derive(Debug)]
pub struct Unwound(&'static str);

impl Unwound {
    /// The code that runs from now on has this name.
    #[inline(always)]
    pub fn names(name: &'static str) -> Self {
        Self(name)
    }

    /// That code has returned.
    #[inline(always)]
    pub fn returned(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unwound {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        UNWOUND.set(Some(self.0));
    }
}

/// The name of the code whose panic was caught just now, if it had one.
pub(crate) fn take_unwound() -> Option<&'static str> {
    UNWOUND.take()
}

/// What is to be called when a panic has been caught: with its text, or without one if the user's own code caught it.
type WhenCaught = Box<dyn FnOnce(Option<&Arc<str>>)>;

thread_local! {
    /// For the panics that unwind on this thread just now, the innermost last.
    static WHEN_CAUGHT: RefCell<Vec<WhenCaught>> = const { RefCell::new(Vec::new()) };
    /// Their number, for a cheap look.
    static UNCAUGHT: Cell<usize> = const { Cell::new(0) };
}

/// Has `f` called when the panic that unwinds here has been caught.
pub(crate) fn when_caught(f: WhenCaught) {
    // Where the locals of the thread are going, `f` is dropped.
    let _ = WHEN_CAUGHT.try_with(|all| {
        all.borrow_mut().push(f);
        UNCAUGHT.with(|count| count.set(all.borrow().len()));
    });
}

/// How many are to be called just now: those of frames further down the stack.
#[inline]
pub(crate) fn count_uncaught() -> usize {
    UNCAUGHT.with(Cell::get)
}

/// A panic has been caught, or none is under way: calls all but the first `older`.
#[inline]
pub(crate) fn tell_caught(older: usize, text: Option<&Arc<str>>) {
    if count_uncaught() > older {
        tell_those_behind(older, text);
    }
}

#[cold]
fn tell_those_behind(older: usize, text: Option<&Arc<str>>) {
    let behind = WHEN_CAUGHT.try_with(|all| all.borrow_mut().split_off(older));
    UNCAUGHT.with(|count| count.set(older));
    for f in behind.unwrap_or_default() {
        f(text);
    }
}
