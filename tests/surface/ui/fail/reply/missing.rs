use zctor::actor;

#[actor]
enum CacheMessage<K> {
    #[reply(Vallue)]
    Get(K),
}

fn main() {}
