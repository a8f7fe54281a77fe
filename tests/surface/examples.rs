//! Every public function is used in an example, and so is every public type that programs name, and every tool of the kit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What generated code alone calls, through `__private`.
const HIDDEN: [&str; 7] = [
    "private.rs",
    "client/name.rs",
    "remote/end.rs",
    "remote/letter.rs",
    "route/keyed.rs",
    "route/payload.rs",
    "sys/unwind.rs",
];

/// Programs get values of these types, or meet these traits as bounds, and need not name them: the fields and methods are
/// what they use. Each is used in `public_api.rs`.
const UNNAMED: &[&str] = &[
    "ActorOnce",
    "AfterPanic",
    "AnsweredInHandler",
    "BackingOff",
    "Blocking",
    "CallableFrom",
    "Carried",
    "Client",
    "ClientView",
    "DeadLetter",
    "DeadLetterCounts",
    "Deferred",
    "Dispatch",
    "EarlierReport",
    "EngineBuilder",
    "First",
    "InstanceReport",
    "InstanceStats",
    "IntoRequest",
    "LocalRegistration",
    "MessageField",
    "NoDeadline",
    "OutsideCaller",
    "Pendings",
    "Pipe",
    "PoolRegistration",
    "Prompt",
    "RefusalCounts",
    "Registration",
    "Registry",
    "RegistryEntry",
    "Replies",
    "ReplyType",
    "Restarted",
    "RoomStats",
    "RunningInstance",
    "ShutdownError",
    "Stats",
    "StopError",
    "ThreadStats",
    "TimeoutCounts",
    "TypeStats",
    "VariantDefinition",
    "Wait",
    "WaitForest",
    "WaitingCaller",
    "WaitingHandler",
    "Waits",
    "WatchError",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The paths of all Rust files in a folder and those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// A file without its comments.
fn code(path: &Path) -> String {
    let source = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word at the start of a text.
fn first_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// The names of the public functions that a file declares.
fn functions(code: &str) -> impl Iterator<Item = &str> {
    let declarations = code.lines().filter_map(|line| line.trim_start().strip_prefix("pub "));
    let names = declarations.filter_map(|line| line.strip_prefix("const ").unwrap_or(line).strip_prefix("fn "));
    names.map(first_word).filter(|name| !name.starts_with("__"))
}

/// All examples, one after the other.
fn examples() -> String {
    let examples: Vec<_> = files(&workspace().join("examples")).iter().map(|path| code(path)).collect();
    assert!(examples.len() > 20, "the examples were not found");
    examples.concat()
}

#[test]
fn every_public_function_is_used_in_an_example() {
    let source = workspace().join("zctor/src");
    let examples = examples();
    // A use follows a dot, or two colons, or names the function itself.
    let used = |name: &str| {
        examples.match_indices(name).any(|(at, _)| {
            let (before, after) = (&examples[..at], &examples[at + name.len()..]);
            !before.ends_with(is_word) && !before.ends_with("fn ") && !after.starts_with(is_word)
        })
    };
    let mut names = BTreeSet::new();
    for file in files(&source) {
        let within = file.strip_prefix(&source).expect("it is in the folder");
        if HIDDEN.iter().all(|hidden| within != Path::new(hidden)) {
            names.extend(functions(&code(&file)).map(str::to_owned));
        }
    }
    assert!(names.len() > 100, "the functions were not found");
    let unused: Vec<_> = names.iter().filter(|name| !used(name)).collect();
    assert!(unused.is_empty(), "no example uses {unused:?}");
}

#[test]
fn every_public_type_that_programs_name_is_in_an_example() {
    let root = code(&workspace().join("zctor/src/lib.rs"));
    let words = |text: &str| -> BTreeSet<String> { text.split(|c| !is_word(c)).map(str::to_owned).collect() };
    let exported: BTreeSet<_> = root
        .split("pub use ")
        .skip(1)
        .flat_map(|item| words(item.split(';').next().unwrap_or_default()))
        .filter(|word| word.starts_with(char::is_uppercase))
        .collect();
    assert!(exported.len() > 40, "the types were not found");
    let used = words(&examples());
    let unnamed: BTreeSet<_> = UNNAMED.iter().map(|name| (*name).to_owned()).collect();
    let missing: BTreeSet<_> = exported.difference(&used).cloned().collect();
    let forgotten: Vec<_> = missing.difference(&unnamed).collect();
    assert!(forgotten.is_empty(), "no example names {forgotten:?}");
    let stale: Vec<_> = unnamed.difference(&missing).collect();
    assert!(stale.is_empty(), "an example names {stale:?}, or they are gone: take them off the list");
}

#[test]
fn every_tool_of_the_kit_is_used_in_an_example() {
    let kit = code(&workspace().join("zctor-kit/src/lib.rs"));
    let tools: Vec<_> = kit.lines().filter_map(|line| line.strip_prefix("pub mod ")).map(first_word).collect();
    assert!(tools.len() > 5, "the tools were not found");
    let examples = examples();
    let unused: Vec<_> = tools.iter().filter(|tool| !examples.contains(&format!("zctor_kit::{tool}"))).collect();
    assert!(unused.is_empty(), "no example uses {unused:?}");
}

#[test]
fn the_index_and_the_list_name_every_example_and_no_other() {
    let folder = workspace().join("examples");
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let manifest = read(&folder.join("Cargo.toml"));
    let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix(".rs\""));
    // One of several files is named by its folder.
    let mut names: BTreeSet<&str> = paths.map(|path| path.trim_end_matches("/main")).collect();
    names.extend(["web_service", "console"]);
    assert!(names.len() > 20, "the examples were not found");

    // The last cell of a row.
    let index = read(&workspace().join("zctor/src/guide/index_by_task.md"));
    let cells = index.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| ")).map(|(_, cell)| cell);
    let indexed: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert_eq!(indexed, names, "examples and index differ");

    let list = read(&folder.join("README.md"));
    let links = list.split("](").skip(1).filter_map(|link| link.split(')').next());
    let listed: BTreeSet<&str> = links
        .filter(|link| !link.starts_with("..") && !link.ends_with(".svg"))
        .map(|link| link.trim_end_matches(".rs").trim_end_matches("/main"))
        .collect();
    assert_eq!(listed, names, "examples and list differ");
}
