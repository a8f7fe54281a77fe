use zctor::actor;

#[actor]
enum StoreMessage {
    #[reply(u64, deferred)]
    Load { id: u32 },
}

struct Store;

impl StoreHandler for Store {
    fn load(&mut self, _id: u32) {}
}

fn main() {}
