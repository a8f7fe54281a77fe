use zctor::{Context, actor};

#[actor(ctx)]
enum StoreMessage {
    Save,
}

struct Store;

impl StoreHandler for Store {
    fn save(&mut self, ctx: &mut Context<StoreMessage>) {
        std::thread::scope(|scope| {
            scope.spawn(move || ctx.stop());
        });
    }
}

fn main() {}
