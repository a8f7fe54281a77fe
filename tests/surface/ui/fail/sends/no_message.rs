use zctor::actor;

#[actor(sends(String))]
enum CalculatorMessage {
    Add(u64),
}

fn main() {}
