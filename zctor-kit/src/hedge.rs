//! Hedged calls: the same question to another instance when the first is slow to answer.

use std::time::Duration;

use zctor::{CallError, Pending, first};

/// Makes the first call, and the next one each time that `patience` has passed without a good reply, or that a call has
/// failed; gives the first good reply.
///
/// The calls that have not ended then are given up: those that no handler has begun are skipped. So each call must be
/// one that may run twice. `calls` are closures that make the request, as in the example; none of them is run before
/// its turn.
///
/// # Errors
/// The error of the call that failed last, when all have failed; [`CallError::NoReply`] if there is no call. Of the wait
/// itself: [`CallError::Undeclared`] and [`CallError::HandlerTimeout`], as [`First::wait`](zctor::First::wait) says.
///
/// # Blocking
/// Until a good reply is there, or all calls have failed. Inside a handler the callees must be of a lower call depth.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, actor};
/// use zctor_kit::hedge::hedge;
///
/// #[actor]
/// pub enum ReplicaMessage {
///     #[reply(u64)]
///     Read(u64),
/// }
/// struct Replica;
/// impl ReplicaHandler for Replica {
///     fn read(&mut self, key: u64) -> u64 {
///         key + 1
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let replicas: ReplicaClient = engine.pool(2, ReplicaMessage::actor(|| Replica))?;
/// let each = replicas.instances().into_iter().map(|id| {
///     let replica = replicas.pin(id).non_blocking();
///     move || replica.read(41)
/// });
/// assert_eq!(hedge(Duration::from_millis(20), each)?, 42);
/// # Ok(())
/// # }
/// ```
pub fn hedge<R, F>(patience: Duration, calls: impl IntoIterator<Item = F>) -> Result<R, CallError>
where
    F: FnOnce() -> Pending<R>,
{
    let mut calls = calls.into_iter().fuse();
    let mut replies = first([]);
    let mut failed = CallError::NoReply { message: "a hedge without a call" };
    loop {
        let is_last = match calls.next() {
            Some(call) => {
                replies.push(call());
                false
            }
            None => true,
        };
        let reply = if is_last { replies.wait()? } else { replies.wait_timeout(patience)? };
        match reply {
            Some((_, Ok(reply))) => return Ok(reply),
            Some((_, Err(error))) => failed = error,
            None if is_last => return Err(failed),
            None => {}
        }
    }
}
