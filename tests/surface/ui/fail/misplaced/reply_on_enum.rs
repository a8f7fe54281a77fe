use zctor::actor;

#[actor]
#[reply(i64)]
enum CalculatorMessage {
    Clear,
}

fn main() {}
