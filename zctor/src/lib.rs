//! Typed actors on OS threads: blocking calls that cannot deadlock, nothing lost silently, state that never leaves its
//! thread and so need not be `Send`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod context;
mod engine;
mod error;
pub mod guide;
mod instance;
mod lock;
mod mailbox;
mod message;
mod park;
mod registry;
mod route;
mod thread;
mod timer;
mod trace;
mod watch;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use call::{Pending, Pipe, ReplyTo};
pub use context::{Context, NoDeadline};
pub use engine::{ActorEngine, EngineBuilder, EngineHandle};
pub use error::{BoxError, CallError, Refused, SendError, ShutdownError, SpawnError, StopError};
pub use instance::InstanceId;
pub use message::{
    Actor, ActorOnce, Blocking, CallableFrom, Dispatch, IntoRequest, Message, MessageField, NonBlocking, ReplyType,
    Request,
};
pub use registry::{Registry, RegistryEntry};
pub use route::Client;
pub use thread::{ActorThread, LocalRegistration, Registration, ThreadId};
pub use timer::Timer;
pub use watch::{EarlierReport, InstanceReport, Report, Stats, ThreadStats};
/// Makes an enum into the messages of an actor.
pub use zctor_macros::actor;

/// The machine's parallelism: how many threads can run at once. 1 where it cannot be found out.
///
/// ```
/// assert!(zctor::available_threads() >= 1);
/// ```
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
