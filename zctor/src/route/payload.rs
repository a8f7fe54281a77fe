//! A message as routing and delivery know it: its names, its call depth, its port, its key.

use std::sync::Arc;

use crate::error::CallError;
use crate::reply::cancellation::{Caller, Cancellation};
use crate::reply::reply_to::ReplyTo;
use crate::sys::frame::ABOVE_HANDLERS;

/// A message as routing and delivery know it. The layers below the client know nothing else of it.
pub(crate) trait Payload: Sized + 'static {
    fn name() -> &'static str;
    const CALL_DEPTH: u16;
    type Port: Port;

    fn variant(&self) -> &'static str;
    /// The hash of its `#[key]`, if its variant has one.
    fn key(&self) -> Option<u64>;
}

/// Makes the port of a call from the place that its reply goes to.
pub(crate) type ToPort<M, R> = fn(ReplyTo<R>) -> <M as Payload>::Port;

/// The kind of a [`Request`](crate::Request) whose handler answers when it returns.
///
/// ```
/// let kind: Option<zctor::Prompt> = None;
/// assert!(kind.is_none());
/// ```
#[derive(Debug)]
pub enum Prompt {}

/// The kind of a [`Request`](crate::Request) whose handler may answer later, from anywhere: made by
/// `#[reply(T, deferred)]`.
///
/// Call depths say nothing about when a deferred answer comes, so a handler may not wait for one: `ctx.call` does not
/// compile with such a request, and a wait by any other way gives [`CallError::Undeclared`]. A handler can pipe or
/// detach it. Outside callers wait for it as for any other.
///
/// ```
/// let kind: Option<zctor::Deferred> = None;
/// assert!(kind.is_none());
/// ```
#[derive(Debug)]
pub enum Deferred {}

/// The kind of a request: [`Prompt`] or [`Deferred`].
pub trait Kind: 'static {
    /// Its handler's method returns the reply.
    const IS_PROMPT: bool;
    /// The call depth that a wait for a reply of this kind is checked against.
    fn depth(callee: u16) -> u32;
}

impl Kind for Prompt {
    const IS_PROMPT: bool = true;

    fn depth(callee: u16) -> u32 {
        u32::from(callee)
    }
}

impl Kind for Deferred {
    const IS_PROMPT: bool = false;

    fn depth(_: u16) -> u32 {
        ABOVE_HANDLERS
    }
}

/// The place for the reply to one call, typed by its variant: implemented by `#[actor]` for the enum of reply ports.
pub trait Port: 'static {
    /// Ends the call with `error`, for a handler that has not answered.
    fn fail(self, error: CallError);
    /// The call's cancellation, which lies beside the place for its reply; `None` once it was answered.
    fn cancellation(&self) -> Option<&Cancellation>;
    /// The call's caller, for a handler that can ask after it: one with a context.
    fn caller(&self) -> Option<Arc<dyn Caller>> {
        None
    }
}
