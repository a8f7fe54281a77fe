use zctor::actor;

#[actor]
enum CalculatorMessage {
    Clone,
}

fn main() {}
