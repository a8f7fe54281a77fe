use serde::{Deserialize, Serialize};
use zctor::actor;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    #[msg(durable)]
    Run(u64),
}

fn main() {}
