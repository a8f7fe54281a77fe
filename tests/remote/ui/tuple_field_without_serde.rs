use serde::{Deserialize, Serialize};
use zctor::actor;

pub struct Local;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    Run(Vec<Local>),
    #[cfg(all())]
    Stop,
}

fn main() {}
