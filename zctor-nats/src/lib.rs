//! Pools of [zctor](https://docs.rs/zctor)'s actors in other processes: the same typed client, over a NATS server.
//!
//! A [`Bridge`] joins an engine to a NATS server. One process serves a pool, another attaches it in place of a pool of its
//! own, and calls and sends go on as they did. The enum is one for both, with `#[actor(remote)]`:
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use std::time::Duration;
//! use zctor::{ActorEngine, actor};
//! use zctor_nats::Bridge;
//!
//! #[actor(remote)]
//! #[derive(Serialize, Deserialize)]
//! pub enum WorkerMessage {
//!     #[reply(u64)]
//!     Square(u64),
//!     Note(String),
//! }
//! struct Worker;
//! impl WorkerHandler for Worker {
//!     fn square(&mut self, value: u64) -> u64 {
//!         value * value
//!     }
//!     fn note(&mut self, _value: String) {}
//! }
//!
//! # fn serves() -> Result<(), Box<dyn std::error::Error>> {
//! // One process serves.
//! let engine = ActorEngine::new();
//! engine.pool(8, WorkerMessage::actor(|| Worker))?;
//! let bridge = Bridge::builder("shop").server("nats://10.0.0.7:4222").connect()?;
//! bridge.serve::<WorkerMessage>(&engine)?;
//! # engine.wait();
//! # Ok(())
//! # }
//!
//! # fn calls() -> Result<(), Box<dyn std::error::Error>> {
//! // Another one calls. One line differs from a local program.
//! let engine = ActorEngine::new();
//! let bridge = Bridge::builder("shop").server("nats://10.0.0.7:4222").connect()?;
//! let workers: WorkerClient = bridge.attach::<WorkerMessage>(&engine)?; // in place of `engine.pool(..)`
//! assert_eq!(workers.within(Duration::from_secs(1)).square(12)?, 144);
//! workers.note("seen".to_owned())?;
//! println!("{}", bridge.close(Duration::from_secs(10)));
//! # Ok(())
//! # }
//! ```
//!
//! What holds through a link to another engine is in zctor's guide, on its page on messages that go through bytes.
//! Between processes the following is different, too:
//!
//! | in one process | over NATS |
//! | --- | --- |
//! | each message in turn to one of n instances | to a process that the server chooses at random among those that serve the pool, and there in turn |
//! | a key reaches the same instance | in one process; another process that serves the same pool has the key too |
//! | sends and broadcasts of one sender keep their order | sends do, and broadcasts do, to each process; not the one against the other |
//! | a call has the deadline that its caller set | one that has none gets [`Builder::deadline`] |
//! | `Timeout { begun: true }`: the handler had begun | it may have |
//! | an accepted message is handled once, or a dead letter | it is handled once at most; a dead letter with `Lost`, or a call that ended with `Lost`, may have been handled |
//! | | where the server cannot be reached, a message waits for [`Builder::patience`]; then a call ends with `NotRegistered`, and a send is a dead letter with `Unreachable` |
//! | a shutdown loses no accepted message | the same, after the bridge has left: [`Bridge::leave`] |
//! | a broadcast reaches every instance | of every process that serves the pool and is connected; it is acknowledged when one has it |
//!
//! # Messages that must not be lost
//!
//! What goes through a bridge is handled once at most. Messages of a variant with `#[msg(durable)]` can go through a
//! [`WorkQueue`] instead, which keeps them until they are handled: at least once, whatever is killed meanwhile.
//!
//! # The server
//!
//! A `nats-server` without configuration does. In a configuration:
//!
//! - `ping_interval: 10s` finds processes and servers that are gone without a word, as behind a pulled cable, in half a
//!   minute; by itself that takes minutes. Calls end at their deadlines in any case.
//! - `max_payload` limits messages and replies: 1 MB by itself. What is larger is refused, and the text says its size.
//! - A user and a password stand in the address, `nats://user:password@host:4222`, as they are: without characters that
//!   an address escapes.
//! - `nats sub 'zctor.1.shop.>'`, with the tool of that name, shows what goes over the wire in the namespace `shop`.
//!
//! # What to do when
//!
//! | what you see | what has happened | what to do |
//! | --- | --- | --- |
//! | a call ends with `NotRegistered`, or a dead letter says `Unreachable` | no process serves the pool, or the server was not there for longer than [`Builder::patience`]; a send may also have gone to a process whose engine was shut down before its bridge had left | it never ran: try again later |
//! | a call ends with `Lost` | the connection broke while it was under way | it may have run: try again if that does no harm |
//! | a call ends with `Timeout { begun: true }` | its handler took too long, or its process is gone | the same |
//! | a dead letter says `Lost` | nobody has said within [`Builder::ack_wait`] that the message arrived | the same |
//! | a call ends with `Stopped` | the process that the server chose has shut its engine down before its bridge had left | it never ran: try again; and there, call [`Bridge::leave`] before the shutdown |
//! | `Unfit` | the two sides have versions of the enum that do not fit, or it is too large; the text says which | bring one side up to date |
//! | `Undeclared` | the enum of the process that serves has a greater call depth | bring the callers up to date first |
//! | a dead letter of a durable message says `Full` | the work queue has reached its limit, or the server its storage | add a process that serves the queue, or raise the limit |
//! | a stream `<namespace>-<queue>-dead` has messages | they were given out as often as the queue allows, or were not understood | their header `Zctor-Reason` says why; mend that, and publish them to their `Zctor-Subject` |
//! | senders wait, or are refused `Full` | the pool that they call is full | add a process that serves it |
//!
//! The bridge runs one thread of its own. Beyond it, the threads are those of the engines, and for each pool that is
//! served one that feeds it.

mod bridge;
mod carrier;
mod connection;
mod durable;
mod error;
mod owners;
mod serving;
mod subscription;
mod under_way;
mod wire;

pub use bridge::{Bridge, Builder};
pub use durable::{QueueBooks, WorkQueue};
pub use error::BridgeError;
