use zctor::actor;

#[actor(calls(String))]
enum CalculatorMessage {
    Add(u64),
}

fn main() {}
