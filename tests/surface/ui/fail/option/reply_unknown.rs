use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64, lazily)]
    Sum,
}

fn main() {}
