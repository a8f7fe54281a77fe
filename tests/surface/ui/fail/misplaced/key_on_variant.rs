use zctor::actor;

#[actor]
enum AccountMessage {
    #[key]
    Deposit { account: u64, amount: u64 },
}

fn main() {}
