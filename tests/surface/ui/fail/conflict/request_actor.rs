use zctor::actor;

#[actor]
enum CastMessage {
    #[reply(String)]
    Actor(u8),
}

fn main() {}
