use zctor::actor;

#[actor]
enum StoreMessage {
    #[reply(u64, deferred)]
    Load(#[msg(name = reply)] u64),
}

fn main() {}
