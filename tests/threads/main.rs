//! Actor threads: many of them, the calling one, what lives on one, and its timers.

mod carried;
mod context;
mod here_ends;
mod here_event_loop;
mod here_run;
mod here_waits;
mod many_threads;
mod not_send_state;
mod reuse;
mod thread_locals;
mod timers;
mod wakers;
mod window;
