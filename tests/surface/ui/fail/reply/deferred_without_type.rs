use zctor::actor;

#[actor]
enum StoreMessage {
    #[reply(deferred)]
    Load,
}

fn main() {}
