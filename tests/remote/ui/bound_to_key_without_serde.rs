use serde::{Deserialize, Serialize};

#[zctor::actor(remote)]
#[derive(Serialize, Deserialize)]
enum WorkMessage {
    Run,
}

#[derive(Hash)]
struct Customer(u64);

fn bind(work: &WorkClient) {
    work.keyed(&Customer(7)).run().unwrap_or_default();
}

fn main() {}
