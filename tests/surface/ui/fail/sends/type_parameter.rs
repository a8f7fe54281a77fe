use zctor::actor;

#[actor(sends(T))]
enum WebMessage<T> {
    Get(T),
}

fn main() {}
