use serde::{Deserialize, Serialize};

#[zctor::actor(remote)]
#[derive(Serialize, Deserialize)]
enum AccountMessage {
    Deposit {
        #[key]
        owner: String,
    },
}

fn bind(account: &AccountClient) {
    account.keyed(&7_u64).deposit(String::new()).unwrap_or_default();
}

fn main() {}
