use zctor::actor;

#[actor]
enum StoreMessage {
    #[reply(u64, deferred, deferred)]
    Load,
}

fn main() {}
