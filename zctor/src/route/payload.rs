//! What delivery needs to know of a message.

use crate::error::CallError;
use crate::reply::cancellation::Cancellation;
use crate::reply::reply_to::ReplyTo;

/// What routing and delivery need to know of a message. Below the client, nothing else of it is known.
pub(crate) trait Payload: Sized + 'static {
    const NAME: &'static str;
    const CALL_DEPTH: u16;
    type Port: Port;

    fn variant(&self) -> &'static str;
    /// The hash of its `#[key]`.
    fn key(&self) -> Option<u64>;
}

/// Makes the port of a call from where its reply goes.
pub(crate) type ToPort<M, R> = fn(ReplyTo<R>) -> <M as Payload>::Port;

/// The kind of a [`Request`] that its handler answers when it returns.
///
/// ```
/// let kind: Option<zctor::Prompt> = None;
/// assert!(kind.is_none());
/// ```
#[derive(Debug)]
pub enum Prompt {}

/// The kind of a [`Request`] whose handler may answer later, from anywhere: made by `#[reply(T, deferred)]`.
///
/// When that will be says no call depth, so a handler cannot wait for it: `ctx.call` does not compile with it, and a
/// wait by any other way is [`CallError::Undeclared`]. It can be piped or detached there. Outside it is waited for as
/// any other.
///
/// ```
/// let kind: Option<zctor::Deferred> = None;
/// assert!(kind.is_none());
/// ```
#[derive(Debug)]
pub enum Deferred {}

/// Which of the two kinds a request is of.
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
        // Above that of any handler, below the outside.
        u32::MAX - 1
    }
}

/// How a port answers for a handler that did not: implemented by `#[actor]` for the enum of reply ports.
pub trait Port: 'static {
    /// Ends the call with `error`.
    fn fail(self, error: CallError);
    /// The call's cancellation, which its reply lies beside.
    fn cancellation(&self) -> Option<&Cancellation>;
}
