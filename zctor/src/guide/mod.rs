//! The guide: one short page for each topic. Every snippet is compiled and run.
//!
//! New here: read [`tutorial`], then the other pages when you need them. [`index_by_task`] finds the page for what you
//! want to do, [`faq`] the one for what surprises you.
//!
//! | page | answers |
//! | --- | --- |
//! | [`tutorial`] | how one program grows from a counter to a web service |
//! | [`index_by_task`] | what you want to do: the page, and the program that does it |
//! | [`faq`] | why `Undeclared`, why `Full`, where the state is, which thread this is |
//! | [`overview`] | what zctor is, and what its words mean |
//! | [`architecture`] | which code runs where, and what owns what |
//! | [`registry`] | which instances handle a message type |
//! | [`routing`] | which of them gets a message |
//! | [`threading_patterns`] | how to distribute actors over threads |
//! | [`messaging_patterns`] | send, call, broadcast |
//! | [`handles`] | how to hand out less than a whole client |
//! | [`load_balancing`] | the rules of the round robin, exactly |
//! | [`thread_safety`] | why state needs no lock and need not be `Send` |
//! | [`calls`] | why a call cannot deadlock, and what is refused |
//! | [`timers_and_pipes`] | how to send later, repeatedly, and how to get a reply without waiting |
//! | [`stopping`] | how an engine, a thread and an instance end |
//! | [`failures`] | panics, ends, dead letters: how you learn of them |
//! | [`back_pressure`] | what happens when senders are faster than their receivers |
//! | [`main_thread`] | how to keep a state that only the main thread may touch |
//! | [`windows`] | how to build a desktop program: what runs where, and how results get to the window |
//! | [`web`] | how to put actors behind a web server, and stop both at a signal |
//! | [`devices`] | how to keep a device, a database or a file that lives on one thread |
//! | [`async_tasks`] | how to await replies, and how a handler starts async work |
//! | [`foreign_threads`] | what to mind with rayon and threads of your own, with thread-locals, and with `fork` |
//! | [`guarantees`] | which promises there are, and which tests prove them |
//! | [`performance`] | advice on threads, message sizes and batches; what each choice costs; the figures |
//! | [`best_practices`] | advice on design, threads, errors, resources and tests |
//! | [`production`] | what to set, watch and test before a program runs unattended |
//! | [`testing`] | how to test an actor, alone, in an engine, and among doubles |
//! | [`simulation`] | how to search the orders of events for a bug, under a seed and with virtual time |
//! | [`remote`] | what is no longer true when messages go through bytes, and what is |
//! | [`debugging`] | which instance handled what, on which thread, and what is stuck |
//! | [`observability`] | queues, times and counts by thread, type and instance |
//! | [`common_patterns`] | programs to start from: worker pool, service mesh, publisher and subscribers, sessions, shards |
//! | [`recipes`] | a few lines each: a window of calls, retries, batches, load shedding, dead letters again, cancel, a journal, totals |
//! | [`compile_errors`] | what the compiler's errors mean, and what to do about them |
//! | [`what_you_get`] | the exact code that `#[actor]` writes |
//! | [`coming_from_threads`] | what threads, channels and `Arc<Mutex<..>>` become |
//! | [`coming_from_actix`] | what an actor of actix becomes, and a `SyncArbiter` |
//! | [`coming_from_kameo`] | what an actor of kameo becomes |
//! | [`coming_from_ractor`] | what an actor of ractor becomes |
//! | [`coming_from_zig`] | every name of the Zig library's guide, and its counterpart here |

pub mod tutorial {
    #![doc = include_str!("tutorial.md")]
}

pub mod faq {
    #![doc = include_str!("faq.md")]
}

pub mod index_by_task {
    #![doc = include_str!("index_by_task.md")]
}

pub mod overview {
    #![doc = include_str!("overview.md")]
}

pub mod architecture {
    #![doc = include_str!("architecture.md")]
}

pub mod registry {
    #![doc = include_str!("registry.md")]
}

pub mod routing {
    #![doc = include_str!("routing.md")]
}

pub mod threading_patterns {
    #![doc = include_str!("threading_patterns.md")]
}

pub mod messaging_patterns {
    #![doc = include_str!("messaging_patterns.md")]
}

pub mod handles {
    #![doc = include_str!("handles.md")]
}

pub mod load_balancing {
    #![doc = include_str!("load_balancing.md")]
}

pub mod thread_safety {
    #![doc = include_str!("thread_safety.md")]
}

pub mod calls {
    #![doc = include_str!("calls.md")]
    #![doc = "\n# A call across threads\n"]
    #![doc = concat!("<div>\n", include_str!("call_across_threads.svg"), "</div>")]
}

pub mod timers_and_pipes {
    #![doc = include_str!("timers_and_pipes.md")]
}

pub mod stopping {
    #![doc = include_str!("stopping.md")]
}

pub mod failures {
    #![doc = include_str!("failures.md")]
}

pub mod back_pressure {
    #![doc = include_str!("back_pressure.md")]
}

pub mod main_thread {
    #![doc = include_str!("main_thread.md")]
}

pub mod async_tasks {
    #![doc = include_str!("async_tasks.md")]
}

pub mod foreign_threads {
    #![doc = include_str!("foreign_threads.md")]
}

pub mod windows {
    #![doc = include_str!("windows.md")]
}

pub mod web {
    #![doc = include_str!("web.md")]
}

pub mod devices {
    #![doc = include_str!("devices.md")]
}

pub mod guarantees {
    #![doc = include_str!("guarantees.md")]
}

pub mod performance {
    #![doc = include_str!("performance.md")]
    #![doc = ""]
    // Written by the programs in `benchmarks`.
    #![doc = include_str!("performance_counts.md")]
    #![doc = ""]
    #![doc = include_str!("performance_figures.md")]
}

pub mod best_practices {
    #![doc = include_str!("best_practices.md")]
}

pub mod production {
    #![doc = include_str!("production.md")]
}

pub mod testing {
    // The snippets of this page need the feature; without it the page says so.
    #![cfg_attr(feature = "testing", doc = include_str!("testing.md"))]
    #![cfg_attr(
        not(feature = "testing"),
        doc = "How to test actors: build the documentation with the feature `testing`."
    )]
}

pub mod remote {
    // The snippets of this page need the feature; without it the page says so.
    #![cfg_attr(feature = "remote", doc = include_str!("remote.md"))]
    #![cfg_attr(
        not(feature = "remote"),
        doc = "How messages go through bytes: build the documentation with the feature `remote`."
    )]
}

pub mod simulation {
    #![cfg_attr(
        feature = "simulation",
        doc = "How to search the orders of events for a bug: the page is that of the module [`simulation`](crate::simulation)."
    )]
    #![cfg_attr(
        not(feature = "simulation"),
        doc = "How to search the orders of events for a bug: build the documentation with the feature `simulation`."
    )]
}

pub mod debugging {
    #![doc = include_str!("debugging.md")]
}

pub mod observability {
    #![doc = include_str!("observability.md")]
    // The upper part of the page, as `examples/console` shows it.
    #![doc = include_str!("console_picture.html")]
    #![doc = "\n# A chain of waits\n"]
    #![doc = concat!("<div>\n", include_str!("chain_of_waits.svg"), "</div>")]
}

pub mod common_patterns {
    #![doc = include_str!("common_patterns.md")]
}

pub mod recipes {
    #![doc = include_str!("recipes.md")]
}

pub mod compile_errors {
    #![doc = include_str!("compile_errors.md")]
}

pub mod what_you_get {
    #![doc = include_str!("what_you_get.md")]
}

pub mod coming_from_threads {
    #![doc = include_str!("coming_from_threads.md")]
}

pub mod coming_from_actix {
    #![doc = include_str!("coming_from_actix.md")]
}

pub mod coming_from_kameo {
    #![doc = include_str!("coming_from_kameo.md")]
}

pub mod coming_from_ractor {
    #![doc = include_str!("coming_from_ractor.md")]
}

pub mod coming_from_zig {
    #![doc = include_str!("coming_from_zig.md")]
}
