//! Broadcasts, `call_all` and `stop_all`: each instance that takes mail is reached once.

use std::sync::Arc;
use std::time::Instant;

use crate::error::{CallError, Refusal, SendError};
use crate::id::InstanceId;
use crate::mailbox::mail::SentAs;
use crate::messaging::binding::Among;
use crate::messaging::call::{call_deadline, check_depth};
use crate::messaging::pending::Pending;
use crate::messaging::request::{own_deadline, request_at};
use crate::messaging::target::Target;
use crate::route::endpoint::{Endpoint, taken_back};
use crate::route::link_route::StatedRoute;
use crate::route::location::{Entry, Way};
use crate::route::payload::{Kind, Payload, ToPort};
use crate::route::places::{Place, Places};
use crate::route::pool::Pool;
use crate::sys::frame::Frame;
use crate::trace::watched_or_not;

/// The result of `call_all`: the reply of each instance, or why it has none, in registry order.
///
/// ```
/// let none: zctor::Replies<u64> = Vec::new();
/// assert!(none.is_empty());
/// ```
pub type Replies<R> = Vec<(InstanceId, Result<R, CallError>)>;

/// The result of `call_all` of the non-blocking view: a [`Pending`] for the reply of each instance, in registry order.
///
/// ```
/// let none: zctor::Pendings<u64> = Vec::new();
/// assert!(none.is_empty());
/// ```
pub type Pendings<R> = Vec<(InstanceId, Pending<R>)>;

/// The instances that a broadcast is for.
enum Members<'a, M: Payload> {
    /// With the version of the pool that these are of.
    Known(&'a [Place<M>], u64),
    Loaded(Arc<Places<M>>),
    One(&'a Endpoint<M>),
    Nobody,
}

impl<'a, M: Payload> Members<'a, M> {
    /// The pool as it is now, or the one instance of a client that has no pool.
    fn of(target: &Target<'a, M>) -> Self {
        match (target.pool, target.among) {
            (_, Among::Nobody) => Self::Nobody,
            (Some(pool), _) => match target.places(pool) {
                Some((places, version)) => Self::Known(places, version),
                None => Self::Loaded(pool.places.load_full()),
            },
            (None, Among::One(endpoint)) => Self::One(endpoint),
            (None, _) => Self::Nobody,
        }
    }

    /// The instances that take mail now, each with the way to it.
    fn open(&self, target: &Target<'_, M>) -> Result<Vec<(&Endpoint<M>, Way)>, Refusal> {
        let places: &[Place<M>] = match self {
            Self::Known(places, _) => places,
            Self::Loaded(places) => places,
            Self::One(endpoint) => return Ok(vec![(endpoint, endpoint.admit()?)]),
            Self::Nobody => &[],
        };
        let mut open = Vec::with_capacity(places.len());
        open.extend(places.iter().filter_map(|place| Some((&*place.endpoint, place.endpoint.admit().ok()?))));
        match (open.is_empty(), target.among) {
            (false, _) => Ok(open),
            (true, Among::Nobody) => Err(Refusal::Stopped),
            (true, _) => Err(nobody(target)),
        }
    }
}

/// Runs `f` with the instances that take mail now, or with the reason why there are none.
fn with_open<'a, M: Payload, R>(
    target: &Target<'a, M>,
    mut members: Members<'a, M>,
    f: impl FnOnce(Result<Vec<(&Endpoint<M>, Way)>, Refusal>) -> R,
) -> R {
    loop {
        let open = members.open(target);
        let stale = match &members {
            Members::Known(_, version) => target.pool.filter(|pool| pool.version() > *version),
            Members::Loaded(places) => target.pool.filter(|pool| pool.is_stale(places)),
            Members::One(_) | Members::Nobody => None,
        };
        match stale {
            None => return f(open),
            Some(pool) => members = Members::Loaded(pool.places.load_full()),
        }
    }
}

/// Why no instance was found.
fn nobody<M: Payload>(target: &Target<'_, M>) -> Refusal {
    target.pool().map_or_else(|refusal| refusal, Pool::nobody)
}

pub(crate) fn broadcast<M: Payload + Clone>(target: &Target<'_, M>, message: M) -> Result<usize, SendError<M>> {
    with_open(target, Members::of(target), |everybody| {
        let everybody = match everybody {
            Ok(everybody) => everybody,
            Err(refusal) => return Err(target.send_error(message, refusal)),
        };
        // All copies are made before the first is sent; the last instance gets the message itself.
        let mut copies = Vec::with_capacity(everybody.len());
        copies.extend(everybody.iter().skip(1).map(|_| message.clone()));
        copies.push(message);
        let (reached, missed) = send_copies(&everybody, copies);
        match missed.into_iter().next() {
            Some(message) if reached == 0 => Err(target.send_error(message, nobody(target))),
            _ => Ok(reached),
        }
    })
}

pub(crate) fn broadcast_with<M: Payload>(
    target: &Target<'_, M>,
    mut make: impl FnMut(InstanceId) -> M,
) -> Result<usize, CallError> {
    with_open(target, Members::of(target), |everybody| {
        let everybody = everybody.map_err(|refusal| target.call_error(refusal))?;
        let copies = everybody.iter().map(|(endpoint, _)| make(endpoint.id())).collect();
        let (reached, missed) = send_copies(&everybody, copies);
        if missed.len() == everybody.len() { Err(target.call_error(nobody(target))) } else { Ok(reached) }
    })
}

/// Sends each instance its copy; the copy for one that has no room is dropped as a dead letter.
///
/// Gives how many instances were reached, and the copies that came back, since a thread or the engine has ended
/// meanwhile.
fn send_copies<M: Payload>(everybody: &[(&Endpoint<M>, Way)], copies: Vec<M>) -> (usize, Vec<M>) {
    watched_or_not(
        copies,
        |copies| send_each::<true, M>(everybody, copies),
        |copies| send_each::<false, M>(everybody, copies),
    )
}

/// As `send_copies`. `WATCHED`: see `trace::watched_or_not`.
///
/// Copies for neighbours on one thread go there as a bundle, in one push. All copies are made before that. So only a
/// subscriber's code may run between the first of them and the push, and that cannot unwind here.
fn send_each<const WATCHED: bool, M: Payload>(everybody: &[(&Endpoint<M>, Way)], copies: Vec<M>) -> (usize, Vec<M>) {
    let mut sent = Sent { reached: 0, missed: Vec::new() };
    let mut copies = copies.into_iter();
    for neighbours in everybody.chunk_by(|(one, way), (next, _)| one.shares_bundles(next, *way)) {
        if let [(endpoint, way)] = neighbours {
            copies.next().into_iter().for_each(|copy| sent.send_one::<WATCHED>(endpoint, *way, copy));
        } else {
            sent.send_bundle::<WATCHED>(neighbours, &mut copies);
        }
    }
    (sent.reached, sent.missed)
}

/// The outcome of a broadcast so far: how many instances were reached, and the copies that came back.
struct Sent<M> {
    reached: usize,
    missed: Vec<M>,
}

impl<M: Payload> Sent<M> {
    fn send_one<const WATCHED: bool>(&mut self, endpoint: &Endpoint<M>, way: Way, copy: M) {
        let entry = endpoint.enter();
        if entry == Entry::Full {
            return self.missed.extend(endpoint.drop_newest(copy).err());
        }
        let mut place = Some(copy);
        let sent_as = SentAs { in_turn: false, permitted: entry == Entry::Permit };
        let no_turn = || true; // a copy takes no turn, so none is lost to another sender
        if entry != Entry::Inner {
            endpoint.send_by::<WATCHED>(way, &mut place, sent_as, StatedRoute::COPY);
        } else if endpoint.send_inner(&mut place, sent_as, &no_turn).is_err() {
            return self.missed.extend(place.and_then(|copy| endpoint.drop_newest(copy).err()));
        }
        self.reached += usize::from(place.is_none());
        self.missed.extend(place);
    }

    /// Sends neighbours on one thread their copies.
    fn send_bundle<const WATCHED: bool>(
        &mut self,
        neighbours: &[(&Endpoint<M>, Way)],
        copies: &mut impl Iterator<Item = M>,
    ) {
        let mailbox = &neighbours[0].0.mailbox;
        let missed_before = self.missed.len();
        let mut bundle = mailbox.buffers.take(1);
        bundle.reserve(neighbours.len()); // to grow moves all mail that is in it
        for ((endpoint, _), copy) in neighbours.iter().zip(copies) {
            self.missed.extend(endpoint.join_bundle::<WATCHED>(copy, &mut bundle));
        }
        self.missed.extend(mailbox.push_bundle(bundle).into_iter().filter_map(taken_back));
        self.reached += neighbours.len() - (self.missed.len() - missed_before);
    }
}

pub(crate) fn call_all_with<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    make: impl FnMut(InstanceId) -> (M, ToPort<M, R>),
) -> Result<Replies<R>, CallError> {
    let frame = Frame::current();
    check_depth::<M, K>(*target, frame)?;
    let pendings = ask_all::<M, R, K>(target, make, call_deadline(target, frame))?;
    Ok(pendings.into_iter().map(|(id, reply)| (id, reply.wait())).collect())
}

/// Asks all instances, and waits for none.
pub(crate) fn request_all<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    make: impl FnMut(InstanceId) -> (M, ToPort<M, R>),
) -> Result<Pendings<R>, CallError> {
    ask_all::<M, R, K>(target, make, own_deadline(target))
}

/// Sends each instance its request, all under one deadline.
fn ask_all<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    mut make: impl FnMut(InstanceId) -> (M, ToPort<M, R>),
    until: Option<Instant>,
) -> Result<Pendings<R>, CallError> {
    with_open(target, Members::of(target), |everybody| {
        let everybody = everybody.map_err(|refusal| target.call_error(refusal))?;
        let requests = everybody.into_iter().map(|(endpoint, way)| {
            let id = endpoint.id();
            let request = make(id);
            if endpoint.is_link() {
                return (id, not_all::<M, R, K>(target));
            }
            (id, request_at::<M, R, K>(target, endpoint, way, request, until))
        });
        Ok(requests.collect())
    })
}

/// The refusal of a request to all, for a link: it stands for many instances, and has room for one reply.
#[cold]
fn not_all<M: Payload, R: 'static, K: Kind>(target: &Target<'_, M>) -> Pending<R> {
    if let Some(engine) = target.engine() {
        engine.incidents.count_unfit(M::name());
    }
    let text = "`call_all` knows the instances of its own engine alone; this one stands for a pool elsewhere".into();
    Pending::refused(CallError::Unfit { message: M::name(), text }, M::name, K::depth(M::CALL_DEPTH))
}

pub(crate) fn stop_all<M: Payload>(target: &Target<'_, M>) -> Result<usize, Refusal> {
    let members = match target.among {
        Among::One(endpoint) => Members::One(endpoint),
        _ => Members::of(target),
    };
    with_open(target, members, |everybody| {
        let everybody = everybody?;
        for (endpoint, way) in &everybody {
            endpoint.stop(*way);
        }
        Ok(everybody.len())
    })
}
