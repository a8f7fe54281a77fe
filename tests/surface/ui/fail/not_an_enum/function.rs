use zctor::actor;

#[actor]
fn add() {}

fn main() {}
