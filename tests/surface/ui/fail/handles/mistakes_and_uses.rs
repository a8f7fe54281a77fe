use zctor::actor;

#[actor(handles(ReaderClient = [Get, Liszt], WriterClient = [Put]))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn uses(store: &StoreClient) {
    let _ = (ReaderClient::from(store).get(), WriterClient::from(store).put(3));
}

fn main() {}
