use zctor::actor;

#[actor]
enum StoreMessage {
    #[reply(u64, defered)]
    Load,
}

fn main() {}
