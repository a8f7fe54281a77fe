//! One program a pattern; see the files beside this crate.
