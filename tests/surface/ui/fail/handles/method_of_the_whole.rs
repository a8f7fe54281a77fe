use zctor::actor;

#[actor(handles(ReaderClient = [Get, List]))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn put(reader: &ReaderClient) {
    let _ = reader.put(3);
}

fn main() {}
