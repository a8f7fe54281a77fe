use zctor::actor;

#[actor]
enum ModeMessage {
    NonBlocking,
}

fn main() {}
