use zctor::actor;

#[actor]
#[allow(non_camel_case_types)]
enum CastMessage {
    #[reply(String)]
    role(u8),
}

fn main() {}
