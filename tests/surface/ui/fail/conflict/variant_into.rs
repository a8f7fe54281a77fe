use zctor::actor;

#[actor]
enum LayoutMessage {
    Into(u8),
}

fn main() {}
