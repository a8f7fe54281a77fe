//! The requirement of `#[msg(durable)]`: a reply that says whether the message was handled.

use std::fmt::Debug;

use crate::error::CallError;
use crate::remote::packet::Answer;
use crate::remote::wire::Format;
use crate::sys::unwind::catch;

/// The reply of a durable variant, which says whether the message was handled: `()`, or a `Result<(), E>` whose error is
/// `Debug`.
///
/// ```
/// fn says<R: zctor::remote::DurableReply>() -> bool {
///     true
/// }
/// assert!(says::<()>() && says::<Result<(), String>>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether a message was handled",
    label = "a durable variant replies with `()` or `Result<(), E>`, where `E` is `Debug`"
)]
pub trait DurableReply {
    /// Why the message was not handled.
    #[doc(hidden)]
    fn __failure(&self) -> Option<String>;
}

impl DurableReply for () {
    fn __failure(&self) -> Option<String> {
        None
    }
}

impl<E: Debug> DurableReply for Result<(), E> {
    fn __failure(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("its handler gave {error:?}"))
    }
}

/// A [`DurableReply`], as generated code requires it: see `Travels` in `value.rs`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(message = "`{Self}` does not say whether a message was handled")]
pub trait Tells<'a> {
    fn __failure(&self) -> Option<String>;
}

#[diagnostic::do_not_recommend]
impl<R: DurableReply> Tells<'_> for R {
    fn __failure(&self) -> Option<String> {
        DurableReply::__failure(self)
    }
}

/// Has rustc report a reply that says nothing of that where it is called.
#[doc(hidden)]
pub const fn __assert_durable<R: DurableReply>() {}

/// The outcome of a message that came out of a queue: see `CallHeader`.
pub(super) fn outcome<R: for<'a> Tells<'a>>(outcome: Result<R, CallError>, _: Format) -> Answer {
    match outcome {
        // The error is the user's, and so is its text.
        Ok(reply) => match catch(|| reply.__failure()) {
            Ok(failure) => Answer::Reply(failure.unwrap_or_default().into_bytes()),
            Err(text) => Answer::Panicked(text),
        },
        Err(error) => error.into(),
    }
}
