//! A field borrows for ever, and serde cannot read such a one.

use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum NoteMessage {
    Write { text: &'static str, lines: Option<&'static [u8]> },
    #[reply(Result<u64, &'static str>)]
    Read,
    #[msg(internal)]
    Tick(&'static str),
}

fn main() {}
