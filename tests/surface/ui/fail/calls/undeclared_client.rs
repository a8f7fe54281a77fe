use zctor::{Context, CallError, actor};

#[actor]
enum StoreMessage {
    #[reply(u64)]
    Count,
}

#[actor(ctx)]
enum WebMessage {
    Get,
}

fn get(ctx: &Context<WebMessage>) -> Result<u64, CallError> {
    ctx.client::<StoreMessage>()?.count()
}

fn main() {}
