use zctor::{Context, actor};

#[actor(ctx)]
enum StoreMessage {
    Save,
}

struct Store;

/// As those of rayon.
fn in_parallel(work: impl Fn(u8) + Send + Sync) {
    work(1);
}

impl StoreHandler for Store {
    fn save(&mut self, ctx: &mut Context<StoreMessage>) {
        in_parallel(|_| drop(ctx.instance_id()));
    }
}

fn main() {}
