use zctor::actor;

#[actor]
enum LayoutMessage {
    TryInto(u8),
}

fn main() {}
