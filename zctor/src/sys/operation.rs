//! The operations of a thread that other threads can see, as the points of a simulation are told of them.

use std::fmt;

use crate::id::InstanceId;

/// An operation on something that threads share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// Puts something into the mailbox of an instance on another thread.
    Deliver {
        verb: &'static str,
        message: &'static str,
        variant: &'static str,
        /// The instance whose code does it; `None` outside the engine.
        from: Option<InstanceId>,
        to: InstanceId,
        /// Names the call while it is under way; 0 if this is none.
        call: usize,
    },
    Begin {
        instance: InstanceId,
        message: &'static str,
        variant: &'static str,
    },
    /// Replies to the call that has this name.
    Reply {
        call: usize,
    },
    /// An operation on messages, or on a pool, of this type.
    To(&'static str, &'static str),
    Plain(&'static str),
    /// Parks, if nothing has come since it looked last.
    Park,
    /// Panics, with the text that has this number among those of the run.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "only simulations write panics down"))]
    Panics(u32),
}

impl Operation {
    /// Takes the name of the call out. It is an address in memory, and so another one in each run.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "only simulations look at operations"))]
    pub(crate) fn take_call(&mut self) -> usize {
        match self {
            Self::Deliver { call, .. } | Self::Reply { call } => std::mem::take(call),
            _ => 0,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { verb, message, variant, to, .. } => write!(f, "{verb} {message}::{variant} -> {to}"),
            Self::Begin { instance, message, variant } => write!(f, "{instance} begins {message}::{variant}"),
            Self::Reply { .. } => f.write_str("reply"),
            Self::To(verb, message) => write!(f, "{verb} {message}"),
            Self::Plain(text) => f.write_str(text),
            Self::Park => f.write_str("park"),
            Self::Panics(_) => f.write_str("panics"),
        }
    }
}
