//! Each rule catches what breaks it, and nothing else, in crates of a few lines.

use super::source::Files;
use super::{Layered, MACRO, RUNTIME, rules};

/// The keys of all violations in a crate of these files. The `mod` lines are added.
fn broken(layered: &Layered, sources: &[(&str, &str)]) -> Vec<String> {
    let mut files = Files::new();
    for (file, text) in sources {
        *files.entry((*file).to_owned()).or_default() += text;
        let (above, name) = file.rsplit_once('/').map_or(("lib", *file), |(folder, name)| (folder, name));
        let declared = format!("mod {};\n", name.trim_end_matches(".rs"));
        let parent = files.entry(format!("{above}.rs")).or_default();
        if *file != "lib.rs" && !parent.contains(&declared) {
            *parent += &format!("\n{declared}");
        }
        if above != "lib" && !sources.iter().any(|(file, _)| *file == format!("{above}.rs")) {
            *files.entry("lib.rs".to_owned()).or_default() += &format!("mod {above};\n");
        }
    }
    rules::check(layered, &files).into_keys().collect()
}

/// The violations of the runtime's rules.
fn runtime(sources: &[(&str, &str)]) -> Vec<String> {
    broken(&RUNTIME, sources)
}

const NOTHING: [&str; 0] = [];

#[test]
fn an_import_of_a_higher_layer_is_caught_however_it_is_written() {
    let local = ("thread/local.rs", "pub(crate) struct Local; pub(crate) enum Phase { New }");
    let ways = [
        "use crate::thread::local::Local;",
        "use crate::{error, thread::{local::{self, Phase as P}}};",
        "use crate::thread::local::*;",
        "use super::super::thread::local::Local;",
        "fn f() { use crate::thread::local as l; l::start() }",
        "fn f(x: &crate::thread::local::Local) {}",
        "mod inner { mod deep { fn f() { super::super::super::super::thread::local::start() } } }",
        "macro_rules! m { () => { $crate::thread::local::start() } }",
    ];
    for way in ways {
        assert_eq!(
            runtime(&[local, ("error.rs", ""), ("mailbox/mail.rs", way)]),
            ["mailbox/mail.rs -> thread/local.rs"],
            "{way}"
        );
    }
}

#[test]
fn imports_that_point_down_and_what_is_no_import_are_not_caught() {
    let fine = "//! [`crate::engine::Engine`]
        use std::{fmt, collections::HashMap as Map};
        use crate::id::{self, ThreadId};
        use crate::mailbox::mail::Mail;
        /// [`Engine`](crate::engine::Engine)
        pub(in crate::thread) fn f() -> impl Fn() + use<> { id::new() }
        #[cfg(test)]
        mod tests { use crate::engine::Engine; }
        #[cfg(all(test, loom))]
        mod loom_models;\n";
    let files = [
        ("engine.rs", "use crate::thread::serve::f; pub(crate) struct Engine;"),
        ("thread/serve.rs", fine),
        ("thread/serve/loom_models.rs", "use crate::engine::Engine;"),
        ("mailbox/mail.rs", "use crate::ThreadId; pub(crate) struct Mail;"),
        ("id.rs", "pub(crate) struct ThreadId; pub(crate) fn new() {}"),
        ("lib.rs", "pub use id::ThreadId; pub use engine::Engine;"),
    ];
    assert_eq!(runtime(&files), NOTHING);
}

#[test]
fn a_re_export_is_followed_to_the_file_that_defines() {
    let local = ("thread/local.rs", "pub(crate) struct Local;");
    let folder = ("thread.rs", "pub(crate) use local::Local as Here;");
    let root = ("lib.rs", "pub use picked::*; mod picked { pub use crate::thread::Here as Thread; }");
    let sender = "use crate::Thread; fn f() { Thread::new() }";
    assert_eq!(runtime(&[local, folder, root, ("reply.rs", sender)]), ["reply.rs -> thread/local.rs"]);
    assert_eq!(runtime(&[local, folder, root, ("thread/run.rs", sender)]), NOTHING);
    let old_name = ("lib.rs", "pub(crate) use thread::local as earlier;");
    assert_eq!(
        runtime(&[local, ("thread.rs", ""), old_name, ("sys.rs", "use crate::earlier::Local;")]),
        ["sys.rs -> thread/local.rs"]
    );
    let foreign = ("lib.rs", "pub use zctor_macros::actor;");
    assert_eq!(runtime(&[foreign, ("sys.rs", "use crate::actor;")]), ["sys.rs -> lib.rs"]);
}

#[test]
fn the_file_of_a_folder_stands_above_its_files() {
    let mailbox = ("mailbox.rs", "use mail::Mail; pub(crate) struct Mailbox;");
    let found = runtime(&[mailbox, ("mailbox/mail.rs", "use super::Mailbox; pub(crate) struct Mail;")]);
    assert_eq!(found, ["mailbox.rs: circle", "mailbox/mail.rs -> mailbox.rs", "mailbox/mail.rs: circle"]);
    assert_eq!(runtime(&[mailbox, ("mailbox/mail.rs", "pub(crate) struct Mail;")]), NOTHING);
}

#[test]
fn a_circle_of_files_is_caught() {
    let one = ("sys/park.rs", "use crate::sys::alarm::ring; pub(crate) fn park() {}");
    let two = ("sys/alarm.rs", "use crate::sys::frame::Frame; pub(crate) fn ring() {}");
    let three = ("sys/frame.rs", "pub(crate) struct Frame; fn f() { super::park::park() }");
    let all = ["sys/alarm.rs: circle", "sys/frame.rs: circle", "sys/park.rs: circle"];
    assert_eq!(runtime(&[one, two, three]), all);
    assert_eq!(runtime(&[one, two, ("sys/frame.rs", "pub(crate) struct Frame;")]), NOTHING);
}

#[test]
fn the_macro_has_layers_of_its_own() {
    let rule = ("check/types.rs", "use crate::expand::handler::Handler;");
    let item = ("expand/handler.rs", "pub(crate) struct Handler;");
    assert_eq!(broken(&MACRO, &[rule, item]), ["check/types.rs -> expand/handler.rs"]);
    assert_eq!(broken(&MACRO, &[("check/types.rs", "pub(crate) struct Rule;"), item]), NOTHING);
}

#[test]
fn a_re_export_draws_a_circle_only_where_its_name_is_used() {
    let probe = ("testing/probe.rs", "use super::Doubled; pub struct Probe;");
    let passed_on = ("testing.rs", "pub use probe::Probe; pub trait Doubled { fn f(&self) { self.Probe() } }");
    assert_eq!(runtime(&[passed_on, probe]), NOTHING);
    let used = ("testing.rs", "pub use probe::Probe; pub trait Doubled { fn f(&self, _: Probe) {} }");
    assert_eq!(runtime(&[used, probe]), ["testing.rs: circle", "testing/probe.rs: circle"]);
    assert_eq!(
        runtime(&[
            ("sys.rs", "pub use crate::id::Id; pub use crate::reply::Reply;"),
            ("id.rs", "pub struct Id;"),
            ("reply.rs", "pub struct Reply;")
        ]),
        ["sys.rs -> reply.rs"]
    );
}

#[test]
fn the_circle_that_is_meant_has_two_files_and_no_third() {
    let client = ("client.rs", "use message::Message; pub struct Client;");
    let message = ("client/message.rs", "use crate::client::Client; pub trait Message {}");
    assert_eq!(runtime(&[client, message]), NOTHING);
    let third = ("client/watch.rs", "use crate::client::Client; pub struct Watch;");
    let found = runtime(&[("client.rs", "use message::Message; use watch::Watch; pub struct Client;"), message, third]);
    assert_eq!(found.iter().filter(|key| key.ends_with("circle")).count(), 3, "{found:?}");
}

#[test]
fn an_inherent_impl_for_a_type_of_another_folder_is_caught() {
    let context = ("actor/context.rs", "pub struct Context<M>(M);");
    let of = |code: &'static str| [context, ("engine/handle.rs", code)];
    let code = "use crate::actor::context::Context;
        impl<M: Fn() -> u8> Context<M> where M: for<'a> Into<&'a u8> { pub fn stop(&self) {} const N: u8 = 1; }";
    assert_eq!(runtime(&of(code)), ["engine/handle.rs: impl Context::N", "engine/handle.rs: impl Context::stop"]);
    assert_eq!(runtime(&of("impl<M> crate::actor::context::Context<M> { pub fn engine(&self) {} }")), NOTHING);
    assert_eq!(runtime(&of("impl<M> Clone for crate::actor::context::Context<M> { fn stop() {} }")), NOTHING);
    assert_eq!(runtime(&of("struct Context; impl Context { fn stop() {} } fn f() -> impl Fn() { g }")), NOTHING);
    let pipe = "impl<M> super::context::Context<M> { fn pipe() {} }";
    assert_eq!(runtime(&[context, ("actor/pipe.rs", pipe)]), NOTHING);
}

#[test]
fn a_file_of_401_lines_is_caught() {
    let text = |lines| {
        "const X: u8 = 0;\n\n// No code.\n".repeat(lines) + "#[cfg(test)]\nmod tests {\n    const Y: u8 = 1;\n}\n"
    };
    assert_eq!(runtime(&[("sys/park.rs", &text(401))]), ["sys/park.rs: length"]);
    assert_eq!(runtime(&[("sys/park.rs", &text(400))]), NOTHING);
    assert_eq!(broken(&MACRO, &[("expand.rs", &text(401))]), ["expand.rs: length"]);
}

#[test]
fn time_blocking_and_the_start_of_threads_are_caught_outside_sys() {
    let ways = [
        ("use std::sync::{Arc, Condvar};", "Condvar"),
        ("use std::sync::mpsc::{self, channel};", "mpsc"),
        ("use crate::sys::sync::Condvar;", "Condvar"),
        ("use std::time::Instant; fn f() { Instant::now(); }", "Instant::now"),
        ("fn f() { std::time::SystemTime::now(); }", "SystemTime"),
        ("fn f() { ::std::thread::sleep(x); }", "thread::sleep"),
        ("use crate::sys::sync::park;", "thread::park"),
        ("use std::thread;", "std::thread"),
        ("use std::thread::JoinHandle;", "thread::JoinHandle"),
        ("fn f() { handle.join(); }", ".join()"),
        ("fn f() { start.elapsed(); }", ".elapsed()"),
    ];
    let sync = "mod picked { pub use std::sync::Condvar; pub use std::thread::park; } pub use picked::*;";
    for (way, name) in ways {
        let found = runtime(&[("sys/sync.rs", sync), ("engine/core.rs", way)]);
        assert_eq!(found, [format!("engine/core.rs: {name}")], "{way}");
        assert_eq!(runtime(&[("sys/sync.rs", sync), ("sys/monitor.rs", way)]), NOTHING, "{way}");
    }
    let fine =
        "use std::time::{Duration, Instant}; fn f(x: Instant) { room.join(waker); parker.park(None); names.join(\"\") }
        fn g() -> bool { std::thread::current().name().is_some() || std::thread::panicking() }";
    assert_eq!(runtime(&[("engine/core.rs", fine)]), NOTHING);
}

#[test]
fn smallbox_is_caught_outside_of_the_envelope() {
    let code = "use smallbox::{SmallBox, smallbox};";
    assert_eq!(runtime(&[("mailbox/mail.rs", code)]), ["mailbox/mail.rs: smallbox"]);
    assert_eq!(runtime(&[("mailbox/envelope.rs", code)]), NOTHING);
}

#[test]
fn a_message_type_is_caught_below_route() {
    let files =
        |user| [("client/message.rs", "pub trait Message {}"), ("route/payload.rs", "pub trait Payload {}"), user];
    let code = "use crate::client::message::Message; fn f<P: crate::route::payload::Payload>() {}";
    let found = runtime(&files(("mailbox/mail.rs", code)));
    assert_eq!(found, ["mailbox/mail.rs -> client/message.rs", "mailbox/mail.rs -> route/payload.rs"]);
    assert_eq!(runtime(&files(("actor/dispatch.rs", code))), NOTHING);
}

#[test]
fn a_file_or_folder_in_no_layer_is_caught() {
    assert_eq!(
        runtime(&[("utils.rs", ""), ("net/socket.rs", "")]),
        ["net.rs: no layer", "net/socket.rs: no layer", "utils.rs: no layer"]
    );
    assert_eq!(runtime(&[("event.rs", ""), ("sys/clock.rs", ""), ("private.rs", "")]), NOTHING);
}
