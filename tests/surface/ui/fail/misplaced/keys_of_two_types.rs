use zctor::actor;

#[actor]
enum AccountMessage {
    Deposit(#[key] u64),
    Close(#[key] String),
}

fn main() {}
