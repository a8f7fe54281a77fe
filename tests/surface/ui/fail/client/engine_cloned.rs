use zctor::ActorEngine;

fn two(engine: ActorEngine) -> (ActorEngine, ActorEngine) {
    (engine.clone(), engine)
}

fn main() {}
