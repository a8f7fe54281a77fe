use zctor::actor;

#[actor]
enum CacheMessage<K, V> {
    #[reply(Option<V>)]
    Get(K),
}

fn main() {}
