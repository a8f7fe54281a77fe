//! The state of the watcher over slow handlers; `slow.rs` runs it.

use std::sync::Arc;
use std::time::Duration;

use crate::report::slow::Slow;
use crate::sys::spawn::Started;
use crate::sys::unwind::UserClosure;

/// A hook for slow handlers, which is the user's.
pub(super) type SlowHook = UserClosure<dyn Fn(&Slow) + Send + Sync>;

/// The orders of the engine to its watcher.
#[derive(Default)]
pub(super) struct SlowWatcher {
    /// The limit, and the hook to be told.
    pub(super) hook: Option<(Duration, Arc<SlowHook>)>,
    /// The hook was set since the last look, and has been told of nothing.
    pub(super) is_new: bool,
    pub(super) thread: Option<Started>,
    /// It is to look again at once.
    pub(super) is_woken: bool,
    /// The engine has stopped.
    pub(super) is_closed: bool,
}
