use zctor::actor;

#[actor]
enum CalculatorMessage {
    Push {
        #[msg(name = number)]
        value: i64,
    },
}

fn main() {}
