use zctor::actor;

#[actor(handles(ReaderClient = [Get], ReaderClient = [List]))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn main() {}
