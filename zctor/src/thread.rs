//! The actor thread: it hosts instances and handles their messages, one message of an instance at a time.
//!
//! The layer promises three things. An instance is built, served and dropped on its own thread. Its mail is handled in
//! the order of arrival, but for calls that go ahead (`queue.rs` has the rule). Mail that the thread has taken in is
//! handled, or goes to a sibling of its instance, or becomes a dead letter.
//!
//! The layer knows no message type and no engine: its instances implement `local::Instance`, and its engine implements
//! `owner::ThreadOwner`. It may import only its own folder and the layers below it: mailbox, reply, trace, sys and the
//! plain data.
//!
//! The life of a thread:
//!
//! 1. It builds its instances, each by its factory, and reports the outcome (`run.rs`). It runs nothing more until the
//!    engine has registered them.
//! 2. It takes mail from its mailbox into its own queue, which has one lane for each call depth, and serves the queue
//!    in the order of arrival; but a call to an instance for which nothing else is queued goes ahead (`take_in.rs`,
//!    `queue.rs`). `on_start` is the first entry of each instance. Mail between instances of this thread goes to the
//!    queue directly. Messages for one instance that lie one behind the other are gathered to a batch, and handled
//!    under one look-up.
//! 3. While a handler waits, its thread serves the lanes below the call depth of that handler (`wait.rs`). Code that a
//!    handler has handed to other threads runs as a part of it (`carried.rs`, `serve_while.rs`).
//! 4. With nothing to do the thread rests: it announces that, looks a last time, spins, and parks (`run.rs`, with the
//!    protocol of `sys/park.rs`). The calling thread of `here` goes back to its own loop instead (`borrowed.rs`).
//! 5. The thread ends when its last instance has ended, or when the engine has told it to end, its queue is empty, and
//!    no mail is held. The instances end in reverse order of their start: each runs `on_stop` and is dropped. Then the
//!    mailbox closes, and mail that is left in it goes to siblings if it was sent in turn, and otherwise becomes dead
//!    letters (`undelivered.rs`).

pub(crate) mod borrowed;
pub(crate) mod carried;
pub(crate) mod free_list;
pub(crate) mod held;
pub(crate) mod kept;
pub(crate) mod local;
pub(crate) mod owner;
pub(crate) mod phase;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod serve_while;
pub(crate) mod slots;
pub(crate) mod take_in;
pub(crate) mod timers;
pub(crate) mod undelivered;
pub(crate) mod wait;
