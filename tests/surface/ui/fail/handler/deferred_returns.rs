use zctor::actor;

#[actor]
enum StoreMessage {
    #[reply(u64, deferred)]
    Load,
}

struct Store;

impl StoreHandler for Store {
    fn load(&mut self) -> u64 {
        3
    }
}

fn main() {}
