use zctor::actor;

#[actor]
enum AuthMessage {
    #[reply(bool)]
    Check,
}

#[actor(calls(AuthMessage, AuthMessage))]
enum WebMessage {
    Get,
}

fn main() {}
