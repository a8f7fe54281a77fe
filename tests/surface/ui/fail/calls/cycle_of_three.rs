use zctor::actor;

#[actor(calls(Second))]
enum First {
    #[reply(u16)]
    Get,
}

#[actor(calls(Third))]
enum Second {
    #[reply(u16)]
    Get,
}

#[actor(calls(First))]
enum Third {
    #[reply(u16)]
    Get,
}

fn main() {}
