use zctor::actor;

#[actor]
enum CacheMessage<K, V> {
    Drop(K),
}

fn main() {}
