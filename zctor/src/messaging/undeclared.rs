//! The refusal of a wait that the call depth does not allow, which names both sides.

use crate::error::CallError;
use crate::thread::carried::home;
use crate::thread::local::local;

/// The code that runs here may not wait for this type.
#[cold]
pub(super) fn undeclared(message: &'static str) -> CallError {
    let here = local().and_then(|local| {
        let caller = local.mailbox.meter.running()?;
        local.mailbox.roster.find(caller)
    });
    // A handler that runs here comes first: it holds the code that asks, also where that was carried from elsewhere.
    // Elsewhere the code is that of the handler that has carried it there, or nobody's.
    let caller = here.or_else(|| home().map(|home| home.handler));
    CallError::Undeclared { message, caller: caller.map(|caller| caller.message) }
}
