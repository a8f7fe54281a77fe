use zctor::actor;

#[actor(calls(Pong<Option<T>>))]
enum Ping<T> {
    Get(T),
}

#[actor(calls(Ping<T>))]
enum Pong<T> {
    Get(T),
}

fn main() {}
