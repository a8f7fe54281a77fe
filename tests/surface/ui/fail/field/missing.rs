use zctor::actor;

#[actor(ctx)]
enum CacheMessage<K: Clone, const N: usize> {
    #[reply([u8; N])]
    Get(K, Keey),
}

fn main() {}
