//! Records the sends of a handler in a test without an engine (feature `testing`): to types that no instance handles.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::client::message::Message;
use crate::error::SendError;
use crate::messaging::binding::Limit;
use crate::messaging::in_flight::InFlight;
use crate::messaging::pending::Pending;
use crate::reply::cancellation::Cancellation;
use crate::reply::reply_to::ReplyTo;
use crate::route::known_pool::known_pool;
use crate::route::payload::{Kind, ToPort};
use crate::thread::local::Local;
use crate::type_map::TypeMap;

/// The messages that a test's context has recorded, those of each type in the order sent.
#[derive(Default)]
pub(crate) struct Recorder {
    kinds: RefCell<TypeMap<Rc<dyn Any>>>,
}

/// A message that was sent or requested; a request with the port for its reply.
pub(crate) struct Recorded<T: Message> {
    pub(crate) message: T,
    pub(crate) port: Option<T::Port>,
}

/// The recorded messages of one type.
pub(crate) type Records<T> = RefCell<VecDeque<Recorded<T>>>;

impl Recorder {
    /// The records of a type.
    pub(crate) fn records<T: Message>(&self) -> Rc<Records<T>> {
        let new = || Rc::new(Records::<T>::default()) as Rc<dyn Any>;
        let records = Rc::clone(self.kinds.borrow_mut().entry(TypeId::of::<T>()).or_insert_with(new));
        records.downcast().unwrap_or_else(|_| unreachable!("the key is the type"))
    }

    fn record<T: Message>(&self, message: T, port: Option<T::Port>) {
        self.records::<T>().borrow_mut().push_back(Recorded { message, port });
    }
}

/// The recorder of a test's context; `None` on an actor thread.
fn recorder(local: &Local) -> Option<Rc<Recorder>> {
    local.kept.get()
}

/// Records a message that found no instance.
pub(crate) fn sent<T: Message>(local: &Local, outcome: Result<(), SendError<T>>) -> Result<(), SendError<T>> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => record_refused(local, error),
    }
}

#[cold]
fn record_refused<T: Message>(local: &Local, error: SendError<T>) -> Result<(), SendError<T>> {
    match (error, recorder(local)) {
        (SendError::NotRegistered(refused), Some(recorder)) => {
            recorder.record(refused.into_inner(), None);
            Ok(())
        }
        (error, _) => Err(error),
    }
}

/// Records a request that would find no instance, and gives the reply that is pending. The message comes back where it
/// is to be sent.
pub(crate) fn requested<T: Message, R: 'static, K: Kind>(
    local: &Local,
    message: T,
    port: ToPort<T, R>,
) -> Result<Pending<R>, T> {
    let recorder = recorder(local).filter(|_| known_pool::<T>(local).is_none());
    let Some(recorder) = recorder else { return Err(message) };
    let (reply_to, receiver) = ReplyTo::channel(Cancellation::new(None));
    recorder.record(message, Some(port(reply_to)));
    let in_flight = InFlight::new(receiver, Arc::clone(&local.mailbox), T::name);
    Ok(Pending::sent(in_flight, T::name, K::depth(T::CALL_DEPTH), Limit::None))
}
