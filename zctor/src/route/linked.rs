//! Mail for a link to another engine: the usual contents, and whether they are a copy of a broadcast.
//!
//! A link's endpoint has a delivery table of its own, so the mail of all other instances is as it would be without
//! links. By its contents mail for a link goes another way where it is handled, too (`actor/link.rs`).

use std::any::Any;
use std::collections::VecDeque;
use std::mem::take;

use crate::id::Slot;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, Gathered, Undeliverable};
use crate::mailbox::mail::{Mail, SentAs};
use crate::route::contents::{Call, Content, Hook, OnUndelivered, enclose_told};
use crate::route::endpoint::{Delivery, Endpoint, can_be_given_up, take_back};
use crate::route::location::Way;
use crate::route::payload::Payload;

/// A message, a call or a batch for a link.
#[derive(Default)]
pub(crate) struct Linked<C> {
    pub(crate) content: C,
    pub(crate) copy: bool,
}

impl<C: Content> Content for Linked<C> {
    type Message = C::Message;
    const IS_CALL: bool = C::IS_CALL;

    fn len(&self) -> usize {
        self.content.len()
    }

    fn gather<H: Hook<C::Message>>(&mut self, _: &mut Option<C::Message>, _: &H, _: &Buffers) -> Gathered {
        Gathered::Not
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<C::Message>>) {
        self.content.discard(undeliverable, hook);
    }
}

impl<M: Payload<Port: Send> + Send> Delivery<M> {
    /// The table of a link.
    pub(crate) const LINK: Self = Self {
        send: |place, endpoint, way, sent_as| deliver(place, endpoint, way, sent_as, false, Mail::message),
        send_told: None,
        copy: Some(|place, endpoint, way, sent_as| deliver(place, endpoint, way, sent_as, true, Mail::message)),
        call: deliver_call,
        batch: |place, endpoint, way, sent_as| deliver(place, endpoint, way, sent_as, false, Mail::batch),
        // The thread of a link has no inner bound.
        inner: |place, endpoint, sent_as, _| {
            deliver(place, endpoint, Way::There, sent_as, false, Mail::message);
            true
        },
        inner_call: |place, endpoint, sent_as, _| {
            deliver_call(place, endpoint, Way::There, sent_as);
            true
        },
    };
}

fn deliver_call<M: Payload<Port: Send> + Send>(
    place: &mut Option<Call<M>>,
    endpoint: &Endpoint<M>,
    way: Way,
    sent_as: SentAs,
) {
    let given_up = can_be_given_up(place);
    deliver(place, endpoint, way, sent_as, false, |to, envelope, sent_as| Mail::call(to, envelope, given_up, sent_as));
}

/// Moves a content from its place into an envelope for a link, and delivers that; puts it back if it is refused.
fn deliver<C: Content>(
    place: &mut C,
    endpoint: &Endpoint<C::Message>,
    way: Way,
    sent_as: SentAs,
    copy: bool,
    mail: impl FnOnce(Slot, Envelope, SentAs) -> Mail,
) {
    let mut linked = Linked { content: take(place), copy };
    match enclose_told(&mut linked, endpoint.undelivered.as_ref()) {
        Some(envelope) => {
            take_back(&mut linked, endpoint.deliver_batch(way, mail(endpoint.slot, envelope, sent_as).signed()));
        }
        None => endpoint.refuse(linked.len(), sent_as),
    }
    *place = linked.content;
}

/// The content of mail of a link that has ended, without how it came: for its siblings.
pub(super) fn unlinked<M: Payload>(content: &mut dyn Any) -> Option<&mut dyn Any> {
    if content.is::<Linked<Option<M>>>() {
        return content.downcast_mut::<Linked<Option<M>>>().map(|linked| &mut linked.content as &mut dyn Any);
    }
    if content.is::<Linked<Option<Call<M>>>>() {
        return content.downcast_mut::<Linked<Option<Call<M>>>>().map(|linked| &mut linked.content as &mut dyn Any);
    }
    content.downcast_mut::<Linked<VecDeque<M>>>().map(|linked| &mut linked.content as &mut dyn Any)
}
