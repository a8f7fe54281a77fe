use std::rc::Rc;
use zctor::{ActorThread, actor};

#[actor]
enum LogMessage {
    Line(Rc<str>),
}

struct Log;

impl LogHandler for Log {
    fn line(&mut self, _: Rc<str>) {}
}

fn main() {
    let _ = ActorThread::new().register(LogMessage::actor(|| Log));
}
