use serde::{Deserialize, Serialize};
use zctor::actor;
use zctor::remote::DurableMessage;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
pub enum JobMessage {
    #[reply(())]
    Run(u64),
}

fn keeps<M: DurableMessage>() {}

fn main() {
    keeps::<JobMessage>();
}
