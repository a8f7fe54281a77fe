use serde::{Deserialize, Serialize};
use zctor::actor;

pub struct Local;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    #[reply(Option<Local>)]
    Run,
}

fn main() {}
