//! How a state is built: by a factory that runs once, or by one that can build it again.

use std::sync::Arc;

use crate::actor::context::Context;
use crate::actor::restart::Restart;
use crate::client::message::Message;
use crate::error::{BoxError, SpawnError};
use crate::sys::unwind::{ignoring_panic, run_user};

/// How a state is built again, and how often.
pub(crate) struct Blueprint<M: Message, S> {
    pub(crate) factory: Arc<Rebuild<M, S>>,
    pub(crate) restart: Restart,
}

/// How an instance gets its state.
pub(crate) enum StateFactory<'f, M: Message, S> {
    Again(Blueprint<M, S>),
    /// Built by `build_once`.
    Once(&'f mut dyn FnMut() -> S),
}

/// Makes of a factory that runs once a closure that `StateFactory::Once` can borrow: a closure by reference stands for a
/// box.
pub(crate) fn build_once<S>(factory: impl FnOnce() -> S) -> impl FnMut() -> S {
    let mut factory = Some(factory);
    move || match factory.take() {
        Some(factory) => factory(),
        None => unreachable!("a build runs its factory once"),
    }
}

pub(super) enum Failure {
    Error(BoxError),
    Panic(Arc<str>),
    /// A factory that runs once has run.
    RunsOnce,
}

impl Failure {
    /// The text that is told of the failure.
    pub(super) fn into_text(self) -> Arc<str> {
        match self {
            Self::Error(error) => {
                // The error is the user's: its `Display` and its drop may panic.
                let text = run_user(0, None, || error.to_string());
                ignoring_panic(|| drop(error));
                text.map_or_else(|panic| panic, Arc::from)
            }
            Self::Panic(text) => text,
            Self::RunsOnce => "what was built once cannot be built again".into(),
        }
    }

    pub(super) fn into_spawn_error(self, message: &'static str) -> SpawnError {
        match self {
            Self::Error(source) => SpawnError::Factory { message, source },
            Self::Panic(text) => SpawnError::FactoryPanicked { message, text },
            Self::RunsOnce => SpawnError::FactoryPanicked { message, text: "the factory has run already".into() },
        }
    }
}

/// A factory that can run again. It is in a box of its own, so that its type can be erased.
pub(crate) type Rebuild<M, S> = Box<dyn Fn(&mut Context<M>) -> Result<S, BoxError> + Send + Sync>;
