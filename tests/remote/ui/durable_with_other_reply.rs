use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    #[msg(durable)]
    #[reply(Result<u64, String>)]
    Run(u64),
}

fn main() {}
