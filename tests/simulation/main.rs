//! Simulations find what they are for, and zctor keeps its promises in them.
//!
//! `ZCTOR_SEEDS=100000` makes a long search of each.

use std::error::Error;
use std::process::Command;

mod awaits;
mod bounds;
mod carried;
mod dead_letters;
mod deadlocks;
#[cfg(feature = "testing")]
mod doubles;
mod ends;
mod faults;
mod figures;
mod found;
mod golden;
mod kit;
mod order;
mod planted;
mod quiet;
mod refilled;
mod refused;
#[cfg(feature = "remote")]
mod remote;
mod reports;
mod reproducible;
mod restarts;
mod room;
mod searches;
mod shutdowns;
mod tasks;
mod time;
#[path = "../worlds/topology/mod.rs"]
#[expect(dead_code, reason = "what the worlds on the machine's own threads need besides")]
mod topology;
mod turns;
mod worlds;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A test that is ignored, in a process of its own.
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test runs"));
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for variable in ["ZCTOR_SEED", "ZCTOR_SEEDS", "ZCTOR_JOBS", "ZCTOR_TRACE"] {
        command.env_remove(variable);
    }
    command
}
