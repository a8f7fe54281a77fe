//! The guide and the README show the figures of the committed run, and what that run missed has its reason.

const HEADLINE: &str = include_str!("../../benchmarks/results/headline.md");
const RESULTS: &str = include_str!("../../benchmarks/results/results.md");
const REASONS: &str = include_str!("../../benchmarks/reasons.md");
const GUIDE: &str = include_str!("../../zctor/src/guide/performance_figures.md");
const GUIDE_PAGES: &str = include_str!("../../zctor/src/guide/mod.rs");
const README: &str = include_str!("../../README.md");

const WAY_OUT: &str = "in benchmarks, `cargo run --release -- --publish` copies what is committed in results";

/// What a run says of itself, and its table, without heading and chart.
fn table() -> &'static str {
    let body = HEADLINE.split_once("\n\n").expect("a heading").1;
    let table = body.split_once("\n<div>").expect("a chart").0;
    assert!(table.lines().filter(|line| line.starts_with("| ")).count() > 10, "the table was not found");
    table
}

#[test]
fn the_guide_shows_the_committed_figures() {
    assert_eq!(GUIDE, HEADLINE, "{WAY_OUT}");
    assert!(GUIDE_PAGES.contains("include_str!(\"performance_figures.md\")"));
}

#[test]
fn the_readme_shows_the_committed_figures() {
    assert!(README.contains(table()), "{WAY_OUT}");
}

#[test]
fn each_figure_of_the_table_is_one_of_the_results() {
    for row in table().lines().filter(|line| line.starts_with("| ")).skip(2) {
        let figures = row.split('|').skip(2).map(|cell| cell.trim().trim_matches('*'));
        for figure in figures.filter(|figure| !figure.is_empty()) {
            assert!(RESULTS.contains(&format!(" {figure} ")), "{figure} is not in the results: {row}");
        }
    }
}

#[test]
fn each_promise_that_was_missed_has_its_reason() {
    let missed: Vec<&str> = RESULTS
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" | **missed** |")?.split(" | ").next())
        .collect();
    assert!(RESULTS.contains("## What they must show"), "the table was not found");
    for promise in missed {
        let stands = REASONS.lines().any(|line| line.strip_prefix("- ") == Some(promise));
        assert!(stands, "missed, and benchmarks/reasons.md does not say why: {promise}");
    }
}
