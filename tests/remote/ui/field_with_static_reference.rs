//! A field borrows for ever, and serde cannot read such a one. A variant that never travels may have it.

use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum NoteMessage {
    Write { text: &'static str },
    #[msg(internal)]
    Tick(&'static str),
}

fn main() {}
