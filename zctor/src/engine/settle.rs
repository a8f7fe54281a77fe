//! Waiting until the inside is quiet.

use std::sync::Arc;

use crate::engine::core::Core;
use crate::sys::unwind::Quiet;
use crate::thread::local::local;

impl Core {
    /// Waits until the inside is quiet.
    pub(crate) fn settle(self: &Arc<Self>) {
        let Some(local) = local() else { return drop(self.watch(Self::is_quiet, |_| None)) };
        // The calling thread of `here`, of this engine or another: nobody else serves its instances. Meanwhile it is told
        // of mail where this waits.
        let core = Arc::clone(self);
        let is_own = Arc::ptr_eq(&self.edge, &local.mailbox.edge);
        let poke = move || {
            drop(core.state.lock());
            core.state.notify();
        };
        let parker = &local.mailbox.parker;
        parker.poke_by(Some(Arc::new(Quiet::new(Box::new(poke)))));
        loop {
            local.run_until_idle();
            let must_end = is_own && local.is_ending();
            let has_mail = || if local.is_ending() { is_own } else { local.has_work() };
            let (state, _) = self.watch(|state| Self::is_quiet(state) || has_mail(), |_| local.next_timer());
            if must_end || Self::is_quiet(&state) {
                break;
            }
        }
        parker.poke_by(None);
        local.as_actor_thread(|| ()); // tells the event loop of what has come since
    }
}
