use zctor::actor;

#[actor]
#[msg(name = calculator)]
enum CalculatorMessage {
    Clear,
}

fn main() {}
