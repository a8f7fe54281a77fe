use zctor::actor;

#[actor]
struct Calculator {
    history: Vec<i64>,
}

fn main() {}
