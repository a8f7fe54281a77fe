//! A look into a running [`zctor`] engine, for curl, Prometheus, a browser and a terminal. It is read-only.
//!
//! ```
//! use zctor::ActorEngine;
//! use zctor_console::Console;
//!
//! # fn main() -> std::io::Result<()> {
//! let engine = ActorEngine::new();
//! let served = Console::new(&engine).serve_tcp("127.0.0.1:0")?;
//! eprintln!("zctor-console at {served}"); // http://127.0.0.1:46723/6f0c…/
//! # assert!(served.to_string().starts_with("http://127.0.0.1:"));
//! # Ok(())
//! # }
//! ```
//!
//! | look | with |
//! | --- | --- |
//! | in a browser | the address that was printed |
//! | by text | `curl -s http://127.0.0.1:46723/6f0c…/`; its last line is the culprit |
//! | at a Unix socket, of [`Console::serve`] | `curl -s --unix-socket /run/user/1000/zctor/4711-zctor.sock http://localhost/` |
//! | in a terminal | in a checkout of zctor, `cargo run -p zctor-console --features terminal -- http://127.0.0.1:46723/6f0c…/` |
//! | by Prometheus | the route `metrics` |
//!
//! # Routes
//!
//! | route | answer |
//! | --- | --- |
//! | `/` | a page for a browser, which looks twice a second while it is seen; text for everyone else |
//! | `/snapshot.txt`, `/snapshot.json` | the [`Snapshot`](snapshot::Snapshot) as text and as data |
//! | `/waits.txt` | who waits for whom; the last line is what all wait for |
//! | `/healthz?limit=5` | 200, or 503 and the [culprit](#what-is-stuck) if something is stuck for so many seconds: for `curl -f` |
//! | `/times.txt?seconds=5`, `/times.json?seconds=5` | how long handlers took, by variant, in so many seconds from the request on, up to 60; 1 unless it says otherwise; with the feature `observe` of this crate alone |
//! | `/metrics` | the metrics of `zctor-metrics` |
//! | `/map.svg`, `/map.mmd`, `/map.dot` | who may call whom, and who waits just now |
//!
//! The column `queued` counts the message that is being handled too. Tables have the threads that hold others up first:
//! the page until a column is sorted by, the text, and the terminal. `snapshot.json` has them in spawn order, and
//! `culprit_thread` is the number of the one to look at first.
//!
//! # What is stuck
//!
//! For `healthz`, two things are: a reply that somebody has waited for so long, and a handler that has run for so long
//! though nobody waits for it. An actor that is slow by right has a limit of its own (`Actor::slow`): until its handler has
//! run for that, or been waited for, it is well. A thread that goes on from message to message is slow and not stuck,
//! however old its queue is: the page and the text name it as behind, and `zctor_queue_oldest_seconds` of `metrics` has its
//! age.
//!
//! No handler reads a clock. For how long one has run is known at the first look if its thread had slept before, or if
//! somebody waits for it; otherwise from the second look on. A check that asks regularly therefore misses one look at
//! most.
//!
//! # What it costs
//!
//! One thread, which sleeps until somebody connects. Nothing is sampled while nobody looks, and no message costs more.
//! A look reads counters from beside; no actor thread is stopped. With two looks a second, one thread sends another 99.7 %
//! of the messages that it does without a console (the median of 13 rounds on two shared cores; with 95 % between 96.3 and
//! 102.9: the example `cost`). A look at 100,000 instances takes 3 ms. Only while a request for `times.txt` or `times.json` is
//! under way does a message cost more: see `ActorEngine::observe`.
//!
//! # Who may look
//!
//! A Unix socket is in a folder of mode 0700: this user alone. A TCP port is on this machine alone, with a random token
//! in its path; requests for any other host are refused, so no page of a foreign site reads it by DNS rebinding. Only
//! GET is answered, and no request changes anything. Answers have names and numbers, never the contents of messages or
//! states.

mod client;
mod console;
#[cfg(test)]
mod fuzz;
mod look;
mod pause;
mod record;
mod server;
mod site;
pub mod snapshot;
#[cfg(unix)]
mod socket;
mod text;
#[cfg(feature = "observe")]
mod times;
#[cfg(not(feature = "observe"))]
#[path = "times/off.rs"]
mod times;

pub use client::{fetch, fetch_text};
pub use console::{Console, Served};
pub use record::{Recorder, replay};
#[cfg(unix)]
pub use socket::sockets;
