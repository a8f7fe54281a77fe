use serde::{Deserialize, Serialize};
use zctor::actor;

pub struct Local;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    Run { number: u64, with: Local },
    #[msg(internal)]
    Tick(Local),
}

fn main() {}
