use zctor::actor;

#[actor]
enum CacheMessage<K> {
    Get(#[key] K),
}

fn main() {}
