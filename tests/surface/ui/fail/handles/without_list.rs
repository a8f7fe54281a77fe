use zctor::actor;

#[actor(handles(ReaderClient))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn main() {}
