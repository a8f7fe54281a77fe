use zctor::actor;

#[actor]
enum CalculatorMessage {
    #[msg(nam = wipe)]
    Clear,
}

fn main() {}
