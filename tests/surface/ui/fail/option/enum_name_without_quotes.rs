use zctor::actor;

#[actor(name = calculator)]
enum CalculatorMessage {
    Clear,
}

fn main() {}
