//! Typed actors on OS threads: blocking calls that cannot deadlock, nothing lost silently, state that never leaves its
//! thread and so need not be `Send`.
//!
//! Annotate an enum of messages with [`#[actor]`](macro@actor) and get a handler trait, a typed client with a method a
//! message, typed replies, and the glue that registers an instance on a thread:
//!
//! ```
//! use std::time::Duration;
//! use zctor::{ActorEngine, ActorThread, actor};
//!
//! #[derive(Debug, PartialEq)]
//! pub struct DivideByZero;
//!
//! #[actor]
//! #[derive(Clone)]
//! pub enum CalculatorMessage {
//!     /// Adds two numbers.
//!     #[reply(i64)]
//!     Add { a: i64, b: i64 },
//!     #[reply(Result<i64, DivideByZero>)]
//!     Divide(i64, i64),
//!     /// Forgets the history.
//!     Clear,
//! }
//!
//! #[derive(Default)]
//! struct Calculator {
//!     history: Vec<i64>,
//! }
//!
//! impl CalculatorHandler for Calculator {
//!     fn add(&mut self, a: i64, b: i64) -> i64 {
//!         self.history.push(a + b);
//!         a + b
//!     }
//!     fn divide(&mut self, a: i64, b: i64) -> Result<i64, DivideByZero> {
//!         a.checked_div(b).ok_or(DivideByZero)
//!     }
//!     fn clear(&mut self) {
//!         self.history.clear()
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let engine = ActorEngine::new();
//!     for _ in 0..5 {
//!         engine.spawn(ActorThread::new().register(CalculatorMessage::actor(Calculator::default)))?;
//!     }
//!     let calculator: CalculatorClient = engine.client::<CalculatorMessage>()?;
//!
//!     assert_eq!(calculator.add(10, 5)?, 15); // call: blocks until the typed reply is here
//!     assert_eq!(calculator.divide(1, 0)?, Err(DivideByZero)); // the domain's error inside, the transport's outside
//!     calculator.clear()?; // send: a variant without #[reply]
//!     assert_eq!(engine.call(CalculatorMessage::add(10, 5))?, 15); // the same through the engine
//!     engine.send(CalculatorMessage::Clear)?; // the plain enum value
//!     assert_eq!(engine.broadcast(CalculatorMessage::Clear)?, 5); // a copy to every instance
//!     assert_eq!(calculator.within(Duration::from_secs(1)).add(2, 2)?, 4);
//!     let later = calculator.non_blocking().add(2, 3); // a Pending: .await it on any executor, or
//!     assert_eq!(later.wait()?, 5);
//!     engine.shutdown()?; // runs until quiet, then on_stop, drop, join
//!     Ok(())
//! }
//! ```
//!
//! The [`guide`] has a page a topic, [one](guide::compile_errors) of them for programs that do not compile. What
//! `#[actor]` takes and gives is on [its own page](macro@actor).
//!
//! # Messages
//!
//! When `send` returns, the message is in its receiver's mailbox. Messages of one sender (an instance, or a thread or
//! task outside) to one instance are handled in the order sent, whatever handle they went through. An accepted message
//! is handled once, or counted as a dead letter; a refused one comes back in its [`SendError`].
//!
//! # Calls
//!
//! A call always ends: with its typed reply, or with the [`CallError`] that says why none can come. An actor declares
//! whom it calls, `#[actor(calls(StoreMessage))]`; a cycle of declarations does not compile, and a call through
//! the context without one does not either. A wait by any other way is checked by call depth when it is made: to a depth
//! that is not lower it is refused at once ([`CallError::Undeclared`]). A handler that waits
//! goes on serving the instances below it on its own thread. So no call waits for itself, however threads are shared.
//!
//! # Routes
//!
//! Each message type has its own turn: five instances get tasks 1 to 6 as 0 1 2 3 4 0, exactly. A client can also be
//! bound to one instance ([`Client::pin`]), to a key ([`Client::keyed`], or `#[key]` on a field), or send to the
//! [least loaded](Client::least_loaded).
//!
//! # Panics
//!
//! A panic in a handler ends neither its thread nor its neighbours: the caller gets [`CallError::Panicked`] with the
//! panic's text, the state is dropped and built again by its factory, and the mailbox is kept. From the third panic
//! within ten seconds on, the rebuild waits, 10 ms doubling to 1 s. With `panic = "abort"` the process ends, as always.
//!
//! # Stopping
//!
//! [`ActorEngine::shutdown`] closes the edge, lets the inside run until it is quiet, then ends the threads in reverse
//! order of their start: `on_stop`, drop, join. Its [`Report`] accounts for every accepted message.
//!
//! # Features
//!
//! - `tracing`: an event of the `tracing` facade for each routing decision (target `zctor::route`), each panic
//!   (`zctor::restart`) and each dead letter (`zctor::dead_letter`).
//! - `testing`: the module `testing`, with doubles of actors: a probe and a mock. For dev-dependencies.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod actor;
mod client;
mod engine;
mod error;
mod event;
pub mod guide;
mod id;
mod mailbox;
mod messaging;
mod reply;
mod report;
mod route;
mod sys;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod thread;
mod trace;
mod type_map;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use actor::context::{Context, NoDeadline};
pub use actor::dispatch::Dispatch;
pub use actor::pipe::Pipe;
pub use actor::restart::Restart;
pub use actor::timer::Timer;
pub use actor::{Actor, ActorOnce, LocalRegistration, PoolRegistration, Registration};
pub use client::Client;
pub use client::message::{
    AnsweredInHandler, Blocking, CallableFrom, IntoRequest, Message, MessageField, NonBlocking, ReplyType, Request,
};
pub use client::recipient::Recipient;
pub use engine::actor_thread::ActorThread;
pub use engine::handle::EngineHandle;
pub use engine::here::Here;
pub use engine::registry::{Registry, RegistryEntry};
pub use engine::{ActorEngine, EngineBuilder};
pub use error::{BoxError, CallError, Refused, SendError, ShutdownError, SpawnError, StopError, WatchError};
pub use event::{AfterPanic, DeadLetter, End, Ended, PanicEvent, PanicOrigin, Undelivered};
pub use id::{InstanceId, ThreadId};
pub use mailbox::permits::Overflow;
pub use messaging::broadcast::Replies;
pub use messaging::pending::Pending;
pub use reply::reply_to::ReplyTo;
pub use report::{BackingOff, EarlierReport, InstanceReport, Report, RunningInstance, Stats, ThreadStats, Wait};
pub use route::payload::{Deferred, Prompt};
pub use sys::spawn::available_threads;
#[doc = include_str!("actor.md")]
pub use zctor_macros::actor;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
