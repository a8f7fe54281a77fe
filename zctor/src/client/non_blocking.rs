//! What only the non-blocking view of a client has.

use crate::client::Client;
use crate::client::message::{IntoRequest, Message, NonBlocking};
use crate::error::CallError;
use crate::id::InstanceId;
use crate::messaging;
use crate::messaging::broadcast::Pendings;

/// The non-blocking view: no method of it waits, neither for a reply nor for room in a mailbox. A call is a
/// [`request`](Client::request) here.
impl<M: Message> Client<M, NonBlocking> {
    /// Asks every instance of the pool; gives a [`Pending`](crate::Pending) for each reply, in registry order. A refusal by
    /// one instance is found in its `Pending`.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the pool has no live instance.
    /// - [`CallError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # #[derive(Clone)]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let sums = adder.non_blocking().call_all(AdderMessage::add(2, 3))?;
    /// assert_eq!(sums.iter().map(|(id, _)| *id).collect::<Vec<_>>(), adder.instances());
    /// for (_, sum) in sums {
    ///     assert_eq!(sum.wait()?, 5); // or `.await` it
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_all<Q>(&self, request: Q) -> Result<Pendings<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
        M: Clone,
    {
        let request = request.__into();
        messaging::request_all::<M, Q::Reply, Q::Kind>(&self.target(), |_| request.clone().into_parts())
    }

    /// As [`call_all`](Client::call_all), with the request that `make` gives for each instance.
    ///
    /// # Errors
    /// As [`call_all`](Client::call_all).
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(usize)] Add(usize, usize) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: usize, b: usize) -> usize { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let sums = adder.non_blocking().call_all_with(|id| AdderMessage::add(10, id.thread().index()))?;
    /// assert_eq!(sums[1].1.wait()?, 11);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_all_with<Q>(&self, mut make: impl FnMut(InstanceId) -> Q) -> Result<Pendings<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
    {
        messaging::request_all::<M, Q::Reply, Q::Kind>(&self.target(), |id| make(id).__into().into_parts())
    }
}
