//! Runs user code, which only this file does, and catches its panics.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::sys::frame::Frame;

/// Runs user code in a frame of its own, in which it may wait for call depths below `depth`. A panic comes back as its
/// text.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn run_user<R>(depth: u16, deadline: Option<Instant>, f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    run_in(Frame::of_user_code(depth, deadline), f)
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn run_in<R>(frame: Frame, f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    let older = count_uncaught();
    let before = Frame::current();
    frame.enter();
    let outcome = catch(f);
    before.enter();
    tell_caught(older, outcome.as_ref().err());
    outcome
}

/// Runs user code that may not wait, such as a drop, and ignores its panic.
#[inline]
pub(crate) fn ignoring_panic(f: impl FnOnce()) {
    let mut f = Some(f);
    let _ = run_seldom(&mut || {
        if let Some(f) = f.take() {
            f();
        }
    });
}

/// Runs user code that seldom runs and may not wait: what catches its panics is not compiled again for each closure.
#[inline(never)]
pub(crate) fn run_seldom(f: &mut dyn FnMut()) -> Result<(), Arc<str>> {
    run_user(0, None, f)
}

/// Wakes a waker, which may be the user's, and may not wait; ignores its panic.
pub(crate) fn wake(waker: Waker) {
    let _ = run_in(Frame::of_waker(), || waker.wake());
}

/// A closure of the user's that may be dropped anywhere: its drop is run by `ignoring_panic`.
pub(crate) struct UserClosure<F: ?Sized>(Option<Box<F>>);

impl<F: ?Sized> UserClosure<F> {
    pub(crate) fn new(closure: Box<F>) -> Self {
        Self(Some(closure))
    }

    /// The closure. `None` only while it is dropped.
    pub(crate) fn get(&self) -> Option<&F> {
        self.0.as_deref()
    }
}

impl<F: ?Sized> Drop for UserClosure<F> {
    fn drop(&mut self) {
        let closure = self.0.take();
        ignoring_panic(|| drop(closure));
    }
}

/// Runs `f`, and catches a panic as its text. Always in line: as a function of its own, which the compiler makes of it
/// where a handler is called from several places, it costs a message 40 instructions.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    catch_unwind(AssertUnwindSafe(f)).map_err(into_text)
}

/// The text of a panic. Not inlined, since the code that runs user code is generated for each type of message.
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

/// Drops the payload of a panic. It is a value of the user's, and its drop may panic too.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

thread_local! {
    /// The name that the last panic met on its way; see `Unwound`.
    static UNWOUND: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Names the code that runs, in case it panics. Code that returns pays nothing for that: only a panic writes the name
/// down, when it unwinds past this.
#[derive(Debug)]
pub struct Unwound(&'static str);

impl Unwound {
    /// The code that runs from now on has this name.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn names(name: &'static str) -> Self {
        Self(name)
    }

    /// That code has returned.
    #[cfg_attr(not(debug_assertions), inline(always))]
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

/// A closure to be called when a panic has been caught: with its text, or without one if the user's own code caught it.
type WhenCaught = Box<dyn FnOnce(Option<&Arc<str>>)>;

thread_local! {
    /// The closures for the panics that unwind on this thread just now, those for the innermost panic last.
    static WHEN_CAUGHT: RefCell<Vec<WhenCaught>> = const { RefCell::new(Vec::new()) };
    /// The number of those closures, for a cheap look.
    static UNCAUGHT: Cell<usize> = const { Cell::new(0) };
}

/// Has `f` called when the panic that unwinds here has been caught.
pub(crate) fn when_caught(f: WhenCaught) {
    // If the thread-locals are being destroyed, `f` is dropped uncalled.
    let _ = WHEN_CAUGHT.try_with(|all| {
        all.borrow_mut().push(f);
        UNCAUGHT.with(|count| count.set(all.borrow().len()));
    });
}

/// How many closures wait for a panic to be caught, just now: before user code runs, those of frames further down the
/// stack.
#[inline]
pub(crate) fn count_uncaught() -> usize {
    UNCAUGHT.with(Cell::get)
}

/// Calls all waiting closures but the first `older`: their panic has been caught, or was caught by the user's own code.
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
