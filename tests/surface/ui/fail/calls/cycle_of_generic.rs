use zctor::actor;

#[actor(calls(Pong<T>))]
enum Ping<T> {
    #[reply(u16)]
    Get(T),
}

#[actor(calls(Ping<T>))]
enum Pong<T> {
    #[reply(u16)]
    Get(T),
}

fn main() {}
