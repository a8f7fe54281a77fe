use zctor::{ActorEngine, CallError, actor};

#[actor]
enum CacheMessage<K, V> {
    #[reply(bool)]
    Has(K),
    Put(K, V),
}

fn has(engine: &ActorEngine) -> Result<bool, CallError> {
    engine.call(CacheMessage::has(3_u8))
}

fn main() {}
