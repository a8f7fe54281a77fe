//! A reply borrows for ever.

use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum NoteMessage {
    #[reply(Result<u64, &'static str>)]
    Read,
}

fn main() {}
