use zctor::actor;

#[actor]
enum CalculatorMessage {
    Add(#[key] f64),
}

fn main() {}
