use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[reply(_)]
    Sum,
}

fn main() {}
