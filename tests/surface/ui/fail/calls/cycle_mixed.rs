use zctor::actor;

#[actor(calls(Pong<u8>))]
enum Ping {
    Get,
}

#[actor(calls(Ping))]
enum Pong<T> {
    Get(T),
}

fn main() {}
