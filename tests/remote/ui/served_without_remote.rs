use zctor::remote::Loopback;
use zctor::{ActorEngine, actor};

#[actor]
pub enum JobMessage {
    Run,
}

fn main() {
    let (end, engine) = (Loopback::pair().0, ActorEngine::new());
    let _ = end.serve::<JobMessage>(&engine);
}
