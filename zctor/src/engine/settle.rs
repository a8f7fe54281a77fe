//! `settle` returns when the inside is quiet.

use std::sync::Arc;

use crate::engine::core::Core;
use crate::sys::unwind::UserClosure;
use crate::thread::borrowed::{as_actor_thread, has_work, is_ending, run_until_idle};
use crate::thread::local::local;

/// Waits until the inside is quiet.
pub(crate) fn settle(core: &Arc<Core>) {
    let Some(local) = local() else { return drop(core.wait_until(Core::is_quiet, |_| None)) };
    // This is the calling thread of `here`, of this engine or another. No other thread serves its instances, so it
    // serves them between its looks. While it waits, new mail interrupts the wait.
    let waiter = Arc::clone(core);
    let is_own = Arc::ptr_eq(&core.engine, &local.mailbox.engine);
    let interrupt = move || {
        drop(waiter.state.lock());
        waiter.state.notify();
    };
    let parker = &local.mailbox.parker;
    parker.interrupt_by(Some(Arc::new(UserClosure::new(Box::new(interrupt)))));
    loop {
        run_until_idle(&local);
        let must_end = is_own && is_ending(&local);
        let has_mail = || if is_ending(&local) { is_own } else { has_work(&local) };
        let (state, _) = core.wait_until(|state| Core::is_quiet(state) || has_mail(), |_| local.next_timer());
        if must_end || Core::is_quiet(&state) {
            break;
        }
    }
    parker.interrupt_by(None);
    as_actor_thread(&local, || ()); // notifies the event loop of mail that has come since
}
