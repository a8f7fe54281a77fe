use zctor::actor;

#[actor(calls(Pong))]
enum Ping {
    #[reply(u16)]
    Get,
}

#[actor(calls(Ping))]
enum Pong {
    #[reply(u16)]
    Get,
}

fn main() {}
