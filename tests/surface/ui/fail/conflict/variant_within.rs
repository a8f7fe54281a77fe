use zctor::actor;

#[actor]
enum CalculatorMessage {
    Within,
}

fn main() {}
