use zctor::{ActorEngine, CallError, actor};

#[actor]
enum CalculatorMessage {
    Clear,
}

fn client(engine: &ActorEngine) -> Result<CalculatorClient, CallError> {
    engine.client()
}

fn main() {}
