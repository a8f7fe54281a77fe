use zctor::{ActorEngine, ActorThread, CallError, actor};

#[actor(nmae = "calculator")]
#[derive(Debug, Clone)]
enum CalculatorMessage {
    #[reply(i64)]
    Add { a: i64, b: i64 },
    Clear,
}

struct Calculator;

impl CalculatorHandler for Calculator {
    fn add(&mut self, a: i64, b: i64) -> i64 {
        a + b
    }
    fn clear(&mut self) {}
}

fn sum(engine: &ActorEngine) -> Result<i64, CallError> {
    let _ = engine.spawn(ActorThread::new().register(CalculatorMessage::actor(|| Calculator)));
    let client: CalculatorClient = engine.client::<CalculatorMessage>()?;
    let _ = client.clear();
    engine.call(CalculatorMessage::add(1, 2))?;
    client.add(1, 2)
}

fn main() {}
