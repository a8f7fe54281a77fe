use zctor::ActorEngine;

#[derive(Clone)]
struct App {
    engine: ActorEngine,
}

fn main() {}
