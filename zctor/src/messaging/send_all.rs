//! Many messages at once: each goes where it would go alone, with one push for each receiver.

use std::collections::HashMap;

use crate::error::{Refusal, SendError};
use crate::id::InstanceId;
use crate::mailbox::mail::SentAs;
use crate::messaging::backpressure::{overflow, room_deadline};
use crate::messaging::binding::Among;
use crate::messaging::send::try_send;
use crate::messaging::target::Target;
use crate::route::chosen::Chosen;
use crate::route::link_route::StatedRoute;
use crate::route::location::Entry;
use crate::route::payload::Payload;
use crate::trace::CAN_BE_WATCHED;

pub(crate) fn send_all<M: Payload>(target: &Target<'_, M>, messages: Vec<M>) -> Result<usize, SendError<Vec<M>>> {
    let count = messages.len();
    match try_send_all(target, messages) {
        Ok(()) => Ok(count),
        Err((left, refusal)) => {
            let refusal = target.refused(refusal, left.len());
            Err(SendError::new(M::name(), left, refusal))
        }
    }
}

/// As `send_all`, but a refusal is not counted.
pub(crate) fn try_send_all<'a, M: Payload>(target: &Target<'a, M>, messages: Vec<M>) -> Result<(), (Vec<M>, Refusal)> {
    if messages.is_empty() {
        return Ok(());
    }
    let is_least_loaded = matches!(target.among, Among::LeastLoaded);
    let mut late = Late { is_least_loaded, again: Vec::new(), refused: Vec::new() };
    let outcome =
        send_straight(target, messages, &mut late.again).or_else(|messages| send_each(target, messages, &mut late));
    let (refused_by_key, mut left) = (late.refused.len(), late.refused);
    for message in late.again {
        let mut place = Some(message);
        let _ = try_send::<CAN_BE_WATCHED, M>(*target, &mut place); // a refused message stays in its place
        left.extend(place);
    }
    let refusal = match outcome {
        // One thread has ended, not the pool: a later attempt may work.
        Ok(()) if left.len() == refused_by_key && is_open(target) => Refusal::Full,
        Ok(()) => Refusal::Stopped,
        Err((messages, refusal)) => {
            left.extend(messages);
            refusal
        }
    };
    if left.is_empty() { Ok(()) } else { Err((left, refusal)) }
}

/// Whether a later attempt may work: the target is a pool, and its engine is open.
fn is_open<M: Payload>(target: &Target<'_, M>) -> bool {
    !matches!(target.among, Among::One(_)) && target.engine().is_some_and(|engine| engine.edge.is_open())
}

/// The messages that came back, since the threads of their receivers had ended just now.
struct Late<M> {
    /// Whether those without a key were for the least loaded instance.
    is_least_loaded: bool,
    /// The messages for which any instance will do: each goes to another one, or is refused.
    again: Vec<M>,
    /// The messages whose instance was chosen by key. The instance that has the key now may have got later messages of this
    /// `send_all` already, and each instance gets them in order. So these go back to the caller.
    refused: Vec<M>,
}

impl<M: Payload> Late<M> {
    /// Takes messages that came back. `in_turn`: they were sent in turn.
    fn extend(&mut self, in_turn: bool, back: impl IntoIterator<Item = M>) {
        for message in back {
            let any_will_do = in_turn || self.is_least_loaded && message.key().is_none();
            if any_will_do { self.again.push(message) } else { self.refused.push(message) }
        }
    }
}

/// Sends a batch the short way, which nearly every batch takes: as a whole to the instance that a client is bound to,
/// or distributed in turn. If a bound, a key or the like stands against that, the batch comes back untouched, for
/// `send_each`.
fn send_straight<'a, M: Payload>(target: &Target<'a, M>, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), Vec<M>> {
    match (target.among, target.pool) {
        (Among::One(endpoint), _) => {
            let Some(way) = endpoint.admit_freely() else { return Err(messages) };
            late.extend(endpoint.send_batch(way, messages, SentAs::default(), StatedRoute::default()));
            Ok(())
        }
        (Among::Turn, Some(pool)) if messages.iter().all(|message| message.key().is_none()) => {
            pool.distribute(messages, late)
        }
        _ => Err(messages),
    }
}

/// Chooses an instance for each message, and sends each instance its messages in one push. From the first message that
/// is refused on, all come back.
fn send_each<'a, M: Payload>(
    target: &Target<'a, M>,
    messages: Vec<M>,
    late: &mut Late<M>,
) -> Result<(), (Vec<M>, Refusal)> {
    let mut batches = Batches::new(late);
    let until = room_deadline(target);
    let mut messages = messages.into_iter();
    let mut refused = None;
    for message in messages.by_ref() {
        let key = message.key();
        let chosen = match (target.among, key) {
            (Among::LeastLoaded, None) => {
                target.pool().and_then(|pool| pool.least_loaded::<CAN_BE_WATCHED>(|id| batches.given_to(id)))
            }
            (_, key) => target.choose::<CAN_BE_WATCHED>(key),
        };
        let chosen = match chosen {
            Ok(chosen) if chosen.is_full() => {
                // Messages that were gathered so far hold permits. They make room only once they are sent and begun.
                batches.send();
                overflow(target, key, chosen, &|| until)
            }
            chosen => chosen,
        };
        let placed = match chosen {
            Ok(chosen) if chosen.is_full() => {
                chosen.endpoint().drop_newest(message).map_err(|message| (message, Refusal::Stopped))
            }
            Ok(chosen) if chosen.entry == Entry::Inner => {
                let mut place = Some(message);
                match (chosen.endpoint().send_inner(&mut place, chosen.sent_as(), &|| chosen.move_turn()), place) {
                    (Err(refusal), Some(message)) => Err((message, refusal)),
                    (_, back) => {
                        batches.late.extend(chosen.sent_as().in_turn, back);
                        Ok(())
                    }
                }
            }
            Ok(chosen) => {
                batches.add(chosen, message);
                Ok(())
            }
            Err(refusal) => Err((message, refusal)),
        };
        if let Err(back) = placed {
            refused = Some(back);
            break;
        }
    }
    batches.send();
    match refused {
        None => Ok(()),
        Some((first, refusal)) => Err((std::iter::once(first).chain(messages).collect(), refusal)),
    }
}

/// The messages that `send_all` has gathered, in one batch for each instance. If messages in turn and messages by key
/// meet in one instance, each kind has its own batch, since different things become of them if the instance ends.
struct Batches<'a, M: Payload> {
    batches: Vec<(Chosen<'a, M>, Vec<M>)>,
    /// The index of the batch that was added to last.
    cursor: usize,
    /// Whether all batches are of one kind, so that each instance has one.
    uniform: bool,
    /// The index of the last batch of each instance.
    latest: HashMap<InstanceId, usize>,
    /// How many messages each instance was given, if `given_to` will be asked.
    given: Option<HashMap<InstanceId, usize>>,
    late: &'a mut Late<M>,
}

impl<'a, M: Payload> Batches<'a, M> {
    fn new(late: &'a mut Late<M>) -> Self {
        let given = late.is_least_loaded.then(HashMap::new);
        Self { batches: Vec::new(), cursor: 0, uniform: true, latest: HashMap::new(), given, late }
    }

    fn given_to(&self, instance: InstanceId) -> usize {
        self.given.as_ref().and_then(|given| given.get(&instance)).copied().unwrap_or(0)
    }

    fn add(&mut self, chosen: Chosen<'a, M>, message: M) {
        let id = chosen.endpoint().id();
        if let Some(given) = &mut self.given {
            *given.entry(id).or_default() += 1;
        }
        let sent_as = chosen.sent_as();
        self.uniform &= self.batches.first().is_none_or(|(first, _)| first.sent_as() == sent_as);
        if self.uniform {
            // In turn the instance of the next batch follows that of this one; in a pool of one it is the same.
            for place in [self.cursor + 1, 0, self.cursor] {
                match self.batches.get_mut(place) {
                    Some((batch, messages)) if batch.endpoint().id() == id => {
                        self.cursor = place;
                        return messages.push(message);
                    }
                    _ => {}
                }
            }
        }
        self.cursor = self.batches.len();
        match self.latest.get(&id).map(|place| &mut self.batches[*place]) {
            Some((batch, messages)) if batch.sent_as() == sent_as => messages.push(message),
            _ => {
                self.latest.insert(id, self.batches.len());
                self.batches.push((chosen, vec![message]));
            }
        }
    }

    /// Sends all batches.
    fn send(&mut self) {
        self.latest.clear();
        self.uniform = true;
        if let Some(given) = &mut self.given {
            given.clear();
        }
        for (chosen, batch) in self.batches.drain(..) {
            let back = chosen.send_batch(batch);
            self.late.extend(chosen.sent_as().in_turn, back);
        }
    }
}

impl<M: Payload> Drop for Batches<'_, M> {
    /// Gives the permits of batches that were never sent back: the `Hash` of a key has panicked.
    fn drop(&mut self) {
        for (chosen, batch) in &self.batches {
            if chosen.sent_as().permitted {
                chosen.endpoint().mailbox.give_back_permits(batch.len());
            }
        }
    }
}
