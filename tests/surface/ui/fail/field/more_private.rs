#![deny(private_interfaces)]

use zctor::actor;

struct Secret;

#[actor]
pub enum VaultMessage {
    #[reply(Secret)]
    Take(u8),
    #[reply(())]
    Put { secret: Secret },
}

fn main() {}
