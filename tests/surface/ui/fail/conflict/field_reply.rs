use zctor::{ReplyTo, actor};

#[actor]
enum StoreMessage {
    #[reply(u64, deferred)]
    Load { id: u64, reply: bool },
}

struct Store;

impl StoreHandler for Store {
    fn load(&mut self, id: u64, _: bool, reply: ReplyTo<u64>) {
        reply.send(id);
    }
}

fn main() {}
