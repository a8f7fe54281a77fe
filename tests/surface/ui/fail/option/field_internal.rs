use zctor::actor;

#[actor]
enum CalculatorMessage {
    Push(#[msg(internal)] i64),
}

fn main() {}
