//! One end of the way between two engines: the pools that it serves, the links that it makes, and its books.

use std::any::TypeId;
use std::collections::HashMap;
use std::io;
use std::marker::PhantomData;
use std::mem::take;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::actor::Actor;
use crate::actor::context::Context;
use crate::actor::link::Remote;
use crate::client::Client;
use crate::engine::ActorEngine;
use crate::engine::actor_thread::ActorThread;
use crate::error::SpawnError;
use crate::mailbox::permits::Overflow;
use crate::remote::books::Books;
use crate::remote::error::ServeError;
use crate::remote::feeder::Feeder;
use crate::remote::ledger::{Inbound, Ledger};
use crate::remote::link::Link;
use crate::remote::message::RemoteMessage;
use crate::remote::packet::{Answer, Carrier, Pack, PackReceipt, Packet, Receipt};
use crate::remote::partition::Partitions;
use crate::remote::served::{Served, ServedPool};
use crate::sys::clock::deadline;
use crate::sys::lock::lock;

/// For how many messages from outside a link has room by itself.
pub const ROOM: usize = 1_024;

/// One end of the way between two engines, whatever carries packets between the ends.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "only crates that carry packets see it")]
pub struct End {
    served: Mutex<HashMap<&'static str, Arc<dyn Served>>>,
    ledger: Arc<Ledger>,
    /// For packets from handlers. Started with the first pool that is served.
    inside_feeder: Mutex<Option<Feeder>>,
}

impl End {
    /// Serves the engine's pool of `M`.
    ///
    /// # Errors
    /// As [`Loopback::serve`](crate::remote::Loopback::serve).
    pub fn serve<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        partitions: Option<Partitions>,
    ) -> Result<(), ServeError> {
        if let Some(Partitions { numbers, of }) = partitions.as_ref().filter(|partitions| !partitions.exist()) {
            return Err(ServeError::NoPartition { name: M::WIRE, numbers: numbers.clone(), of: *of });
        }
        let pool = Client::clone(&*engine.client::<M>().map_err(|error| ServeError::of(&error, M::WIRE))?);
        let thread = |source| ServeError::Thread { source };
        // Not the feeder of the pool before, which may wait for room in another engine that never has any.
        let feeder = Feeder::start("zctor-feeder").map_err(thread)?;
        let inside_feeder = self.inside_feeder().map_err(thread)?;
        let pool_at_once = pool.non_blocking().seen();
        let served = Arc::new(ServedPool { pool, pool_at_once, partitions, feeder, inside_feeder });
        let before = {
            let mut all = lock(&self.served);
            if all.get(M::WIRE).is_some_and(|before| before.message() != TypeId::of::<M>()) {
                return Err(ServeError::NameTaken { name: M::WIRE });
            }
            if all.get(M::WIRE).is_some_and(|before| before.partitions() != served.partitions()) {
                return Err(ServeError::PartitionsStated { name: M::WIRE });
            }
            all.insert(M::WIRE, served)
        };
        drop(before);
        Ok(())
    }

    fn inside_feeder(&self) -> io::Result<Feeder> {
        let mut feeder = lock(&self.inside_feeder);
        match &*feeder {
            Some(feeder) => Ok(feeder.clone()),
            None => Ok(feeder.insert(Feeder::start("zctor-remote")?).clone()),
        }
    }

    /// Takes a packet from the other side in. Never waits.
    pub fn deliver(&self, wire: &str, packet: Packet<'_>, receipt: Box<dyn Receipt>) {
        match self.arrived(wire, 1) {
            Some((pool, arrived)) => pool.deliver(packet, receipt, arrived),
            None => receipt.answer(Answer::Unreachable),
        }
    }

    /// Takes sends from the other side in that have come together. Never waits.
    pub fn deliver_pack(&self, wire: &str, pack: &Pack<'_>, receipt: &dyn PackReceipt) {
        let packets = pack.messages.len();
        match self.arrived(wire, packets) {
            Some((pool, arrived)) => pool.deliver_pack(pack, receipt, arrived),
            None => (0..packets).for_each(|place| receipt.of(place).answer(Answer::Unreachable)),
        }
    }

    /// Finds the pool that so many packets have come for, and counts them under the same lock: see step 6 of `served.rs`.
    fn arrived(&self, wire: &str, packets: usize) -> Option<(Arc<dyn Served>, Inbound)> {
        lock(&self.served).get(wire).map(|pool| (Arc::clone(pool), self.ledger.arrived(packets)))
    }

    /// Serves nothing any more, and waits until all packets that have come are in mailboxes and answered, for `limit`
    /// at most.
    pub fn leave(&self, limit: Duration) -> Books {
        let served = take(&mut *lock(&self.served));
        drop(served); // under no lock, since the last reference to a pool may be among these
        self.drain(limit)
    }

    /// Waits until what has come is in mailboxes and answered, for `limit` at most.
    pub fn drain(&self, limit: Duration) -> Books {
        self.ledger.drain(deadline(limit))
    }

    /// Makes a pool of one link, whose packets go by `carrier`. `partitions`: into how many the keys are divided.
    ///
    /// # Errors
    /// As [`ActorEngine::pool`].
    pub fn attach<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        carrier: Arc<dyn Carrier>,
        partitions: Option<u32>,
        bound: usize,
        overflow: Overflow,
    ) -> Result<M::Client, SpawnError> {
        let ledger = Arc::clone(&self.ledger);
        let remote = move |ctx: &mut Context<M>| {
            let link = Link::<M> {
                ledger: Arc::clone(&ledger),
                carrier: Arc::clone(&carrier),
                partitions: partitions.map(|of| of.max(1)),
                instance: ctx.instance_id(),
                of: PhantomData,
            };
            Ok(Remote::<M> { outlet: Arc::new(link) })
        };
        // Bounded, since a message without a permit counts as a handler's: see `link.rs`.
        let thread = |_| ActorThread::new().mailbox_bound(bound).overflow(overflow);
        engine.pool_on(1, thread, Actor::__try_new(remote))
    }

    /// Waits until each message that was sent has ended, for `limit` at most.
    pub fn flush(&self, limit: Duration) -> Books {
        self.ledger.flush(deadline(limit))
    }

    /// The books.
    pub fn books(&self) -> Books {
        self.ledger.books()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A pool whose drop tells whether it asks its end under the lock.
    struct Asks {
        end: Weak<End>,
        is_free: Arc<AtomicBool>,
    }

    impl Served for Asks {
        fn deliver(self: Arc<Self>, _: Packet<'_>, receipt: Box<dyn Receipt>, _: Inbound) {
            receipt.answer(Answer::Unreachable);
        }

        fn deliver_pack(self: Arc<Self>, _: &Pack<'_>, _: &dyn PackReceipt, _: Inbound) {}

        fn message(&self) -> TypeId {
            TypeId::of::<Self>()
        }

        fn partitions(&self) -> Option<&Partitions> {
            None
        }
    }

    impl Drop for Asks {
        fn drop(&mut self) {
            let end = self.end.upgrade().expect("the test has it");
            self.is_free.store(end.served.try_lock().is_ok(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_pool_is_dropped_under_no_lock_when_its_end_leaves() {
        let (end, is_free) = (Arc::new(End::default()), Arc::new(AtomicBool::new(false)));
        let pool = Asks { end: Arc::downgrade(&end), is_free: Arc::clone(&is_free) };
        lock(&end.served).insert("asks", Arc::new(pool));
        assert!(end.leave(Duration::ZERO).is_drained());
        assert!(is_free.load(Ordering::Relaxed));
    }
}
