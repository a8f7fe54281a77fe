use zctor::{ActorEngine, CallError, actor};

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

fn sum(engine: &ActorEngine) -> Result<i64, CallError> {
    engine.call(CalculatorMessage::Add { a: 1, b: 2 })
}

fn main() {}
