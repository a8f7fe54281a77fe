//! Sending one message: attempts are made until an instance has accepted it, or it is refused.

use crate::error::{Refusal, SendError};
use crate::messaging::backpressure::{enter, room_deadline};
use crate::messaging::target::Target;
use crate::route::chosen::Chosen;
use crate::route::location::Entry;
use crate::route::payload::Payload;

/// Sends the message in `place`, where its sender has made it: see `route/contents.rs`. `WATCHED` is the way with scheduling
/// points, events and spans: see `trace::watched_or_not`.
///
/// The target is handed on by value, as `call` does.
// Always: by a call a send on one thread takes 30 instructions more.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn send<const WATCHED: bool, M: Payload>(
    target: Target<'_, M>,
    place: &mut Option<M>,
) -> Result<(), SendError<M>> {
    try_send::<WATCHED, M>(target, place).or_else(|refusal| refused(target, place, refusal))
}

/// The error of a send that was refused, with the message out of its place.
#[cold]
pub(super) fn refused<M: Payload>(
    target: Target<'_, M>,
    place: &mut Option<M>,
    refusal: Refusal,
) -> Result<(), SendError<M>> {
    place.take().map_or(Ok(()), |message| Err(target.send_error(message, refusal)))
}

/// As `send`, but a refusal is not counted, and leaves the message in its place.
// Always: by a call a send takes 13 instructions more, and the compiler changes its mind about it with what else uses it.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn try_send<const WATCHED: bool, M: Payload>(
    target: Target<'_, M>,
    place: &mut Option<M>,
) -> Result<(), Refusal> {
    while let Some(message) = place {
        let key = message.key();
        if let Some((endpoint, way, sent_as)) = target.straight::<WATCHED>(key) {
            endpoint.send::<WATCHED>(way, place, sent_as);
        } else {
            send_by_choice::<WATCHED, M>(target, key, place)?;
        }
        // A message that is back in its place was for a thread that has ended just now, which will not be chosen again.
    }
    Ok(())
}

/// Makes one attempt to send, to the instance that `enter` chooses. The message may be back in its place after it.
#[inline(never)]
fn send_by_choice<const WATCHED: bool, M: Payload>(
    target: Target<'_, M>,
    key: Option<u64>,
    place: &mut Option<M>,
) -> Result<(), Refusal> {
    deliver::<WATCHED, M>(&enter::<WATCHED, M>(&target, key, &|| room_deadline(&target))?, place)
}

/// Sends the message to the instance that was chosen, or drops it if there is no room. It may be back in its place.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn deliver<const WATCHED: bool, M: Payload>(
    chosen: &Chosen<'_, M>,
    place: &mut Option<M>,
) -> Result<(), Refusal> {
    if chosen.entry == Entry::Inner {
        return chosen.endpoint().send_inner(place, chosen.sent_as(), &|| chosen.move_turn());
    }
    if !chosen.is_full() {
        chosen.send::<WATCHED>(place);
        return Ok(());
    }
    *place = place.take().and_then(|message| chosen.endpoint().drop_newest(message).err());
    if place.is_none() { Ok(()) } else { Err(Refusal::Stopped) }
}
