use zctor::actor;

#[actor(handles(ReaderClient = [Get, List, Get]))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn main() {}
