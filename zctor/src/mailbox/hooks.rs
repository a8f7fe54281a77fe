//! The hooks of an engine for rare events: each has a place, where it is set by the user, read, and closed at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::sys::frame::as_hook;
use crate::sys::lock::lock;
use crate::sys::unwind::{UserClosure, ignoring_panic};

/// A hook of the engine's, set by the user.
pub(super) type Hook<T> = UserClosure<dyn Fn(&T) + Send + Sync>;

/// The place of a hook. All threads of the engine look here, and take no lock for it before a hook is set.
pub(super) struct HookPlace<T> {
    was_set: AtomicBool,
    slot: Mutex<HookSlot<T>>,
}

/// The state of a hook's place.
pub(super) enum HookSlot<T> {
    Open(Option<Arc<Hook<T>>>),
    /// The engine has stopped, and keeps no hook any more.
    Closed,
}

impl<T> Default for HookPlace<T> {
    fn default() -> Self {
        Self { was_set: AtomicBool::new(false), slot: Mutex::new(HookSlot::Open(None)) }
    }
}

impl<T> HookPlace<T> {
    #[inline]
    pub(super) fn hook(&self) -> Option<Arc<Hook<T>>> {
        // Relaxed: the hook itself is behind the lock. An event that follows from the setting of the hook sees it.
        if !self.was_set.load(Ordering::Relaxed) {
            return None;
        }
        match &*lock(&self.slot) {
            HookSlot::Open(hook) => hook.clone(),
            HookSlot::Closed => None,
        }
    }

    /// Keeps a hook. Gives the one to be dropped, which the caller does outside the lock: the one before, or this one
    /// if the place is closed.
    pub(super) fn put(&self, hook: Hook<T>) -> Option<Arc<Hook<T>>> {
        let hook = Some(Arc::new(hook));
        match &mut *lock(&self.slot) {
            HookSlot::Open(place) => {
                self.was_set.store(true, Ordering::Relaxed);
                std::mem::replace(place, hook)
            }
            HookSlot::Closed => hook,
        }
    }

    pub(super) fn close(&self) -> HookSlot<T> {
        std::mem::replace(&mut *lock(&self.slot), HookSlot::Closed)
    }
}

/// Runs a hook of the user's.
pub(crate) fn run_hook(hook: impl FnOnce()) {
    as_hook(|| ignoring_panic(hook));
}
