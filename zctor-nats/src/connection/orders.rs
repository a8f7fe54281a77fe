//! The commands of a connection, in batches: what a batch says to other bridges goes out together, at its end.

use async_nats::Subject;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::coop::consume_budget;

use crate::connection::{Command, Outbound};
use crate::pack::{Next, gather};

/// How many commands a batch has at most. Those of one pack are one.
const BATCH: usize = 256;

pub(super) struct Orders {
    from: UnboundedReceiver<Command>,
    /// The command that ended a pack. It comes before all that is in the queue.
    follows: Option<Command>,
    /// How many more commands the batch may have.
    left: usize,
}

impl Orders {
    pub(super) fn new(from: UnboundedReceiver<Command>) -> Self {
        Self { from, follows: None, left: 0 }
    }

    /// Waits for a command, the first of a batch. `None`: no more will come.
    pub(super) async fn begin(&mut self) -> Option<Command> {
        self.left = BATCH - 1;
        if self.follows.is_some() {
            // The queue has its own limit on what one task may do at a time.
            consume_budget().await;
            return self.follows.take();
        }
        self.from.recv().await
    }

    /// The next command of the batch, if there is one.
    pub(super) fn next(&mut self) -> Option<Command> {
        self.left = self.left.checked_sub(1)?;
        self.follows.take().or_else(|| self.from.try_recv().ok())
    }

    /// Takes a packet that was given with those behind it that go with it.
    pub(super) fn gather(&mut self, first: Outbound, calls_are_answered_soon: impl FnOnce(&Subject) -> bool) -> Next {
        let (next, follows) = gather(first, &mut self.from, calls_are_answered_soon);
        self.follows = follows;
        next
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// Issue #17: small sends to two pools in turn made one batch without end, and acknowledgements waited for it.
    #[test]
    fn a_batch_ends_however_packs_end_and_nothing_is_left_out() {
        const MANY: usize = 10 * BATCH;
        let (commands, from) = unbounded_channel();
        for number in 0..MANY {
            let subject = if number % 2 == 0 { "a" } else { "b" };
            let bytes = number.to_be_bytes().to_vec();
            let packet = Outbound { inside: true, ..Outbound::untold(subject, bytes) };
            drop(commands.send(Command::Packet(packet)));
        }
        drop(commands);
        let (mut orders, mut out) = (Orders::new(from), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        while let Some(first) = runtime.block_on(orders.begin()) {
            let (mut next, mut carried_out) = (Some(first), 0);
            while let Some(Command::Packet(packet)) = next {
                match orders.gather(packet, |_| true) {
                    Next::One(packet) => out.push(packet.bytes),
                    Next::Pack(pack) => out.extend(pack.into_iter().map(|packet| packet.bytes)),
                }
                carried_out += 1;
                next = orders.next();
            }
            assert!(carried_out <= BATCH, "{carried_out}");
        }
        assert!(out.into_iter().eq((0..MANY).map(|number| number.to_be_bytes().to_vec())));
    }
}
