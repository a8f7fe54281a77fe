use zctor::{NonBlocking, SendError, actor};

#[actor]
enum StoreMessage {
    Forget { id: u32 },
}

async fn forget(store: StoreClient<NonBlocking>) -> Result<(), SendError<StoreMessage>> {
    store.forget(7).await
}

fn main() {
    let _ = forget;
}
