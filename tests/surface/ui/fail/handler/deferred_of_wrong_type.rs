use zctor::{ReplyTo, actor};

#[actor]
enum StoreMessage {
    #[reply(u64, deferred)]
    Load,
}

struct Store;

impl StoreHandler for Store {
    fn load(&mut self, reply: ReplyTo<u32>) {
        reply.send(3);
    }
}

fn main() {}
