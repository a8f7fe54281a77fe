//! Quorums: so many good replies of several calls, and no wait for the rest.

use std::error::Error;
use std::fmt;

use zctor::{CallError, Pending, first};

/// Waits for `needed` good replies, and gives them as they come: of replies that are there at the same look, the one of the earlier call comes first.
///
/// The calls that have not ended then are given up: those that no handler has begun are skipped. So are those that are
/// left when so many have failed that the quorum cannot be reached. To let all of them run, [`detach`](Pending::detach)
/// further copies, or send instead.
///
/// # Errors
/// [`QuorumError`]: too many calls have failed, or there were too few, or the wait itself failed.
///
/// # Blocking
/// Until the quorum is reached, or cannot be. Inside a handler the callees must be of a lower call depth.
///
/// ```
/// use zctor::{ActorEngine, actor};
/// use zctor_kit::quorum::quorum;
///
/// #[actor]
/// #[derive(Clone)]
/// pub enum ReplicaMessage {
///     #[reply(u64)]
///     Version,
/// }
/// struct Replica;
/// impl ReplicaHandler for Replica {
///     fn version(&mut self) -> u64 {
///         7
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let replicas: ReplicaClient = engine.pool(3, ReplicaMessage::actor(|| Replica))?;
/// let versions = replicas.non_blocking().call_all(ReplicaMessage::version())?;
/// assert_eq!(quorum(2, versions.into_iter().map(|(_, version)| version))?, [7, 7]);
/// # Ok(())
/// # }
/// ```
pub fn quorum<R>(needed: usize, calls: impl IntoIterator<Item = Pending<R>>) -> Result<Vec<R>, QuorumError> {
    let mut calls = first(calls);
    let (mut replies, mut last) = (Vec::with_capacity(needed.min(calls.len())), None);
    while replies.len() < needed {
        let came = replies.len();
        let missed = |last| QuorumError { needed, came, last };
        if came + calls.len() < needed {
            return Err(missed(last));
        }
        match calls.wait() {
            Ok(Some((_, Ok(reply)))) => replies.push(reply),
            Ok(Some((_, Err(error)))) => last = Some(error),
            Ok(None) => return Err(missed(last)),
            Err(error) => return Err(missed(Some(error))),
        }
    }
    Ok(replies)
}

/// Error returned by [`quorum`].
///
/// ```
/// use zctor::Pending;
/// use zctor_kit::quorum::quorum;
///
/// let error = quorum::<u64>(1, []).unwrap_err();
/// assert_eq!(error.to_string(), "0 good replies of the 1 that were needed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuorumError {
    /// How many good replies were needed.
    pub needed: usize,
    /// How many had come.
    pub came: usize,
    /// The error of the call that failed last, or that of the wait; `None` if there were too few calls to begin with.
    pub last: Option<CallError>,
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, came, last } = self;
        write!(f, "{came} good replies of the {needed} that were needed")?;
        last.as_ref().map_or(Ok(()), |last| write!(f, "; the last failure: {last}"))
    }
}

impl Error for QuorumError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.last.as_ref().map(|last| last as _)
    }
}
