use zctor::actor;

#[actor]
enum NameMessage {
    #[reply(str)]
    Get,
}

fn main() {}
