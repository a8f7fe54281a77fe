use zctor::ActorEngine;

async fn stop(engine: ActorEngine) -> bool {
    engine.shutdown().await.is_ok()
}

fn main() {}
