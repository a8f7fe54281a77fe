use zctor::actor;

#[actor(remote)]
pub enum JobMessage {
    Run(u64),
}

fn main() {}
