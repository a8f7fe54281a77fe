use zctor::actor;

struct Calculator;

#[actor]
impl Calculator {
    fn add(&mut self) {}
}

fn main() {}
