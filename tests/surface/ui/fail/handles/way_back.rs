use zctor::actor;

#[actor(handles(ReaderClient = [Get, List]))]
enum StoreMessage {
    #[reply(u8)]
    Get,
    List,
    Put(u8),
}

fn whole(reader: ReaderClient) -> StoreClient {
    reader.into()
}

fn main() {}
