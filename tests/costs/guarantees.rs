//! Every test that the guide's table of guarantees names is there, and the table stands in the guide alone.

use std::fs;
use std::path::Path;

const GUIDE: &str = include_str!("../../zctor/src/guide/guarantees.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// The rows of all tables in a page, heads and rules left out.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    cells.filter(|(promise, _)| *promise != "promise" && !promise.starts_with("---")).collect()
}

/// The source of a file of tests, `folder/file`, which must be compiled: as a module of its folder, or a target of its
/// own.
fn source(file: &str) -> String {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (folder, module) = file.split_once('/').unwrap_or_else(|| panic!("{file} names no folder"));
    let is_module = read(&format!("{folder}/main.rs"))
        .lines()
        .any(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ") == Some(&format!("{module};")));
    let is_target = read("Cargo.toml").lines().any(|line| line == format!("path = \"{file}.rs\""));
    assert!(is_module != is_target, "{folder}/main.rs does not declare {module}, nor is that a target of its own");
    read(&format!("{file}.rs"))
}

#[test]
fn each_promise_names_tests_that_exist() {
    let rows = rows(GUIDE);
    assert!(rows.len() > 20, "the table was not found");
    for (promise, proofs) in rows {
        let mut named = 0;
        for proof in proofs.split(", ") {
            let name = proof.strip_prefix('`').and_then(|proof| proof.strip_suffix('`'));
            let (file, test) = name.and_then(|name| name.split_once("::")).unwrap_or_else(|| panic!("{proof}?"));
            let is_there = source(file).contains(&format!("#[test]\nfn {test}()"));
            assert!(is_there, "there is no test `{name:?}` for: {promise}");
            named += 1;
        }
        assert!(named > 0, "nothing proves: {promise}");
    }
}

#[test]
fn the_table_stands_in_the_guide_alone() {
    let section = ARCHITECTURE.split_once("\n## Guarantees\n").expect("a section on guarantees").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    assert!(section.contains("(zctor/src/guide/guarantees.md)") && rows(section).is_empty(), "{section}");
}
