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
//! engine.wait(); // until another thread stops it
//! # Ok(())
//! # }
//!
//! # fn calls() -> Result<(), Box<dyn std::error::Error>> {
//! // Another one calls. Beside its bridge, one line differs from a local program.
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
//! Both programs depend on these, from a checkout beside them:
//!
//! ```toml
//! [dependencies]
//! serde = { version = "1", features = ["derive"] }
//! zctor = { path = "../zctor/zctor", features = ["remote"] }
//! zctor-nats = { path = "../zctor/zctor-nats" } # from Rust 1.89 on
//! ```
//!
//! The page `remote` of zctor's guide says what holds through a link to another engine.
//! Between processes the following is different, too:
//!
//! | in one process | over NATS |
//! | --- | --- |
//! | each message in turn to one of n instances | to a process that the server chooses at random among those that serve the pool, and there in turn; of what comes faster than the bridge can pass it on, up to 32 small sends go to one process together, and so do calls while replies of the pool come within a millisecond |
//! | a key reaches the same instance | in one process; another process that serves the same pool has the key too |
//! | sends and broadcasts of one sender keep their order | sends do, and broadcasts do, to each process; not the one against the other |
//! | a call has the deadline that its caller set | one that has none gets [`Builder::deadline`] |
//! | `Timeout { begun: true }`: the handler had begun | it may have |
//! | an accepted message is handled once, or a dead letter | it is handled once at most; a dead letter with `Lost`, or a call that ended with `Lost`, may have been handled |
//! | | where the server cannot be reached, a message waits for [`Builder::patience`]; then a call ends with `NotRegistered`, and a send is a dead letter with `Unreachable` |
//! | a shutdown loses no accepted message | the same, after the bridge has left: [`Bridge::leave`] |
//! | a broadcast reaches every instance | of every process that serves the pool and is connected; the first word of one of them settles it: it is acknowledged, or a dead letter if that one refuses it, though others have it |
//!
//! [`Bridge::broadcast`] is a broadcast that says which processes have it.
//!
//! # Messages that must not be lost
//!
//! A message that goes through a bridge is handled once at most. Messages of a variant with `#[msg(durable)]` can go through a
//! [`WorkQueue`] instead, which keeps them until they are handled: at least once, whatever is killed meanwhile.
//!
//! # Running it
//!
//! A `nats-server` without configuration does to begin with. [`guide::running`] says what to configure, who may do what,
//! what to look at, and what to do when something is wrong; and how programs in other languages call a pool.
//! [`guide::errors`] is the table of what calls and sends end with.
//!
//! The bridge runs one thread of its own. Messages to a pool are decoded there, and a reply is encoded on the thread that
//! replies. Each pool that is served has a thread beside it, and all of them together one for the messages of handlers
//! elsewhere: these threads take messages that are large, or that may have to wait for room. All other threads are those of
//! the engines.
//!
//! With the feature `tokio` each method that waits panics on a thread of a tokio runtime, in debug builds, and says what to
//! write instead.

mod arrivals;
mod authority;
mod bridge;
mod broadcast;
mod carrier;
mod connect;
mod connection;
mod credit;
mod durable;
mod echo;
mod error;
mod foreign;
pub mod guide;
mod heard;
mod owners;
mod pack;
mod service;
mod serving;
mod session;
mod state;
mod subscription;
mod under_way;
mod wire;

pub use authority::Tls;
pub use bridge::{Bridge, Builder};
pub use durable::{QueueBooks, WorkQueue};
pub use error::{BridgeError, Operation};
pub use state::ConnectionState;
