use zctor::{ActorEngine, actor};

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

fn clear(engine: &ActorEngine) -> usize {
    engine.broadcast(CalculatorMessage::Clear).unwrap_or_default()
}

fn main() {}
