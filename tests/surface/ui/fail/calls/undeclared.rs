use zctor::{Context, actor};

#[actor]
enum DatabaseMessage {
    #[reply(u64)]
    Count,
}

#[actor(ctx)]
enum WebMessage {
    #[reply(u64)]
    Get,
}

struct Web;

impl WebHandler for Web {
    fn get(&mut self, ctx: &mut Context<WebMessage>) -> u64 {
        ctx.call(DatabaseMessage::count()).unwrap_or_default()
    }
}

fn main() {}
