//! The refusal of a wait that the call depth does not allow, which names both sides.

use crate::error::CallError;
use crate::thread::local::local;

/// The code that runs here may not wait for this type.
#[cold]
pub(super) fn undeclared(message: &'static str) -> CallError {
    let caller = local().and_then(|local| {
        let caller = local.mailbox.meter.running()?;
        local.mailbox.roster.find(caller)
    });
    CallError::Undeclared { message, caller: caller.map(|caller| caller.message) }
}
