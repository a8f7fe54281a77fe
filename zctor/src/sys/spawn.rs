//! Threads start here alone.

use std::thread::JoinHandle;

use crate::error::SpawnError;

/// Starts a thread of zctor's.
pub(crate) fn start_thread(
    name: &str,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, SpawnError> {
    let mut builder = std::thread::Builder::new();
    // A name with a NUL in it is not the caller's fault to panic for.
    builder = builder.name(name.replace('\0', " "));
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(body).map_err(|source| SpawnError::Thread { source })
}

/// The machine's parallelism: how many threads can run at once. 1 where it cannot be found out.
///
/// ```
/// assert!(zctor::available_threads() >= 1);
/// ```
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
