use zctor::actor;

#[actor]
enum AccountMessage {
    Move {
        #[key]
        from: u64,
        #[key]
        to: u64,
    },
}

fn main() {}
