//! The `#[actor]` attribute of zctor; its documentation is on the re-export there.
