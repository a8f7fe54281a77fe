use zctor::actor;

#[actor(calls(WebMessage))]
enum WebMessage {
    #[reply(u16)]
    Get,
}

fn main() {}
