//! The cell of an instance: the instance as its context knows it.

use std::cell::RefCell;
use std::sync::Arc;

use crate::actor::attachments::Attachments;
use crate::client::message::Message;
use crate::id::Slot;
use crate::mailbox::account::{Account, Block};
use crate::route::endpoint::Endpoint;
use crate::thread::local::Local;
use crate::thread::phase::{Common, Requested};

/// One instance: its state and all that serving it takes, in one allocation. `O` is the place of its state.
pub(crate) struct InstanceCell<M: Message, O: ?Sized> {
    pub(crate) common: Common,
    pub(crate) endpoint: Arc<Endpoint<M>>,
    /// The block of accounts that has this instance's.
    pub(super) block: Arc<Block>,
    pub(crate) attachments: Attachments,
    pub(super) state: O,
}

/// An instance whose state's type is erased, as its contexts know it.
pub(crate) type SharedCell<M> = InstanceCell<M, dyn AnyState>;

/// The place of a state of any type.
pub(crate) trait AnyState {}

impl<S> AnyState for RefCell<Option<S>> {}

impl<M: Message, O: ?Sized> InstanceCell<M, O> {
    pub(crate) fn slot(&self) -> Slot {
        self.endpoint.slot
    }

    pub(super) fn account(&self) -> &Account {
        self.block.account(self.slot())
    }

    /// Notes and measures what the edge asks for, before a message is handled. Whether the message may be handled: not
    /// if the handler before it has asked for a stop or a reset.
    #[cold]
    #[inline(never)]
    pub(super) fn admit_and_note(&self, local: &Local, message: Option<&M>) -> bool {
        let names = message.map(|message| (M::name(), message.variant()));
        self.common.requested.get() == Requested::None && local.admit_and_note(self.slot(), self.account(), names)
    }
}
