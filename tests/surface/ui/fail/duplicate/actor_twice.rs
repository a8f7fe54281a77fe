use zctor::actor;

#[actor]
#[actor]
enum CalculatorMessage {
    Clear,
}

fn main() {}
