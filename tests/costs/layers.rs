//! The files of the runtime and of the macro stand in layers, and imports point down.
//!
//! Left out are the guide, modules under `#[cfg(test)]`, and the loom models, which stand under it too.

use std::fs;
use std::path::Path;

#[path = "layers/rules.rs"]
mod rules;
#[path = "layers/snippets.rs"]
mod snippets;
#[path = "layers/source.rs"]
mod source;

/// The layers of the runtime from the top down: a name, and the folders and files in it.
const LAYERS: &[(&str, &[&str])] = &[
    ("the crate's root", &["lib", "private"]),
    ("testing", &["testing"]),
    ("engine", &["engine"]),
    ("actor", &["actor"]),
    ("client", &["client"]),
    ("messaging", &["messaging"]),
    ("route", &["route"]),
    ("thread", &["thread"]),
    ("mailbox", &["mailbox"]),
    ("reply", &["reply"]),
    ("trace", &["trace"]),
    ("sys", &["sys"]),
    ("plain data", &["error", "event", "id", "report", "type_map"]),
];

/// Where a file goes that has not moved yet: it is held to the rules of that place, and exceptions name it so, so that a
/// move alone changes no exception. A line whose file has moved fails. The table goes with its last line.
const ROOMS: &[(&str, &str)] = &[
    ("address.rs", "route/endpoint.rs"),
    ("call.rs", "messaging/pending.rs"),
    ("context.rs", "actor/context.rs"),
    ("dead_letter.rs", "mailbox/dead_letters.rs"),
    ("floor.rs", "thread/slots.rs"),
    ("frame.rs", "sys/frame.rs"),
    ("here.rs", "engine/here.rs"),
    ("instance.rs", "actor/instance.rs"),
    ("lanes.rs", "thread/queue.rs"),
    ("letters.rs", "route/contents.rs"),
    ("lifecycle.rs", "engine/core.rs"),
    ("lock.rs", "sys/lock.rs"),
    ("message.rs", "client/message.rs"),
    ("park.rs", "sys/park.rs"),
    ("pool.rs", "route/pool.rs"),
    ("recipient.rs", "client/recipient.rs"),
    ("registration.rs", "actor.rs"),
    ("registry.rs", "route/registry.rs"),
    ("reply.rs", "reply/oneshot.rs"),
    ("restart.rs", "actor/restart.rs"),
    ("roll.rs", "mailbox/roster.rs"),
    ("room.rs", "mailbox/permits.rs"),
    ("route.rs", "messaging/target.rs"),
    ("spares.rs", "mailbox/buffers.rs"),
    ("sync.rs", "sys/sync.rs"),
    ("terms.rs", "reply/cancellation.rs"),
    ("testing/off.rs", "actor/double/off.rs"),
    ("thread.rs", "thread/local.rs"),
    ("timer.rs", "actor/timer.rs"),
    ("watch.rs", "client/watch.rs"),
];

/// The runtime's violations of today, by the key that a failure prints. A line that no longer occurs fails, so the list can
/// only shrink.
const EXCEPTIONS: &[&str] = &[
    "actor.rs: circle",
    "actor/context.rs -> actor.rs",
    "actor/context.rs -> engine.rs",
    "actor/context.rs: circle",
    "actor/double/off.rs: circle",
    "actor/instance.rs -> testing.rs",
    "actor/instance.rs: circle",
    "actor/instance.rs: length",
    "actor/timer.rs: Condvar",
    "actor/timer.rs: Instant::now",
    "actor/timer.rs: circle",
    "client.rs -> actor/instance.rs",
    "client.rs: circle",
    "client/message.rs -> actor/context.rs",
    "client/message.rs -> actor/double/off.rs",
    "client/message.rs -> actor/restart.rs",
    "client/message.rs -> testing.rs",
    "client/message.rs: circle",
    "client/recipient.rs: circle",
    "client/watch.rs -> actor/instance.rs",
    "client/watch.rs: circle",
    "engine.rs: circle",
    "engine/core.rs: .join()",
    "engine/core.rs: Condvar",
    "engine/core.rs: circle",
    "engine/core.rs: length",
    "engine/core.rs: mpsc",
    "engine/core.rs: thread::JoinHandle",
    "engine/core.rs: thread::yield_now",
    "engine/here.rs: circle",
    "error.rs -> client/watch.rs",
    "error.rs -> sys/lock.rs",
    "error.rs: circle",
    "lib.rs: thread::available_parallelism",
    "mailbox.rs -> actor/instance.rs",
    "mailbox.rs -> client/message.rs",
    "mailbox.rs -> client/watch.rs",
    "mailbox.rs -> route/endpoint.rs",
    "mailbox.rs -> route/registry.rs",
    "mailbox.rs -> thread/local.rs",
    "mailbox.rs: circle",
    "mailbox.rs: length",
    "mailbox.rs: smallbox",
    "mailbox/dead_letters.rs -> actor/instance.rs",
    "mailbox/dead_letters.rs -> actor/timer.rs",
    "mailbox/dead_letters.rs -> client/message.rs",
    "mailbox/dead_letters.rs -> client/watch.rs",
    "mailbox/dead_letters.rs: circle",
    "mailbox/permits.rs: circle",
    "mailbox/roster.rs -> actor/instance.rs",
    "mailbox/roster.rs -> client/watch.rs",
    "mailbox/roster.rs -> mailbox.rs",
    "mailbox/roster.rs -> thread/local.rs",
    "mailbox/roster.rs: circle",
    "messaging/pending.rs -> actor/timer.rs",
    "messaging/pending.rs -> client/message.rs",
    "messaging/pending.rs: circle",
    "messaging/pending.rs: length",
    "messaging/target.rs -> actor/instance.rs",
    "messaging/target.rs -> actor/timer.rs",
    "messaging/target.rs -> client/message.rs",
    "messaging/target.rs: circle",
    "messaging/target.rs: length",
    "reply/cancellation.rs -> actor/timer.rs",
    "reply/cancellation.rs: circle",
    "reply/oneshot.rs -> messaging/pending.rs",
    "reply/oneshot.rs: circle",
    "route/contents.rs -> actor/instance.rs",
    "route/contents.rs -> client/message.rs",
    "route/contents.rs: circle",
    "route/endpoint.rs -> actor/instance.rs",
    "route/endpoint.rs -> client/message.rs",
    "route/endpoint.rs -> client/watch.rs",
    "route/endpoint.rs: circle",
    "route/pool.rs -> actor/instance.rs",
    "route/pool.rs -> client/message.rs",
    "route/pool.rs -> messaging/target.rs",
    "route/pool.rs: circle",
    "route/registry.rs -> actor/instance.rs",
    "route/registry.rs -> client/message.rs",
    "route/registry.rs: circle",
    "sys/frame.rs -> mailbox.rs",
    "sys/frame.rs -> messaging/pending.rs",
    "sys/frame.rs: circle",
    "sys/park.rs -> actor/timer.rs",
    "sys/park.rs -> lib.rs",
    "sys/park.rs -> messaging/pending.rs",
    "sys/park.rs: circle",
    "testing.rs: Condvar",
    "testing.rs: circle",
    "thread/local.rs -> actor.rs",
    "thread/local.rs -> actor/instance.rs",
    "thread/local.rs -> actor/timer.rs",
    "thread/local.rs -> client/message.rs",
    "thread/local.rs -> client/watch.rs",
    "thread/local.rs -> engine/core.rs",
    "thread/local.rs -> messaging/pending.rs",
    "thread/local.rs -> messaging/target.rs",
    "thread/local.rs -> route/endpoint.rs",
    "thread/local.rs -> route/pool.rs",
    "thread/local.rs -> route/registry.rs",
    "thread/local.rs: circle",
    "thread/local.rs: length",
    "thread/local.rs: mpsc",
    "thread/local.rs: thread::Builder",
    "thread/local.rs: thread::JoinHandle",
    "thread/queue.rs: circle",
    "thread/slots.rs -> actor/instance.rs",
    "thread/slots.rs: circle",
    "trace.rs -> actor/instance.rs",
    "trace.rs -> mailbox/dead_letters.rs",
    "trace.rs: circle",
];

const RUNTIME: House = House {
    root: "zctor/src",
    layers: LAYERS,
    rooms: ROOMS,
    machine: Some("sys"),
    smallbox: Some("mailbox/envelope.rs"),
    // A message names its client, and a client is typed by its message.
    circle: &["client.rs", "client/message.rs"],
    allowed: &[
        "client/message.rs -> client.rs",
        // A recipient holds a client, and both doubles are known by the same traits.
        "client/recipient.rs -> client.rs",
        "testing/mock.rs -> testing.rs",
        "testing/probe.rs -> testing.rs",
        "engine/handle.rs: impl Context::engine",
    ],
    exceptions: EXCEPTIONS,
};

/// The macro's files are held to no circles and to their length; with layers, to these as well.
const MACRO: House = House {
    root: "zctor-macros/src",
    layers: &[],
    rooms: &[],
    machine: None,
    smallbox: None,
    circle: &[],
    allowed: &[],
    exceptions: &["cfg.rs: circle", "docs.rs: circle", "lib.rs: circle", "model.rs: circle"],
};

struct House {
    root: &'static str,
    /// From the top down; empty if there are none.
    layers: &'static [(&'static str, &'static [&'static str])],
    rooms: &'static [(&'static str, &'static str)],
    /// The layer of time, blocking and the start of threads.
    machine: Option<&'static str>,
    /// The one file that may name smallbox.
    smallbox: Option<&'static str>,
    /// The members of the one circle that is meant.
    circle: &'static [&'static str],
    /// Violations that are meant to stay, by key.
    allowed: &'static [&'static str],
    exceptions: &'static [&'static str],
}

impl House {
    /// Where a file stands, or will.
    fn room<'a>(&self, file: &'a str) -> &'a str {
        self.rooms.iter().find(|(old, _)| *old == file).map_or(file, |(_, new)| new)
    }

    /// The layer of a room, and how many are below it.
    fn layer(&self, room: &str) -> Option<(&'static str, usize)> {
        let top = room.split('/').next()?.trim_end_matches(".rs");
        let at = self.layers.iter().position(|(_, members)| members.contains(&top))?;
        Some((self.layers[at].0, self.layers.len() - 1 - at))
    }

    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.root)
    }

    /// The path of the file that has or will have this room.
    fn shown(&self, room: &str) -> String {
        self.path(self.rooms.iter().find(|(_, new)| *new == room).map_or(room, |(old, _)| old))
    }

    /// Reads the files and compares their violations with the exceptions. Panics with each difference.
    fn holds(&self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.root);
        let mut files = source::Files::new();
        gather(&root, "", &mut files);
        assert!(files.len() > 20, "the files of {} were not found", self.root);
        let broken = rules::check(self, &files);
        let new = broken.iter().filter(|(key, _)| !self.exceptions.contains(&key.as_str()));
        let new: String = new.map(|(key, text)| format!("\"{key}\"\n    {text}\n")).collect();
        let gone = self.exceptions.iter().filter(|key| !broken.contains_key(**key));
        let gone: String =
            gone.map(|key| format!("\"{key}\"\n    no longer occurs; remove it from the list\n")).collect();
        assert!(new.is_empty() && gone.is_empty(), "\n\nthe layers of {}:\n\n{new}{gone}", self.root);
    }
}

fn gather(folder: &Path, below: &str, files: &mut source::Files) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{error}")).path();
        let name = format!("{below}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() && name != source::LEFT_OUT {
            gather(&path, &format!("{name}/"), files);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.insert(name, text);
        }
    }
}

#[test]
fn the_runtimes_imports_point_down() {
    RUNTIME.holds();
}

#[test]
fn the_macros_files_draw_no_circle() {
    MACRO.holds();
}
