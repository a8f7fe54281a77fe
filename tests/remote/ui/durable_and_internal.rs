use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    #[msg(durable, internal)]
    #[reply(())]
    Run(u64),
}

fn main() {}
