use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply("Vec<i64>")]
    Sum,
}

fn main() {}
