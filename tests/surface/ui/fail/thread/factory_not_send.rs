use std::rc::Rc;
use zctor::{ActorThread, actor};

#[actor]
enum LogMessage {
    Line(String),
}

struct Log(Rc<String>);

impl LogHandler for Log {
    fn line(&mut self, value: String) {
        drop(value);
    }
}

fn thread() -> ActorThread {
    let name = Rc::new(String::new());
    ActorThread::new().register(LogMessage::actor(move || Log(name.clone())))
}

fn main() {}
