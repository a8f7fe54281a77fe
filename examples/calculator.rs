//! Typed calls, sends and broadcasts: the main parts of the library in one program.
//!
//! A message type is an enum; `#[actor]` generates its handler trait, its client and its requests. Look at the replies:
//! they are plain typed values. The handler's own error (`DivideByZero`) is part of the reply, and the error of the
//! call (`CallError`) is around it.
//!
//! ```text
//! cargo run --example calculator
//! ```

use std::time::Duration;

use zctor::{ActorEngine, ActorThread, actor};

/// The error with which `divide` replies instead of panicking.
#[derive(Debug, PartialEq)]
struct DivideByZero;

#[actor]
#[derive(Clone)]
enum CalculatorMessage {
    /// Adds two numbers.
    #[reply(i64)]
    Add { a: i64, b: i64 },
    /// Divides the first number by the second.
    #[reply(Result<i64, DivideByZero>)]
    Divide(i64, i64),
    /// Gives the number of sums that this instance remembers.
    #[reply(usize)]
    Remembered,
    /// Forgets the sums.
    Clear,
}

/// The state of one instance; it is built on its thread and never leaves it.
#[derive(Default)]
struct Calculator {
    history: Vec<i64>,
}

impl CalculatorHandler for Calculator {
    fn add(&mut self, a: i64, b: i64) -> i64 {
        self.history.push(a + b);
        a + b
    }

    fn divide(&mut self, a: i64, b: i64) -> Result<i64, DivideByZero> {
        a.checked_div(b).ok_or(DivideByZero)
    }

    fn remembered(&mut self) -> usize {
        self.history.len()
    }

    fn clear(&mut self) {
        self.history.clear();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = ActorEngine::new();
    for _ in 0..5 {
        engine.spawn(ActorThread::new().register(CalculatorMessage::actor(Calculator::default)))?;
    }
    println!("{}", engine.registry());
    let calculator: CalculatorClient = engine.client::<CalculatorMessage>()?;

    // A call waits for its typed reply. It goes through the client, or as a request through the engine.
    let sum = calculator.add(10, 5)?;
    println!("10 + 5 = {sum}");
    assert_eq!(sum, 15);
    assert_eq!(engine.call(CalculatorMessage::add(10, 5))?, 15);

    // Two errors in two places: `?` takes the error of the call, the handler's error is part of the reply.
    let refused = calculator.divide(1, 0)?;
    println!("1 / 0 = {refused:?}");
    assert_eq!(refused, Err(DivideByZero));

    // A call with a deadline, and a call whose reply is taken later.
    assert_eq!(calculator.within(Duration::from_secs(1)).add(2, 2)?, 4);
    let later = calculator.non_blocking().add(2, 3);
    assert_eq!(later.wait()?, 5);

    // A variant without a reply is sent. A send goes to one instance, the next in turn; a broadcast goes to all five.
    calculator.clear()?;
    engine.send(CalculatorMessage::Clear)?;
    let reached = engine.broadcast(CalculatorMessage::Clear)?;
    println!("cleared {reached} histories");
    assert_eq!(reached, 5);
    for (instance, remembered) in engine.call_all(CalculatorMessage::remembered())? {
        assert_eq!(remembered?, 0, "instance {instance} was cleared");
    }

    println!("{}", engine.shutdown()?);
    Ok(())
}
