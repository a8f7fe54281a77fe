//! A field has a slice that is borrowed for ever.

use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum NoteMessage {
    Write { lines: Option<&'static [u8]> },
}

fn main() {}
