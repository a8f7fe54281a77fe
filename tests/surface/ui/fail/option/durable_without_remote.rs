use zctor::actor;

#[actor]
pub enum JobMessage {
    #[msg(durable)]
    #[reply(())]
    Run(u64),
}

fn main() {}
