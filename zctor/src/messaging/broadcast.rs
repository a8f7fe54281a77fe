//! Broadcasts, `call_all` and `stop_all`.

use std::sync::Arc;

use crate::client::message::{Message, Request};
use crate::error::{CallError, Refusal, SendError};
use crate::id::InstanceId;
use crate::messaging::binding::Binding;
use crate::messaging::pending::Pending;
use crate::messaging::target::Aim;
use crate::route::endpoint::{Address, Entry, Way};
use crate::route::payload::Kind;
use crate::route::pool::{Place, Places, Pool};
use crate::sys::frame::Frame;

/// What `call_all` gives: the reply of each instance, or why there is none, in registry order.
///
/// ```
/// let none: zctor::Replies<u64> = Vec::new();
/// assert!(none.is_empty());
/// ```
pub type Replies<R> = Vec<(InstanceId, Result<R, CallError>)>;

/// Those that a broadcast is for.
enum Members<'a, M: Message> {
    Known(&'a Places<M>),
    Loaded(Arc<Places<M>>),
    One(&'a Address<M>),
    Nobody,
}

impl<'a, M: Message> Aim<'a, M> {
    /// The pool as it is now, or the one instance of a client that has no pool.
    fn members(&self) -> Members<'a, M> {
        match (self.pool, self.binding) {
            (_, Binding::Gone(_)) => Members::Nobody,
            (Some(pool), _) => match self.snapshot.filter(|places| pool.is_current(places)) {
                Some(places) => Members::Known(places),
                None => Members::Loaded(pool.places.load_full()),
            },
            (None, Binding::One(address)) => Members::One(address),
            (None, _) => Members::Nobody,
        }
    }

    /// Those of them that can be sent to now.
    fn open<'m>(&self, members: &'m Members<'_, M>) -> Result<Vec<(&'m Address<M>, Way)>, Refusal> {
        let places: &[Place<M>] = match members {
            Members::Known(places) => places,
            Members::Loaded(places) => places,
            Members::One(address) => return Ok(vec![(address, address.admit()?)]),
            Members::Nobody => &[],
        };
        let mut open = Vec::with_capacity(places.len());
        open.extend(places.iter().filter_map(|place| Some((&*place.address, place.address.admit().ok()?))));
        match (open.is_empty(), self.binding) {
            (false, _) => Ok(open),
            (true, Binding::Gone(_)) => Err(Refusal::Stopped),
            (true, _) => Err(self.nobody()),
        }
    }

    /// Why nobody was found.
    pub(crate) fn nobody(&self) -> Refusal {
        self.pool().map_or_else(|refusal| refusal, Pool::nobody)
    }

    pub(crate) fn broadcast(&self, message: M) -> Result<usize, SendError<M>>
    where
        M: Clone,
    {
        let members = self.members();
        let everybody = match self.open(&members) {
            Ok(everybody) => everybody,
            Err(refusal) => return Err(self.send_error(message, refusal)),
        };
        // All copies are made before the first is sent; the last instance gets the message itself.
        let mut copies = Vec::with_capacity(everybody.len());
        copies.extend(everybody.iter().skip(1).map(|_| message.clone()));
        copies.push(message);
        // One whose thread ended this very moment is not among those reached.
        let mut reached = 0;
        let mut missed = None;
        for ((address, way), copy) in everybody.iter().zip(copies) {
            match self.send_copy(address, *way, copy) {
                Ok(true) => reached += 1,
                Ok(false) => {}
                Err(copy) => missed = Some(copy),
            }
        }
        match missed {
            Some(message) if reached == 0 => Err(self.send_error(message, self.nobody())),
            _ => Ok(reached),
        }
    }

    /// One copy of a broadcast, which passes over who has no room: `false`.
    fn send_copy(&self, address: &Address<M>, way: Way, copy: M) -> Result<bool, M> {
        let entry = address.enter(self.view.waits());
        if entry == Entry::Full {
            return address.drop_newest(copy).map(|()| false);
        }
        let mut place = Some(copy);
        address.send(way, &mut place, entry.how(false));
        place.map_or(Ok(true), Err)
    }

    pub(crate) fn broadcast_with(&self, mut make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        let members = self.members();
        let everybody = self.open(&members).map_err(|refusal| self.call_error(refusal))?;
        let (mut reached, mut missed) = (0, 0);
        for (address, way) in &everybody {
            match self.send_copy(address, *way, make(address.id())) {
                Ok(here) => reached += usize::from(here),
                Err(_) => missed += 1,
            }
        }
        if missed == everybody.len() { Err(self.call_error(self.nobody())) } else { Ok(reached) }
    }

    pub(crate) fn call_all_with<R: 'static, K: Kind>(
        &self,
        mut make: impl FnMut(InstanceId) -> Request<M, R, K>,
    ) -> Result<Replies<R>, CallError> {
        if !Frame::current().may_wait_for(K::depth(M::CALL_DEPTH)) {
            return Err(CallError::Undeclared { message: M::NAME });
        }
        let members = self.members();
        let everybody = self.open(&members).map_err(|refusal| self.call_error(refusal))?;
        // One deadline for all, counted from here.
        let until = self.own_deadline();
        let pending: Vec<(InstanceId, Pending<R>)> = everybody
            .iter()
            .map(|(address, way)| {
                let request = make(address.id());
                (address.id(), self.request_at(address, *way, request, until))
            })
            .collect();
        Ok(pending.into_iter().map(|(id, reply)| (id, reply.wait())).collect())
    }

    pub(crate) fn stop_all(&self) -> Result<usize, Refusal> {
        let members = match self.binding {
            Binding::One(address) => Members::One(address),
            _ => self.members(),
        };
        let everybody = self.open(&members)?;
        for (address, way) in &everybody {
            address.stop(*way);
        }
        Ok(everybody.len())
    }
}
