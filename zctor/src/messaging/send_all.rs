//! Many messages, one push a receiver.

use std::collections::HashMap;

use crate::error::{Refusal, SendError};
use crate::id::InstanceId;
use crate::mailbox::mail::How;
use crate::messaging::backpressure::{overflow, room_deadline};
use crate::messaging::binding::Binding;
use crate::messaging::send::try_send;
use crate::messaging::target::Target;
use crate::route::payload::Payload;
use crate::route::pool::Chosen;

pub(crate) fn send_all<'a, M: Payload>(target: &Target<'a, M>, messages: Vec<M>) -> Result<usize, SendError<Vec<M>>> {
    let count = messages.len();
    if count == 0 {
        return Ok(0);
    }
    let mut late = Vec::new();
    let outcome = send_straight(target, messages, &mut late).or_else(|messages| send_each(target, messages, &mut late));
    // What is given back was for a thread that ended this very moment: it finds another receiver, or none.
    let mut rest = Vec::new();
    for message in late {
        let mut place = Some(message);
        let _ = try_send(target, &mut place); // what is refused stays in its place
        rest.extend(place);
    }
    let refusal = match outcome {
        Ok(()) => Refusal::Stopped,
        Err((messages, refusal)) => {
            rest.extend(messages);
            refusal
        }
    };
    if rest.is_empty() {
        return Ok(count);
    }
    let refusal = target.refused(refusal, rest.len());
    Err(SendError::new(M::NAME, rest, refusal))
}

/// The way that as good as every batch takes: whole to the instance that a client is bound to, or dealt out in turn, if
/// nothing stands against it. Else it comes back untouched, and `send_each` looks closer.
fn send_straight<'a, M: Payload>(target: &Target<'a, M>, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), Vec<M>> {
    match (target.binding, target.pool) {
        (Binding::One(endpoint), _) => {
            let Some(way) = endpoint.admit_freely() else { return Err(messages) };
            late.extend(endpoint.send_batch(way, messages, How::default()));
            Ok(())
        }
        (Binding::Turn(_), Some(pool)) if messages.iter().all(|message| message.key().is_none()) => {
            pool.distribute(messages, late)
        }
        _ => Err(messages),
    }
}

/// Each message takes its turn; what goes to one instance goes there in one push. From the first that is refused on,
/// they come back.
fn send_each<'a, M: Payload>(
    target: &Target<'a, M>,
    messages: Vec<M>,
    late: &mut Vec<M>,
) -> Result<(), (Vec<M>, Refusal)> {
    let mut batches = Batches::new(matches!(target.binding, Binding::LeastLoaded), late);
    let until = room_deadline(target);
    let mut messages = messages.into_iter();
    let mut refused = None;
    for message in messages.by_ref() {
        let key = message.key();
        let chosen = match (target.binding, key) {
            (Binding::LeastLoaded, None) => {
                target.pool().and_then(|pool| pool.least_loaded(target.view.waits(), |id| batches.given_to(id)))
            }
            (_, key) => target.choose(key),
        };
        let chosen = match chosen {
            Ok(chosen) if chosen.is_full() => {
                // What was taken in so far makes room when it has been sent.
                batches.send();
                overflow(target, key, chosen, || until)
            }
            chosen => chosen,
        };
        let placed = match chosen {
            Ok(chosen) if chosen.is_full() => {
                chosen.endpoint().drop_newest(message).map_err(|message| (message, Refusal::Stopped))
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

/// What `send_all` has gathered, a batch an instance. Where messages in turn and messages by key meet in one instance,
/// each kind has its own batch: what becomes of them differs if it ends.
struct Batches<'a, M: Payload> {
    batches: Vec<(Chosen<'a, M>, Vec<M>)>,
    /// The place that was added to last.
    cursor: usize,
    /// All are of one kind, so that each instance has one.
    uniform: bool,
    latest: HashMap<InstanceId, usize>,
    /// How many each was given, where that is asked for.
    given: Option<HashMap<InstanceId, usize>>,
    /// Given back by threads that had just ended.
    late: &'a mut Vec<M>,
}

impl<'a, M: Payload> Batches<'a, M> {
    /// `counts`: whether `given_to` will be asked.
    fn new(counts: bool, late: &'a mut Vec<M>) -> Self {
        let given = counts.then(HashMap::new);
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
        let how = chosen.how();
        self.uniform &= self.batches.first().is_none_or(|(first, _)| first.how() == how);
        if self.uniform {
            // In turn it is the next one, or in a pool of one the same.
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
            Some((batch, messages)) if batch.how() == how => messages.push(message),
            _ => {
                self.latest.insert(id, self.batches.len());
                self.batches.push((chosen, vec![message]));
            }
        }
    }

    /// Sends what was gathered.
    fn send(&mut self) {
        self.latest.clear();
        self.uniform = true;
        if let Some(given) = &mut self.given {
            given.clear();
        }
        for (chosen, batch) in self.batches.drain(..) {
            self.late.extend(chosen.endpoint().send_batch(chosen.way, batch, chosen.how()));
        }
    }
}

impl<M: Payload> Drop for Batches<'_, M> {
    /// A key's `Hash` has panicked: what was gathered was never sent.
    fn drop(&mut self) {
        for (chosen, batch) in &self.batches {
            if chosen.how().permitted {
                chosen.endpoint().mailbox.give_back(batch.len());
            }
        }
    }
}
