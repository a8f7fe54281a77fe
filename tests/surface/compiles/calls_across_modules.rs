//! Declared calls by path, of generic and plain enums, in a diamond.
#![deny(warnings)]
#![allow(unused_qualifications, reason = "paths of every form are the point")]

use zctor::{Context, Message};

mod store {
    #[zctor::actor]
    pub(super) enum StoreMessage<T: Clone> {
        #[reply(Option<T>)]
        Load(u8),
        Save(T),
    }
    #[zctor::actor(ctx)]
    pub(super) enum LogMessage {
        Line(String),
    }
}

#[zctor::actor(calls(store::StoreMessage<u8>, self::store::LogMessage))]
enum LeftMessage {
    #[reply(u8)]
    Get,
}

#[zctor::actor(calls(store::LogMessage, crate::compiles::calls_across_modules::store::StoreMessage<T>))]
enum RightMessage<T: Clone> {
    #[reply(T)]
    Get(T),
}

#[zctor::actor(calls(LeftMessage, RightMessage<String>))]
enum TopMessage {
    #[reply(u8)]
    Get,
}

struct Top;

impl TopHandler for Top {
    fn get(&mut self, ctx: &mut Context<TopMessage>) -> u8 {
        let _ = ctx.call(RightMessage::get(String::new()));
        ctx.call(LeftMessage::get()).unwrap_or_default()
    }
}

#[test]
fn declared_calls_are_found_by_any_path() {
    let _ = TopMessage::actor(|| Top);
    assert_eq!([store::LogMessage::CALL_DEPTH, LeftMessage::CALL_DEPTH, TopMessage::CALL_DEPTH], [0, 1, 2]);
    assert_eq!(RightMessage::<u8>::CALL_DEPTH, 1);
}
