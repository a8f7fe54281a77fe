use zctor::actor;

#[actor(name = "calculator", name = "adder")]
enum CalculatorMessage {
    Clear,
}

fn main() {}
