use zctor::{Context, actor};

#[actor]
enum StoreMessage {
    #[reply(u64)]
    Load,
}

#[actor(ctx)]
enum ViewMessage {
    Refresh,
    Show(u64),
}

struct View {
    shown: u64,
}

impl ViewHandler for View {
    fn refresh(&mut self, ctx: &mut Context<ViewMessage>) {
        ctx.pipe(StoreMessage::load(), |reply| ViewMessage::Show(reply.unwrap_or(self.shown)));
    }
    fn show(&mut self, _: &mut Context<ViewMessage>, value: u64) {
        self.shown = value;
    }
}

fn main() {}
