use zctor::{ActorThread, actor};

#[actor]
enum CalculatorMessage {
    Clear,
}

struct Calculator;

fn thread() -> ActorThread {
    ActorThread::new().register(CalculatorMessage::actor(|| Calculator))
}

fn main() {}
