//! Sending: the way that every message takes.

use crate::client::message::Message;
use crate::error::{Refusal, SendError};
use crate::messaging::target::Aim;

impl<'a, M: Message> Aim<'a, M> {
    /// Sends what is in `place`, where its sender has made it: to move it there would cost more than all else that is done.
    #[inline]
    pub(crate) fn send(&self, place: &mut Option<M>) -> Result<(), SendError<M>> {
        self.try_send(place).or_else(|refusal| self.give_back(place, refusal))
    }

    #[cold]
    fn give_back(&self, place: &mut Option<M>, refusal: Refusal) -> Result<(), SendError<M>> {
        place.take().map_or(Ok(()), |message| Err(self.send_error(message, refusal)))
    }

    /// As `send`, without counting a refusal. A message that is refused is left in its place.
    #[inline]
    pub(super) fn try_send(&self, place: &mut Option<M>) -> Result<(), Refusal> {
        while let Some(message) = place {
            let key = message.__key();
            if let Some((address, way, how)) = self.straight(key) {
                address.send(way, place, how);
            } else {
                self.send_by_choice(key, place)?;
            }
            // What is back is for a thread that ended this very moment, which will not be chosen again.
        }
        Ok(())
    }

    /// One attempt.
    #[inline(never)]
    fn send_by_choice(&self, key: Option<u64>, place: &mut Option<M>) -> Result<(), Refusal> {
        let chosen = self.enter(key, || self.room_deadline())?;
        if !chosen.is_full() {
            chosen.address().send(chosen.way, place, chosen.how());
            return Ok(());
        }
        *place = place.take().and_then(|message| chosen.address().drop_newest(message).err());
        if place.is_none() { Ok(()) } else { Err(Refusal::Stopped) }
    }
}
