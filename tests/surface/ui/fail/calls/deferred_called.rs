use zctor::{Context, actor};

#[actor]
enum StoreMessage {
    #[reply(u64, deferred)]
    Load,
}

#[actor(calls(StoreMessage))]
enum WebMessage {
    Get,
}

struct Web;

impl WebHandler for Web {
    fn get(&mut self, ctx: &mut Context<WebMessage>) {
        let _ = ctx.call(StoreMessage::load());
    }
}

fn main() {}
