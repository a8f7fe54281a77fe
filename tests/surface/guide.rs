//! The guide's pages lead to the examples, and what a doc test cannot run is taken from them word for word.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The name and the text of each page. What the programs in `benchmarks` write is a part of the page `performance`.
fn pages() -> Vec<(String, String)> {
    let folder = workspace().join("zctor/src/guide");
    let entries = fs::read_dir(folder).expect("the guide has a folder").map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.file_stem().expect("it has a name").to_string_lossy().into_owned(), read(&path)))
        .filter(|(name, _)| !["performance_counts", "performance_figures"].contains(&name.as_str()))
        .collect();
    pages.sort_unstable();
    assert!(pages.len() > 30, "the pages were not found");
    pages
}

/// The paths in `examples/` that a page names.
fn named_examples(page: &str) -> Vec<&str> {
    page.split("`examples/").skip(1).filter_map(|rest| rest.split('`').next()).collect()
}

#[test]
fn each_page_that_names_an_api_names_an_example_of_it() {
    for (name, page) in pages() {
        let names_an_api = page.contains("](crate::") || page.contains("use zctor::");
        let examples = named_examples(&page);
        assert!(!names_an_api || !examples.is_empty(), "{name}.md names no example: end it with `Examples: ..`");
        for example in examples {
            let path = workspace().join("examples").join(example);
            assert!(path.exists() || path.with_extension("rs").exists(), "{name}.md: no examples/{example}");
        }
    }
}

#[test]
fn the_list_of_the_guide_has_every_page_once() {
    let root = read(&workspace().join("zctor/src/guide/mod.rs"));
    let listed: Vec<&str> = root
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`] | "))
        .map(|(name, _)| name)
        .collect();
    let modules: BTreeSet<&str> =
        root.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(" {")).collect();
    let pages: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed.len(), modules.len(), "a page is listed twice, or not at all");
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), modules);
    assert_eq!(modules, pages.iter().map(String::as_str).collect());
}

/// The blocks of a page that doc tests pass over, each without its fences.
fn ignored_blocks(page: &str) -> Vec<&str> {
    page.split("\n```rust,ignore\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn what_doc_tests_pass_over_is_word_for_word_in_an_example() {
    let mut parts = 0;
    for (name, page) in pages() {
        for fence in page.lines().filter_map(|line| line.strip_prefix("```")) {
            let known = ["", "text", "sh", "rust,ignore"].contains(&fence) || fence.starts_with("compile_fail,E");
            assert!(known, "{name}.md: ```{fence} is not run");
        }
        for block in ignored_blocks(&page) {
            let path = block.lines().next().and_then(|line| line.strip_prefix("// ")).unwrap_or_default();
            assert!(path.starts_with("examples/"), "{name}.md: the first line of a block names its file, as a comment");
            let source = read(&workspace().join(path));
            let code = block.split_once('\n').map(|(_, code)| code).unwrap_or_default();
            for part in code.split("\n// ..\n") {
                assert!(source.contains(part), "{name}.md: not in {path}:\n{part}");
                parts += 1;
            }
        }
    }
    assert!(parts > 5, "the blocks were not found");
}
