//! The engine as the owner of its threads: it is told of their rest, of ends, and of mail that another thread must take over.

use std::sync::Arc;

use crate::engine::core::Core;
use crate::engine::{shutdown, slow};
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Envelope;
use crate::report::InstanceReport;
use crate::thread::owner::ThreadOwner;

impl ThreadOwner for Core {
    fn came_to_rest(&self) {
        Self::came_to_rest(self);
    }

    fn wake_watcher(&self) {
        slow::wake(self);
    }

    fn stop(self: Arc<Self>) {
        shutdown::stop(&self, None);
    }

    fn instance_ended(&self, report: InstanceReport) {
        self.state.lock().reports.push(report);
    }

    fn thread_ended(&self, mailbox: &Arc<Mailbox>) {
        let mut state = self.state.lock();
        // A number names one thread of the engine, for ever.
        if let Some(running) = state.threads.remove(&mailbox.thread) {
            // The handles of threads that are gone by now are dropped, so that those of short-lived threads do not pile
            // up.
            state.ended.retain(|handle| !handle.is_finished());
            state.ended.extend(running.handle);
            for (name, ended) in mailbox.roster.ended() {
                state.gone.entry(name).or_default().add(ended.instances, ended.handled, ended.panicked);
            }
        }
        drop(state);
        self.state.notify();
    }

    fn redirect(&self, envelope: &mut Envelope, from_inner: bool) {
        if let Some(pool) = self.pools.of_type(envelope.message()) {
            pool.take_over(envelope.content(), from_inner);
        }
    }
}
