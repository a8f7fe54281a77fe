use zctor::actor;

#[actor(calls(T))]
enum WebMessage<T> {
    Get(T),
}

fn main() {}
