use zctor::{CallError, actor};

#[actor]
enum StoreMessage {
    #[reply(u64)]
    Load { id: u32 },
}

async fn load(store: StoreClient) -> Result<u64, CallError> {
    store.load(7).await
}

fn main() {
    let _ = load;
}
