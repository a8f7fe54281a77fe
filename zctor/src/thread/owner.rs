//! The trait by which an actor thread knows its engine, which stands above it.

use std::sync::Arc;

use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Envelope;
use crate::report::InstanceReport;

/// The engine of an actor thread, as the thread knows it.
pub(crate) trait ThreadOwner: Send + Sync {
    /// Tells it that the thread has come to rest.
    fn came_to_rest(&self);
    /// Tells it that the thread has ended its rest, while its watcher sleeps.
    fn wake_watcher(&self);
    /// Tells it that an instance of the thread has ended, once its shutdown has begun.
    fn instance_ended(&self, report: InstanceReport);
    /// Tells it to stop: an instance has ended that it cannot do without.
    fn stop(self: Arc<Self>);
    /// Tells it that the thread has ended.
    fn thread_ended(&self, mailbox: &Arc<Mailbox>);
    /// Gives the messages in an envelope, whose receiver has ended, to siblings of the receiver. Messages that no
    /// sibling takes stay in the envelope. `from_inner`: they waited in the inner queue.
    fn redirect(&self, envelope: &mut Envelope, from_inner: bool);
}
