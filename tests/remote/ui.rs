//! The compiler's errors for an enum that cannot travel, word for word: one mistake, one error.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The compiler that the texts were written with; others word their errors otherwise.
const WRITTEN_WITH: &str = "rustc 1.95.";

#[test]
fn an_enum_that_cannot_travel_draws_the_recorded_error() {
    let version = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    let version = String::from_utf8_lossy(&version.expect("there is a compiler").stdout).into_owned();
    if !version.starts_with(WRITTEN_WITH) {
        eprintln!("skipped: the texts were written with {WRITTEN_WITH}x, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("remote/ui/*.rs");
}

#[test]
fn one_mistake_is_one_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("remote/ui");
    let paths = fs::read_dir(&folder).expect("the folder of the cases").map(|entry| entry.expect("an entry").path());
    let cases: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    for path in cases.into_iter().map(|case| case.with_extension("stderr")) {
        let text = fs::read_to_string(&path).expect("each case has a text");
        let errors = text.lines().filter(|line| line.starts_with("error")).count();
        assert_eq!(errors, 1, "{}", path.display());
    }
}
