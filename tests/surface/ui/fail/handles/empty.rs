use zctor::actor;

#[actor(handles())]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn main() {}
