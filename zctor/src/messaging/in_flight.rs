//! A call under way, as its caller sees it.

use std::task::Waker;
use std::time::Instant;

use crate::error::CallError;
use crate::id::ThreadId;
use crate::mailbox::Mailbox;
use crate::reply::oneshot::Receiver;
use crate::reply::reply_to::{Outcome, arrived};
use crate::sys::awaited::Awaited;
use crate::sys::clock::now;
use crate::thread::wait::wait;

/// The caller's end of a call to an instance on the thread of `mailbox`.
pub(crate) struct Reply<'a, R> {
    receiver: &'a mut Receiver<Outcome<R>>,
    mailbox: &'a Mailbox,
    message: &'static str,
    /// Its place among those to be told if the thread is abandoned.
    attending: Option<u64>,
}

impl<'a, R> Reply<'a, R> {
    pub(crate) fn new(receiver: &'a mut Receiver<Outcome<R>>, mailbox: &'a Mailbox, message: &'static str) -> Self {
        Self { receiver, mailbox, message, attending: None }
    }

    /// Waits for the reply under the deadline; on time-out the call is given up.
    pub(crate) fn wait(mut self, until: Option<Instant>) -> Outcome<R> {
        if let Some(outcome) = wait(&mut self, until) {
            return outcome;
        }
        let message = self.message;
        if until.is_none_or(|until| until > now()) {
            return Err(CallError::Stopped { message });
        }
        let begun = !self.receiver.terms().give_up();
        // It may have come just now.
        self.poll(Waker::noop()).unwrap_or(Err(CallError::Timeout { message, begun }))
    }
}

impl<R> Awaited for Reply<'_, R> {
    type Output = Outcome<R>;

    fn is_ready(&self) -> bool {
        self.receiver.is_ready()
    }

    fn poll(&mut self, waker: &Waker) -> Option<Outcome<R>> {
        if let Some(outcome) = self.receiver.poll(waker) {
            return Some(arrived(outcome, self.message));
        }
        if self.attending.is_none() && !waker.will_wake(Waker::noop()) {
            self.attending = Some(self.mailbox.edge.attend(waker));
        }
        // After joining those who are told, so that an abandonment in between is not missed.
        self.mailbox.edge.is_abandoned().then_some(Err(CallError::Stopped { message: self.message }))
    }

    fn callee(&self) -> Option<(&'static str, ThreadId)> {
        Some((self.message, self.mailbox.thread))
    }
}

impl<R> Drop for Reply<'_, R> {
    fn drop(&mut self) {
        if let Some(id) = self.attending.take() {
            self.mailbox.edge.leave(id);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_models;
