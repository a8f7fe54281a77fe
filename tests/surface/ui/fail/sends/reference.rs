use zctor::actor;

#[actor(sends(&StoreMessage))]
enum CalculatorMessage {
    Add(u64),
}

fn main() {}
