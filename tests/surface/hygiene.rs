//! The expansion needs nothing from the place it stands in, and gives nothing away to it.
#![allow(dead_code, reason = "most of these only have to compile")]
#![deny(unused_qualifications, unreachable_patterns, unused_variables, unused_mut)]

use zctor::{ActorEngine, ActorThread, Message, actor};

/// No name of the prelude or of the standard library's crates is what it seems.
#[no_implicit_prelude]
#[allow(non_camel_case_types, reason = "they hide the primitive types")]
mod shadowed {
    struct Option;
    struct Result;
    struct String;
    struct Vec;
    struct Box;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct u16;
    struct u64;
    struct bool;
    struct str;
    trait Send {}
    trait Sync {}
    trait Sized {}
    trait Clone {}
    trait Drop {}
    trait Fn {}
    trait FnOnce {}
    trait From {}
    trait Into {}
    trait Message {}
    trait Dispatch {}
    mod core {}
    mod std {}
    mod alloc {}
    mod zctor {}

    #[::zctor::actor(calls(ChildMessage), handles(GetClient = [Get, Later]))]
    pub(crate) enum ParentMessage {
        #[reply(::core::option::Option<u8>)]
        Get {
            #[key]
            id: ::core::primitive::u64,
        },
        Put(::std::vec::Vec<Self>),
        #[reply(::core::option::Option<Self>, deferred)]
        Later(::core::primitive::u64),
        Stop,
    }

    #[::zctor::actor(ctx)]
    pub(crate) enum ChildMessage {
        #[reply(())]
        Wait,
        #[msg(internal)]
        Tick,
    }

    #[::zctor::actor]
    pub(crate) enum Generic<T: ::core::clone::Clone, const N: usize>
    where
        T: ::core::fmt::Debug,
    {
        #[reply([T; N])]
        All,
        One(T),
    }

    #[::zctor::actor]
    pub(crate) enum Conditional {
        #[cfg(not(any()))]
        Here,
        #[cfg(any())]
        Gone(Nowhere),
    }
}

/// Fields that have the names of the macro's own variables.
mod fields {
    #[zctor::actor(ctx)]
    pub(crate) enum NamesMessage {
        #[reply(u8)]
        All {
            ctx: u8,
            state: u8,
            port: u8,
            handler: u8,
            timeout: u8,
            result: u8,
            reply: u8,
            to: u8,
        },
        More {
            client: u8,
            view: u8,
            limit: u8,
            factory: u8,
            message: u8,
            key: u8,
            error: u8,
            this: u8,
        },
        Tuple(#[msg(name = ctx)] u8, #[msg(name = handler)] u8),
        #[reply(u8, deferred)]
        Later {
            ctx: u8,
            to: u8,
            port: u8,
        },
        Keyed {
            #[key]
            key: u8,
        },
    }

    struct Names;

    impl NamesHandler for Names {
        fn all(
            &mut self,
            context: &mut zctor::Context<NamesMessage>,
            ctx: u8,
            state: u8,
            port: u8,
            handler: u8,
            timeout: u8,
            result: u8,
            reply: u8,
            to: u8,
        ) -> u8 {
            let _ = context;
            ctx + state + port + handler + timeout + result + reply + to
        }

        fn more(
            &mut self,
            _: &mut zctor::Context<NamesMessage>,
            _: u8,
            _: u8,
            _: u8,
            _: u8,
            _: u8,
            _: u8,
            _: u8,
            _: u8,
        ) {
        }
        fn tuple(&mut self, _: &mut zctor::Context<NamesMessage>, _: u8, _: u8) {}
        fn later(
            &mut self,
            _: &mut zctor::Context<NamesMessage>,
            ctx: u8,
            to: u8,
            port: u8,
            reply: zctor::ReplyTo<u8>,
        ) {
            reply.send(ctx + to + port);
        }
        fn keyed(&mut self, _: &mut zctor::Context<NamesMessage>, _: u8) {}
    }
}

/// Every keyword as a variant, and as a field.
mod keywords {
    #[zctor::actor]
    pub(crate) enum KeywordMessage {
        #[reply(u8)]
        Abstract,
        As,
        Async,
        Await,
        Become,
        Box,
        Break,
        Const,
        Continue,
        Crate,
        Do,
        Dyn,
        Else,
        Enum,
        Extern,
        False,
        Final,
        Fn,
        For,
        #[reply(u8)]
        Gen,
        If,
        Impl,
        In,
        Let,
        Loop,
        Macro,
        Match,
        Mod,
        Move,
        Mut,
        Override,
        Priv,
        Pub,
        Ref,
        Return,
        Self_,
        Static,
        Struct,
        Super,
        Trait,
        True,
        Try,
        #[reply(u8)]
        Type,
        Typeof,
        Unsafe,
        Unsized,
        Use,
        Virtual,
        Where,
        While,
        #[reply(u8)]
        r#Yield,
        Union,
        Auto,
    }

    #[zctor::actor]
    pub(crate) enum RawMessage {
        #[reply(u8)]
        Take {
            r#type: u8,
            r#gen: u8,
            r#match: u8,
        },
        Pair(#[msg(name = r#fn)] u8, #[msg(name = r#move)] u8),
        #[msg(name = r#loop)]
        Around,
    }

    struct Raw;

    impl RawHandler for Raw {
        fn take(&mut self, r#type: u8, r#gen: u8, r#match: u8) -> u8 {
            r#type + r#gen + r#match
        }
        fn pair(&mut self, _: u8, _: u8) {}
        fn r#loop(&mut self) {}
    }

    fn uses(client: &KeywordClient) {
        let _ = client.r#abstract();
        let _ = client.r#gen();
        let _ = client.r#yield();
        let _ = client.super_();
        let _ = client.crate_();
        let _ = client.self_();
        let _ = KeywordMessage::r#type();
    }
}

/// A raw enum name, and one that is a stem by itself.
mod enum_names {
    #[zctor::actor]
    #[allow(non_camel_case_types)]
    pub(crate) enum r#match {
        One,
    }

    #[zctor::actor]
    pub(crate) enum Message {
        One,
    }

    #[zctor::actor(handler = DoesWork, client = Worker)]
    pub(crate) enum WorkMessage {
        #[reply(u8)]
        One,
    }

    #[zctor::actor]
    pub(crate) enum WorkMsg {
        #[reply(u8)]
        One,
    }

    fn uses(_: &MessageClient, _: &matchClient, _: &Worker, _: &WorkClient) {}

    struct State;
    impl MessageHandler for State {
        fn one(&mut self) {}
    }
    impl DoesWork for State {
        fn one(&mut self) -> u8 {
            1
        }
    }
    impl WorkHandler for State {
        fn one(&mut self) -> u8 {
            2
        }
    }

    impl State {
        /// Has the name of a handler's method, which is called by its path.
        fn one(&self, _: u8) {}
    }
}

/// Parameters that have the names of the macro's own.
mod parameters {
    #[zctor::actor(handles(V1Client = [First]))]
    pub(crate) enum LettersMessage<V, S, F, H, M, R, const N: usize> {
        #[reply((V, S, F))]
        First(V, S, F),
        Second(H, M, R, [u8; N]),
    }

    #[zctor::actor]
    pub(crate) enum V {
        One(u8),
    }

    #[zctor::actor]
    pub(crate) enum UnsizedMessage<T: ?Sized, U>
    where
        U: PartialEq<Self>,
        Self: Sized,
    {
        #[reply(Option<Box<T>>)]
        Text(Box<T>),
        Other(U),
    }

    #[zctor::actor(ctx)]
    pub(crate) enum ArrayMessage<const N: usize> {
        #[reply([u8; N])]
        Get,
        #[cfg(any())]
        Gone,
    }

    #[zctor::actor]
    pub(crate) enum CacheMessage<K, T = String, const N: usize = 4>
    where
        K: std::hash::Hash + Eq,
        T: Clone + Default,
    {
        #[reply(Option<T>)]
        Get(#[key] K),
        #[reply([T; N], deferred)]
        Some,
        Put(K, T),
        Many(Vec<Self>),
    }

    #[derive(Default)]
    struct Cache<K, T>(std::collections::HashMap<K, T>);

    impl<K, T, const N: usize> CacheHandler<K, T, N> for Cache<K, T>
    where
        K: std::hash::Hash + Eq + Send + 'static,
        T: Clone + Default + Send + 'static,
    {
        fn get(&mut self, key: K) -> Option<T> {
            self.0.get(&key).cloned()
        }
        fn some(&mut self, reply: zctor::ReplyTo<[T; N]>) {
            reply.send(std::array::from_fn(|_| T::default()));
        }
        fn put(&mut self, key: K, value: T) {
            self.0.insert(key, value);
        }
        fn many(&mut self, _: Vec<CacheMessage<K, T, N>>) {}
    }

    /// The client keeps the enum's defaults.
    fn uses(client: &CacheClient<u8>) -> Result<(), Box<dyn std::error::Error>> {
        let value: Option<String> = client.get(3)?;
        let _ = (value, client.put(3, String::new()), client.non_blocking().some());
        Ok(())
    }
}

/// `Self` is the enum, wherever the type ends up.
mod own_type {
    #[zctor::actor]
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) enum TreeMessage {
        #[reply(Vec<Self>)]
        Children(Box<Self>),
        #[reply(Result<Option<Self>, [u8; Self::WIDTH]>)]
        Find {
            within: std::collections::BTreeMap<u8, Self>,
            path: [u8; Self::WIDTH],
        },
        Leaf,
    }

    impl TreeMessage {
        const WIDTH: usize = 3;
    }

    struct Tree;

    impl TreeHandler for Tree {
        fn children(&mut self, value: Box<TreeMessage>) -> Vec<TreeMessage> {
            vec![*value]
        }
        fn find(
            &mut self,
            within: std::collections::BTreeMap<u8, TreeMessage>,
            path: [u8; 3],
        ) -> Result<Option<TreeMessage>, [u8; 3]> {
            within.get(&path[0]).cloned().map(Some).ok_or(path)
        }
        fn leaf(&mut self) {}
    }
}

macro_rules! actor_of {
    ($vis:vis $name:ident, $text:literal, $variant:ident($field:ident: $ty:ty) -> $reply:ty, $other:path) => {
        #[zctor::actor(name = $text, calls($other))]
        $vis enum $name {
            #[reply($reply)]
            $variant { $field: $ty, fixed: Option<$ty> },
            Plain($ty),
            Fixed,
        }
    };
}

/// An enum made by another macro, whose types come in invisible groups.
mod from_macro {
    #[zctor::actor]
    pub(crate) enum StoreMessage {
        #[reply(u8)]
        Load,
    }

    actor_of!(pub(crate) MadeMessage, "made", Ask(what: Vec<u8>) -> Option<String>, StoreMessage);

    struct Made;

    impl MadeHandler for Made {
        fn ask(
            &mut self,
            _: &mut zctor::Context<MadeMessage>,
            what: Vec<u8>,
            fixed: Option<Vec<u8>>,
        ) -> Option<String> {
            fixed.filter(|fixed| *fixed == what).map(|_| String::new())
        }
        fn plain(&mut self, _: &mut zctor::Context<MadeMessage>, _: Vec<u8>) {}
        fn fixed(&mut self, _: &mut zctor::Context<MadeMessage>) {}
    }
}

/// Fields that clients and requests take as whatever can be made into them.
mod conversions {
    #[zctor::actor]
    pub(crate) enum TextMessage<T: std::hash::Hash = String> {
        #[reply(usize)]
        Len {
            #[key]
            #[msg(into)]
            text: T,
            this: u8,
        },
        Pair(#[msg(into)] Box<str>, #[msg(name = r#type, into)] Option<u8>),
        #[reply(bool, deferred)]
        Later(#[msg(into)] String),
        #[cfg(any())]
        Gone(#[msg(into)] Nowhere),
        #[cfg_attr(not(any()), msg(internal))]
        Own(#[msg(into)] Vec<Self>),
    }

    struct Text;

    impl TextHandler<String> for Text {
        fn len(&mut self, text: String, this: u8) -> usize {
            text.len() + usize::from(this)
        }
        fn pair(&mut self, _: Box<str>, _: Option<u8>) {}
        fn later(&mut self, value: String, reply: zctor::ReplyTo<bool>) {
            reply.send(value == "now");
        }
        fn own(&mut self, _: Vec<TextMessage>) {}
    }

    #[test]
    fn clients_and_requests_convert_what_they_are_given() -> Result<(), Box<dyn std::error::Error>> {
        let engine = zctor::ActorEngine::new();
        let text: TextClient = engine.pool(1, TextMessage::actor(|| Text))?;
        assert_eq!(text.len("four", 3)?, 7);
        assert_eq!(text.len('x', 0)?, 1);
        assert_eq!(engine.call(TextMessage::<String>::len("two", 0))?, 3);
        text.pair("boxed", 3)?;
        assert!(text.non_blocking().later("now").wait()?);
        text.non_blocking().own([])?;
        Ok(())
    }
}

/// Attributes of other macros and tools: they stay where they are, and go nowhere else.
mod other_attributes {
    #[zctor::actor]
    #[derive(Default, Debug, PartialEq)]
    #[rustfmt::skip]
    #[repr(u8)]
    pub(crate) enum ModeMessage {
        #[reply(u8)]
        Set {
            #[rustfmt::skip]
            #[clippy::msrv = "1.85"]
            level: u8,
        },
        #[default]
        #[rustfmt::skip]
        #[doc(alias = "back")]
        Reset,
    }

    #[test]
    fn the_enum_keeps_them() {
        assert_eq!(ModeMessage::default(), ModeMessage::Reset);
    }
}

/// Two enums in one module with the same variants, handled by one state.
mod two_enums {
    #[zctor::actor]
    pub(crate) enum LeftMessage {
        #[reply(u8)]
        Get,
    }

    #[zctor::actor]
    pub(crate) enum RightMessage {
        #[reply(u8)]
        Get,
    }

    struct Both;

    impl LeftHandler for Both {
        fn get(&mut self) -> u8 {
            1
        }
    }

    impl RightHandler for Both {
        fn get(&mut self) -> u8 {
            2
        }
    }
}

/// Variants that have the names of what a client can do anyway: the variant wins.
mod client_methods {
    #[zctor::actor]
    pub(crate) enum CommandMessage {
        #[reply(u8)]
        Call(u8),
        Send(u8),
        Stop,
        Pin,
        New,
        Deref,
        Eq,
        Fmt,
        Actor,
        Default,
        Broadcast,
        Request,
    }

    fn uses(client: &CommandClient) -> Result<u8, Box<dyn std::error::Error>> {
        client.stop()?;
        client.deref()?;
        client.actor()?;
        Ok(client.call(3)? + zctor::Client::call(client, CommandMessage::call(4))?)
    }
}

/// Items of every visibility, and one with a type more private than itself.
pub mod visibility {
    /// Has a doc.
    pub mod inner {
        /// Public.
        #[zctor::actor]
        #[derive(Debug)]
        pub enum PublicMessage {
            /// One.
            #[reply(u8)]
            One,
        }
        #[zctor::actor]
        pub(crate) enum CrateMessage {
            #[reply(u8)]
            One,
        }
        #[zctor::actor]
        pub(super) enum SuperMessage {
            #[reply(u8)]
            One,
        }
        #[zctor::actor(handles(InHandle = [One]))]
        pub(in crate::hygiene::visibility) enum InMessage {
            #[reply(u8)]
            One,
        }
        #[zctor::actor]
        enum PrivateMessage {
            #[reply(Hidden)]
            One(Hidden),
        }
        struct Hidden;
    }

    fn uses(one: &inner::InClient, two: &inner::SuperClient) {
        let _ = (one.one(), two.one(), inner::InMessage::one(), inner::InHandle::from(one).one());
    }
}

#[test]
fn enum_inside_a_function_works() -> Result<(), Box<dyn std::error::Error>> {
    #[actor]
    #[derive(Clone)]
    enum LocalMessage {
        #[reply(u8)]
        Twice(u8),
        #[reply(u8, deferred)]
        Thrice(u8),
        #[cfg(any())]
        Gone,
    }

    struct Local;

    impl LocalHandler for Local {
        fn twice(&mut self, value: u8) -> u8 {
            2 * value
        }
        fn thrice(&mut self, value: u8, reply: zctor::ReplyTo<u8>) {
            reply.send(3 * value);
        }
    }

    let engine = ActorEngine::new();
    engine.spawn(ActorThread::new().register(LocalMessage::actor(|| Local)))?;
    let client: LocalClient = engine.client::<LocalMessage>()?;
    assert_eq!(client.twice(4)?, 8);
    assert_eq!(client.thrice(4)?, 12);
    assert_eq!(engine.call(LocalMessage::thrice(5))?, 15);
    assert_eq!(client.non_blocking().thrice(6).wait()?, 18);
    client.send(LocalMessage::Thrice(7))?;
    Ok(())
}

#[test]
fn derive_may_stand_above_and_below() {
    #[derive(Debug, PartialEq)]
    #[actor]
    #[derive(Clone)]
    enum DerivedMessage {
        #[reply(u8)]
        Twice(#[key] u8),
        One,
    }

    assert_eq!(DerivedMessage::Twice(3).clone(), DerivedMessage::Twice(3));
}

#[test]
fn names_are_those_of_the_enum_or_of_the_option() {
    assert_eq!(<own_type::TreeMessage as Message>::NAME, "TreeMessage");
    assert_eq!(<enum_names::r#match as Message>::NAME, "match");
    assert_eq!(<from_macro::MadeMessage as Message>::NAME, "made");
    assert_eq!(keywords::KeywordMessage::Gen.variant(), "Gen");
    assert_eq!(keywords::KeywordMessage::Yield.variant(), "Yield");
}

#[test]
fn depth_is_one_more_than_the_deepest_callee() {
    assert_eq!(from_macro::MadeMessage::CALL_DEPTH, 1);
    assert_eq!(from_macro::StoreMessage::CALL_DEPTH, 0);
}
