use std::rc::Rc;
use zctor::actor;

#[actor]
enum LogMessage {
    #[reply(Rc<u8>)]
    Level,
}

fn main() {}
