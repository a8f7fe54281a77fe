//! Typed actors on OS threads: a blocking call cannot deadlock, no message is lost silently, and a state never leaves
//! its thread, so it need not be `Send`.
//!
//! From an enum of messages, [`#[actor]`](macro@actor) generates a handler trait, a typed client with one method for
//! each variant, a constructor of a request for each variant with a reply, and the functions that tie a state to the
//! enum:
//!
//! ```
//! use std::time::Duration;
//! use zctor::{ActorEngine, actor};
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
//!     // Five threads with an instance each.
//!     let calculator: CalculatorClient = engine.pool(5, CalculatorMessage::actor(Calculator::default))?;
//!
//!     assert_eq!(calculator.add(10, 5)?, 15); // call: blocks until the typed reply is here
//!     assert_eq!(calculator.divide(1, 0)?, Err(DivideByZero)); // the inner result is the handler's reply
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
//! The [`guide`] has one page for each topic. Its page [`overview`](guide::overview) explains the words, its page
//! [`compile_errors`](guide::compile_errors) the compiler's errors. The page of [`#[actor]`](macro@actor) says what the
//! attribute takes and what it generates.
//!
//! # Messages
//!
//! When `send` returns, the message is in its receiver's mailbox. Messages of one sender to one instance are handled in
//! the order in which they were sent, whatever handle they went through, but for a value that takes the place of an
//! older one ([`Inner::Conflate`]); a sender is an instance, or a thread or task outside. An accepted message is given
//! to a handler once, or it becomes a dead letter with a reason. A refused message comes back in its [`SendError`].
//!
//! # Calls
//!
//! A call always ends: with its typed reply, or with the [`CallError`] that says why none can come. An actor declares
//! the types that it calls: `#[actor(calls(StoreMessage))]`. A cycle of declarations does not compile, and a call
//! through the context needs its declaration. Every other wait in a handler is checked by call depth when it is made:
//! it may only go to a lower depth, or it is refused at once ([`CallError::Undeclared`]). While a handler waits, its
//! thread goes on serving the instances of lower depth. So no wait of a handler can lead back to that handler, however
//! the instances share threads.
//!
//! # Routes
//!
//! Each message type has its own turn: with five instances, tasks 1 to 6 go to the instances 0 1 2 3 4 0, exactly. A
//! client can also be bound to one instance ([`Client::pin`]), be bound to a key ([`Client::keyed`]; `#[key]` on a
//! field does the same for each message), or send to the [least loaded](Client::least_loaded) instance.
//!
//! # Full mailboxes
//!
//! A mailbox is unbounded, unless its thread sets a bound for messages from outside ([`ActorThread::mailbox_bound`]).
//! The thread's [`Overflow`] says what becomes of a message that finds no room: its sender waits, the message is
//! refused, or it is dropped as a dead letter.
//!
//! # Panics
//!
//! A panic in a handler ends neither its thread nor the other instances of the thread. The caller gets
//! [`CallError::Panicked`] with the panic's text, the state is given to its `on_panic`, which drops it unless you have
//! written another, the factory builds a new one, and the mailbox is kept. From the third panic within ten seconds on,
//! the rebuild comes after a backoff of 10 ms, doubled each time up to 1 s. Every panic is told, also one of a message
//! that no caller waits for: see [`ActorEngine::on_panic`]. With `panic = "abort"` the process ends, as always.
//!
//! # Stopping
//!
//! [`ActorEngine::shutdown`] closes the edge: sends and calls from outside are refused from then on. It lets the inside
//! run until it is quiet, that is, until no message is queued and no handler runs. Then it ends the threads in reverse
//! order of their start: `on_stop`, drop, join. Its [`Report`] accounts for every accepted message.
//!
//! # Features
//!
//! All are off by default.
//!
//! - `tracing`: emits events of the `tracing` facade. Target `zctor::route`: a message was routed to one of a pool's
//!   instances, in turn, by key or by load. Target `zctor::restart`: code of an instance panicked, or its factory
//!   failed to build its state again; with what becomes of the instance. Target `zctor::dead_letter`: a dead letter; at
//!   level `DEBUG` if it is a call that was given up, else at `WARN`. Target `zctor::slow`: a handler that has run for
//!   longer than the limit of `on_slow`. And a span around each handler, at level `DEBUG` for calls (`zctor::call`), else at
//!   `TRACE` (`zctor::send`, `zctor::own`): see [the page on observability](guide::observability#spans).
//! - `observe`: measures how long handlers take, by variant, while somebody observes. See [the page on
//!   observability](guide::observability#handling-times).
//! - `tokio`: in debug builds, a blocking wait on a thread of a tokio runtime panics and says what to write instead.
//!   See [the page on async code](guide::async_tasks).
//! - `testing`: the module `testing`, with doubles of actors for tests, a probe and a mock, and with a context for
//!   handlers that are tested as plain methods. It belongs among the dev-dependencies.
//! - `simulation`: the module `simulation`, which runs a program one thread at a time, in an order drawn from a seed. It
//!   belongs among the dev-dependencies.
//! - `remote`: the module `remote`, for pools whose messages go through bytes, as between processes. It brings serde and
//!   MessagePack.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod actor;
mod client;
mod definition;
mod engine;
mod error;
mod event;
pub mod guide;
mod id;
mod mailbox;
pub mod map;
mod messaging;
#[cfg(feature = "remote")]
#[cfg_attr(docsrs, doc(cfg(feature = "remote")))]
pub mod remote;
mod reply;
mod report;
mod route;
#[cfg(all(feature = "simulation", not(loom)))]
#[cfg_attr(docsrs, doc(cfg(feature = "simulation")))]
pub mod simulation;
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

pub use actor::carried::Carried;
pub use actor::context::{Context, NoDeadline};
pub use actor::dispatch::Dispatch;
pub use actor::pipe::{Pipe, PipeHandle};
pub use actor::restart::Restart;
pub use actor::timer::Timer;
pub use actor::{Actor, ActorOnce, LocalRegistration, PoolRegistration, Registration};
pub use client::Client;
pub use client::message::{
    AnsweredInHandler, Blocking, CallableFrom, ClientView, IntoRequest, Message, MessageField, NonBlocking, ReplyType,
    Request, Waits,
};
pub use client::recipient::Recipient;
pub use definition::{Definition, VariantDefinition};
pub use engine::actor_thread::ActorThread;
pub use engine::handle::EngineHandle;
pub use engine::here::Here;
#[cfg(feature = "observe")]
#[cfg_attr(docsrs, doc(cfg(feature = "observe")))]
pub use engine::observer::Observer;
pub use engine::registry::{Registry, RegistryEntry};
pub use engine::stopped::{Shutdown, Stopped};
pub use engine::{ActorEngine, EngineBuilder};
pub use error::{BoxError, CallError, Refused, SendError, ShutdownError, SpawnError, StopError, WatchError};
pub use event::{AfterPanic, DeadLetter, End, Ended, PanicEvent, PanicOrigin, Restarted, Undelivered};
pub use id::{InstanceId, ThreadId};
pub use mailbox::inner_bound::Inner;
pub use mailbox::permits::Overflow;
pub use messaging::broadcast::{Pendings, Replies};
pub use messaging::first::{First, first};
pub use messaging::pending::Pending;
pub use reply::reply_to::ReplyTo;
#[cfg(feature = "observe")]
#[cfg_attr(docsrs, doc(cfg(feature = "observe")))]
pub use report::handling_times::HandlingTimes;
pub use report::instances::{BackingOff, InstanceStats};
pub use report::running::{RunningInstance, Wait};
pub use report::sends::SendStats;
pub use report::slow::Slow;
pub use report::types::{DeadLetterCounts, RefusalCounts, TimeoutCounts, TypeStats};
pub use report::waits::{OutsideCaller, WaitForest, WaitRoot, WaitingCaller, WaitingHandler};
pub use report::{EarlierReport, InstanceReport, Report, RoomStats, Stats, ThreadStats};
pub use route::payload::{Deferred, Prompt};
pub use sys::clock::now;
pub use sys::spawn::{available_threads, sleep};
pub use sys::spin::Spin;
#[doc = include_str!("actor.md")]
pub use zctor_macros::actor;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
