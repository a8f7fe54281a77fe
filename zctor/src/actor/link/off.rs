//! Links without the feature `remote`: there are none.

use std::any::Any;
use std::rc::Rc;

use crate::actor::dispatch::Dispatch;
use crate::actor::handling::of_another_type;
use crate::actor::state::TypedCell;
use crate::client::message::Message;
use crate::mailbox::envelope::Serving;
use crate::mailbox::mail::Cancellable;
use crate::route::endpoint::Delivery;
use crate::thread::local::Local;

#[expect(clippy::extra_unused_type_parameters, reason = "those of its counterpart")]
pub(crate) fn is<M: Message, S: 'static>() -> bool {
    false
}

pub(crate) fn delivery<M, S>() -> Option<&'static Delivery<M>>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    None
}

/// Not reached without the feature.
// Always: it is to cost what a plain `return` costs.
#[inline(always)]
pub(crate) fn handle<M, S>(
    _cell: Rc<TypedCell<M, S>>,
    _local: &Rc<Local>,
    _serving: Serving,
    _content: &mut dyn Any,
) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    of_another_type()
}

/// As [`handle`].
#[inline(always)]
pub(crate) fn handle_call<M, S>(
    _cell: Rc<TypedCell<M, S>>,
    _local: &Rc<Local>,
    _serving: Serving,
    _content: &mut dyn Any,
    _cancellable: Cancellable,
) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    of_another_type()
}

/// Says which feature `#[actor(remote)]` needs.
#[doc(hidden)]
#[macro_export]
macro_rules! __remote {
    ($($tokens:tt)*) => {
        ::core::compile_error!("`#[actor(remote)]` needs zctor's feature `remote`; add it to the dependency on zctor");
    };
}
