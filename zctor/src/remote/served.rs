//! A pool that one end serves: what comes for it is decoded and goes into its mailboxes.

use std::sync::Arc;
use std::time::Instant;

use crate::client::Client;
use crate::error::{CallError, SendError};
use crate::event::Undelivered;
use crate::messaging::binding::Limit;
use crate::remote::message::{Answer, RemoteMessage};
use crate::remote::wire;

/// A pool whose messages come as bytes, whatever their type.
pub(super) trait Served: Send + Sync {
    /// Puts a message into a mailbox of the pool.
    fn send(&self, bytes: &[u8]) -> Result<(), Undelivered>;
    /// The same for a call, which is given up at `until`.
    fn call(&self, bytes: &[u8], until: Option<Instant>) -> Result<Answer, CallError>;
}

pub(super) struct ServedPool<M: RemoteMessage> {
    pub(super) pool: Client<M>,
}

impl<M: RemoteMessage> Served for ServedPool<M> {
    fn send(&self, bytes: &[u8]) -> Result<(), Undelivered> {
        let message = wire::decode(bytes).map_err(|_| Undelivered::Unfit)?;
        self.pool.send(message).map_err(|refused: SendError<M>| match refused {
            SendError::Full(_) => Undelivered::Full,
            SendError::NotRegistered(_) | SendError::Stopped(_) => Undelivered::Unreachable,
        })
    }

    fn call(&self, bytes: &[u8], until: Option<Instant>) -> Result<Answer, CallError> {
        let unfit = |text: Arc<str>| CallError::Unfit { message: M::name(), text };
        let message: M = wire::decode(bytes).map_err(unfit)?;
        let variant = message.variant();
        let pool = match until {
            Some(until) => self.pool.clone().with_limit(Limit::Until(until)),
            None => self.pool.clone(),
        };
        message.__serve(&pool).ok_or_else(|| unfit(format!("`{variant}` has no reply on the other side").into()))
    }
}
