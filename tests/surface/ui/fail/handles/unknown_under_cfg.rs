use zctor::actor;

#[actor(handles(ReaderClient = [Get, Liszt]))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    #[cfg(any())]
    List,
    Put(u8),
}

fn get(reader: &ReaderClient) {
    let _ = reader.get();
}

fn main() {}
