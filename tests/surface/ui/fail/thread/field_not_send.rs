use std::rc::Rc;
use zctor::actor;

#[actor]
enum LogMessage {
    Line { text: Rc<String> },
}

fn main() {}
