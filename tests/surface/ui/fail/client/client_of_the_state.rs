use zctor::{ActorEngine, CallError, actor};

#[actor]
enum CalculatorMessage {
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn clear(&mut self) {}
}

fn client(engine: &ActorEngine) -> Result<(), CallError> {
    engine.client::<Calculator>().map(drop)
}

fn main() {}
