//! A definition is in the binary of a program that uses it, and in no other.

use std::fs;

use zctor::map::Map;
use zctor::{Message, actor};

struct ReplyThatAMapShows;
struct ReplyThatNoMapShows;

#[actor]
enum ShownMessage {
    #[reply(Box<Option<ReplyThatAMapShows>>)]
    Ask,
}

#[actor]
enum UnshownMessage {
    #[reply(Box<Option<ReplyThatNoMapShows>>)]
    Ask,
}

/// Runs both, so that all else that the macro writes is in this binary.
macro_rules! run {
    ($message:ident, $handler:ident, $reply:ident) => {{
        struct State;
        impl $handler for State {
            fn ask(&mut self) -> Box<Option<$reply>> {
                Box::new(Some($reply))
            }
        }
        let engine = zctor::ActorEngine::new();
        engine.pool(1, $message::actor(|| State)).expect("it starts");
        assert!(engine.call($message::ask()).expect("it is answered").is_some());
    }};
}

#[test]
fn a_definition_that_nothing_uses_is_not_in_the_binary() {
    run!(ShownMessage, ShownHandler, ReplyThatAMapShows);
    run!(UnshownMessage, UnshownHandler, ReplyThatNoMapShows);
    assert!(Map::of([ShownMessage::DEFINITION]).mermaid().contains("ReplyThatAMapShows"));

    let binary = fs::read(std::env::current_exe().expect("this binary has a path")).expect("it can be read");
    // Put together here, so that the text itself is not in the binary for another reason. Names in debug information
    // have the path of a type before its name.
    let contains = |reply: &str| {
        let text = ["Box<Option", reply].join("<");
        binary.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(contains("ReplyThatAMapShows"));
    assert!(!contains("ReplyThatNoMapShows"));
}
