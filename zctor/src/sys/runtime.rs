//! Refuses blocking waits on the threads of a tokio runtime, which they would stop (feature `tokio`).

use std::future::ready;
use std::thread::panicking;

use tokio::runtime::Handle;

use crate::sys::unwind::catch;

/// Panics where a blocking wait would stop a tokio runtime, in debug builds.
///
/// tokio does not tell which threads those are, but for its own `block_on`: that panics there, and on no other thread,
/// such as one of `spawn_blocking`. So tokio's own panic is told before this one.
#[track_caller]
pub(crate) fn assert_may_block() {
    if !cfg!(debug_assertions) || panicking() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    if catch(|| runtime.block_on(ready(()))).is_err() {
        panic!(
            "a blocking wait on a thread of a tokio runtime stops that runtime: take a \
             `.non_blocking()` client, `.await` the reply, the engine's `shutdown_async()` or its `stopped()`, or move \
             the code to `tokio::task::spawn_blocking`"
        );
    }
}
