//! No recorder: the feature `testing` is off.

use crate::client::message::Message;
use crate::error::SendError;
use crate::messaging::pending::Pending;
use crate::route::payload::{Kind, ToPort};
use crate::thread::local::Local;

#[inline(always)]
pub(crate) fn sent<T: Message>(_: &Local, outcome: Result<(), SendError<T>>) -> Result<(), SendError<T>> {
    outcome
}

#[inline(always)]
pub(crate) fn requested<T: Message, R: 'static, K: Kind>(
    _: &Local,
    message: T,
    _: ToPort<T, R>,
) -> Result<Pending<R>, T> {
    Err(message)
}
