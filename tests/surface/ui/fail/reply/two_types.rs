use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64, String)]
    Sum,
}

fn main() {}
