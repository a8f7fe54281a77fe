use zctor::actor;

#[actor]
enum CalculatorMessage {
    Add(#[key(hash)] u64),
}

fn main() {}
