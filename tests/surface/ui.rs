//! The compiler's errors for a wrong definition or use, word for word: one mistake, one error.
//!
//! The texts under `surface/ui/fail` are written by `TRYBUILD=overwrite cargo test --workspace --test ui` and then
//! read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler that the texts were written with, without its sources installed; others word their errors otherwise.
const WRITTEN_WITH: &str = "rustc 1.95.";

#[test]
fn wrong_programs_draw_the_recorded_errors() {
    let compiler = compiler();
    if !compiler.starts_with(WRITTEN_WITH) {
        eprintln!("skipped: the texts were written with {WRITTEN_WITH}x, this is {compiler}");
        return;
    }
    trybuild::TestCases::new().compile_fail("surface/ui/fail/*/*.rs");
    // Beside what trybuild says of each case: not by a macro, whose output is kept back when a test passes.
    writeln!(std::io::stderr(), "\n{}", summary()).expect("the standard error can be written");
}

/// Cases by the rule that they break: `calls: 14, client: 13, ..`.
fn summary() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("surface/ui/fail");
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for case in texts(&folder) {
        let rule = case.parent().and_then(Path::file_name).unwrap_or_default();
        *rules.entry(rule.to_string_lossy().into_owned()).or_default() += 1;
    }
    let counts: Vec<String> = rules.iter().map(|(rule, count)| format!("{rule}: {count}")).collect();
    format!("{} cases of {} rules. {}", rules.values().sum::<usize>(), rules.len(), counts.join(", "))
}

#[test]
fn every_case_has_its_text_and_counts_for_its_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("surface/ui/fail");
    let (cases, texts) = (files(&folder, "rs"), texts(&folder));
    let without = |path: &PathBuf| path.with_extension("");
    assert_eq!(cases.iter().map(without).collect::<Vec<_>>(), texts.iter().map(without).collect::<Vec<_>>());
    let summary = summary();
    assert!(summary.starts_with(&format!("{} cases", cases.len())), "{summary}");
}

/// Cases under `several` have one error for each of their mistakes; a cycle of generic enums is refused at every path.
#[test]
fn one_mistake_is_one_error() {
    let texts = texts(Path::new(env!("CARGO_MANIFEST_DIR")).join("surface/ui/fail").as_path());
    assert!(texts.len() >= 20, "the recorded errors are gone");
    for path in texts {
        let text = fs::read_to_string(&path).expect("a text that was listed can be read");
        let errors = text.lines().filter(|line| line.starts_with("error")).count();
        let expected = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("three_mistakes") => 3,
            Some("cycle_of_generic" | "cycle_growing" | "clash_and_handler") => 2,
            // The macro cannot see it coming: rustc names what has the name, and what it is not.
            Some("client_defined_already" | "handler_defined_already") => {
                assert!(text.starts_with("error[E0428]: the name `Calculator"), "{}", path.display());
                2
            }
            // Of each field of the context that is of one thread: no trait of ours is asked, and so no text of ours
            // given.
            Some("context_in_a_thread" | "context_moved_to_a_thread" | "context_shared_with_threads") => 2,
            // Of the field, with our text, and of the place that needs the whole message to be `Send`.
            Some("message_not_send") => 2,
            // Of the result, which every method's is, and of this method, with the variant's own text.
            Some("must_use_of_a_variant") => 2,
            _ => 1,
        };
        assert_eq!(errors, expected, "{}", path.display());
    }
}

/// What the guide quotes of the compiler is said in some case, all of a row in one error.
#[test]
fn errors_in_the_guide_are_those_of_the_cases() {
    let page = include_str!("../../zctor/src/guide/compile_errors.md");
    let said: Vec<String> = ["surface/ui/fail", "remote/ui"]
        .into_iter()
        .flat_map(|folder| texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)))
        .map(|path| fs::read_to_string(path).expect("a text that was listed can be read"))
        .collect();
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let quotes: Vec<&str> = cells.filter(|cell| !cell.starts_with("---") && *cell != "the compiler says").collect();
    assert!(quotes.len() > 20, "the tables were not found");
    for quote in quotes {
        // A code span with backticks in it has two on either side.
        let quote = quote.replace("`` ", "").replace(" ``", "");
        let (code, text) = match quote.split_once(": ") {
            Some((code, text)) if code.starts_with('E') => (format!("error[{code}]: "), text),
            _ => ("error: ".to_owned(), quote.as_str()),
        };
        assert!(said.iter().any(|case| case.starts_with(&code) && has_all(case, text)), "no case says: {quote}");
    }
}

/// Whether `text` has the parts of `quote` between its dots, in order.
fn has_all(text: &str, quote: &str) -> bool {
    let mut rest = Some(text);
    for part in quote.split("..") {
        rest = rest.and_then(|rest| rest.split_once(part.trim())).map(|(_, rest)| rest);
    }
    rest.is_some()
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("a test runs where a compiler is");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn texts(folder: &Path) -> Vec<PathBuf> {
    files(folder, "stderr")
}

/// In order, whatever the file system's is.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the cases can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            all.push(path);
        }
    }
    all.sort();
    all
}
