use zctor::actor;

#[actor]
enum CalculatorMessage {
    Push(#[reply(i64)] i64),
}

fn main() {}
