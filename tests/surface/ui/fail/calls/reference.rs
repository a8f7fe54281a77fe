use zctor::actor;

#[actor(calls(&StoreMessage))]
enum CalculatorMessage {
    Add(u64),
}

fn main() {}
