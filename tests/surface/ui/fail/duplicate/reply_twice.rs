use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(i64)]
    #[reply(u64)]
    Add(i64),
}

fn main() {}
