//! The files of the runtime and of the macro stand in layers, and imports point down. Each file of the runtime has a row
//! in ARCHITECTURE.md.
//!
//! Left out are the guide, modules under `#[cfg(test)]`, and the loom models, which stand under it too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

mod rules;
mod snippets;
mod source;

/// The layers of the runtime from the top down: a name, and the folders and files in it.
const LAYERS: &[(&str, &[&str])] = &[
    ("the crate's root", &["lib", "private"]),
    ("simulation", &["simulation"]),
    ("testing and remote", &["testing", "remote"]),
    ("map", &["map"]),
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
    ("plain data", &["definition", "error", "event", "id", "report", "type_map"]),
];

const RUNTIME: Layered = Layered {
    root: "zctor/src",
    layers: LAYERS,
    machine: Some("sys"),
    smallbox: Some("mailbox/envelope.rs"),
    // A message names its client, and a client is typed by its message.
    circle: &["client.rs", "client/message.rs"],
    allowed: &[
        "client/message.rs -> client.rs",
        // A recipient holds a client. Both doubles and the context of a test are known by the same traits.
        "client/recipient.rs -> client.rs",
        "testing/context.rs -> testing.rs",
        "testing/mock.rs -> testing.rs",
        "testing/probe.rs -> testing.rs",
        "engine/handle.rs: impl Context::engine",
    ],
};

/// The layers of the macro: definitions are read, checked, settled and written, in folders from the bottom up.
const MACRO_LAYERS: &[(&str, &[&str])] = &[
    ("the entry points", &["lib"]),
    ("cfg", &["cfg"]),
    ("fallback", &["fallback"]),
    ("read", &["read"]),
    ("expand", &["expand"]),
    ("model", &["model"]),
    ("check", &["check"]),
    ("parse", &["parse"]),
    ("names", &["names"]),
    ("types", &["types"]),
    ("the ground", &["position", "spelling", "errors"]),
];

const MACRO: Layered = Layered {
    root: "zctor-macros/src",
    layers: MACRO_LAYERS,
    machine: None,
    smallbox: None,
    circle: &[],
    allowed: &[],
};

struct Layered {
    root: &'static str,
    /// From the top down; empty if there are none.
    layers: &'static [(&'static str, &'static [&'static str])],
    /// The layer of time, blocking and the start of threads.
    machine: Option<&'static str>,
    /// The one file that may name smallbox.
    smallbox: Option<&'static str>,
    /// The members of the one circle that is meant.
    circle: &'static [&'static str],
    /// Violations that are meant to stay, by key.
    allowed: &'static [&'static str],
}

impl Layered {
    /// The layer of a file, and how many are below it.
    fn layer(&self, file: &str) -> Option<(&'static str, usize)> {
        let top = file.split('/').next()?.trim_end_matches(".rs");
        let at = self.layers.iter().position(|(_, members)| members.contains(&top))?;
        Some((self.layers[at].0, self.layers.len() - 1 - at))
    }

    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.root)
    }

    /// The texts of the files, by path.
    fn files(&self) -> source::Files {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.root);
        let mut files = source::Files::new();
        gather(&root, "", &mut files);
        assert!(files.len() > 20, "the files of {} were not found", self.root);
        files
    }

    /// Reads the files. Panics with each violation.
    fn holds(&self) {
        let files = self.files();
        let broken = rules::check(self, &files);
        // Circles come last: nearly always one import that points up draws all of them.
        let (circles, others): (Vec<_>, Vec<_>) = broken.iter().partition(|(key, _)| key.ends_with(": circle"));
        let broken: String =
            others.iter().chain(&circles).map(|(key, text)| format!("\"{key}\"\n    {text}\n")).collect();
        assert!(broken.is_empty(), "\n\nthe layers of {}:\n\n{broken}", self.root);
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

const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// The files and folders that the rows of ARCHITECTURE.md name for the runtime.
fn files_with_a_row() -> BTreeSet<&'static str> {
    let table =
        ARCHITECTURE.split_once("| file (`zctor/src/`) | promise |\n").expect("a table of the runtime's files").1;
    let rows = table.lines().map_while(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| Some(row.split_once(" | ")?.0));
    cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`')).collect()
}

#[test]
fn each_file_of_the_runtime_has_a_row_and_each_row_its_files() {
    let files = RUNTIME.files();
    let mut named = files_with_a_row();
    assert!(named.remove("---"), "the table has a rule below its head");
    let covers = |row: &str, file: &str| row == file || row.ends_with('/') && file.starts_with(row);
    let is_stub = |file: &str| ["off.rs", "loom_models.rs"].contains(&file.rsplit('/').next().unwrap_or_default());
    let without: Vec<&String> =
        files.keys().filter(|file| !is_stub(file) && !named.iter().any(|row| covers(row, file))).collect();
    assert!(without.is_empty(), "in no row of ARCHITECTURE.md: {without:?}");
    let gone: Vec<&&str> = named.iter().filter(|row| !files.keys().any(|file| covers(row, file))).collect();
    assert!(gone.is_empty(), "in a row of ARCHITECTURE.md, and not there: {gone:?}");
}

#[test]
fn the_runtimes_imports_point_down() {
    RUNTIME.holds();
}

#[test]
fn the_macros_imports_point_down() {
    MACRO.holds();
}
