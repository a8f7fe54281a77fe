//! The guide: a page a topic, each short, each snippet compiled and run.
//!
//! Read [`overview`] and [`messaging_patterns`] first; the rest is for the day it is needed.
//!
//! | page | answers |
//! | --- | --- |
//! | [`overview`] | what is this, and what are the words |
//! | [`architecture`] | what runs where, who owns what |
//! | [`registry`] | which instances handle a message type |
//! | [`routing`] | which of them gets this message |
//! | [`threading_patterns`] | how to lay actors out on threads |
//! | [`messaging_patterns`] | send, call, broadcast |
//! | [`handles`] | how to hand out less than a whole client |
//! | [`load_balancing`] | the rules of the round robin, exactly |
//! | [`thread_safety`] | why state needs no lock and need not be `Send` |
//! | [`calls`] | why a call cannot deadlock, and what is refused |
//! | [`timers_and_pipes`] | later, repeatedly, and without waiting |
//! | [`stopping`] | how an instance, a thread, an engine ends |
//! | [`failures`] | panics, ends, dead letters: who is told |
//! | [`back_pressure`] | senders that are faster than their receivers |
//! | [`main_thread`] | states that only the main thread may touch |
//! | [`guarantees`] | each promise, and the test that proves it |
//! | [`performance`] | advice on threads, message sizes, batches; what each choice costs; the figures |
//! | [`best_practices`] | design, errors, resources, tests |
//! | [`testing`] | how to test an actor, alone, in an engine, and among doubles |
//! | [`debugging`] | who handled what, where, and what is stuck |
//! | [`common_patterns`] | worker pool, service mesh, publisher and subscribers, shards |
//! | [`compile_errors`] | what a compiler's error means, and what to do |
//! | [`what_you_get`] | what `#[actor]` writes, word for word |
//! | [`coming_from_zig`] | every name of the Zig library, and its counterpart |

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

pub mod testing {
    // Its snippets need the feature; without it the page says so.
    #![cfg_attr(feature = "testing", doc = include_str!("testing.md"))]
    #![cfg_attr(
        not(feature = "testing"),
        doc = "How to test actors: build the documentation with the feature `testing`."
    )]
}

pub mod debugging {
    #![doc = include_str!("debugging.md")]
}

pub mod common_patterns {
    #![doc = include_str!("common_patterns.md")]
}

pub mod compile_errors {
    #![doc = include_str!("compile_errors.md")]
}

pub mod what_you_get {
    #![doc = include_str!("what_you_get.md")]
}

pub mod coming_from_zig {
    #![doc = include_str!("coming_from_zig.md")]
}
