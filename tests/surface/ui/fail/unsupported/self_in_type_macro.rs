use zctor::actor;

macro_rules! list {
    ($t:ty) => { Vec<$t> };
}

#[actor]
enum TreeMessage {
    Leaf,
    Grow(list!(Self)),
}

fn main() {}
