//! No lint speaks of what `#[actor]` generates. Under `cargo clippy` this covers clippy's as well.
#![forbid(dead_code, unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unused_results,
    variant_size_differences,
    unit_bindings,
    non_ascii_idents,
    let_underscore_drop,
    explicit_outlives_requirements,
    elided_lifetimes_in_paths,
    meta_variable_misuse,
    future_incompatible,
    nonstandard_style,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::allow_attributes,
    clippy::exhaustive_enums,
    clippy::pattern_type_mismatch,
    clippy::single_char_lifetime_names,
    clippy::shadow_reuse,
    clippy::implicit_return,
    clippy::min_ident_chars,
    clippy::default_numeric_fallback,
    clippy::multiple_inherent_impl,
    clippy::absolute_paths,
    clippy::arbitrary_source_item_ordering
)]
#![allow(
    clippy::implicit_return,
    clippy::arbitrary_source_item_ordering,
    clippy::exhaustive_enums,
    clippy::min_ident_chars,
    clippy::absolute_paths,
    clippy::redundant_pub_crate,
    variant_size_differences,
    reason = "lints that the enums and states written here would offend by themselves"
)]

use zctor::{Context, actor};

/// Public, documented nowhere but on itself and its variants.
pub mod public {
    use super::{Context, actor};

    /// Every shape of variant, and methods that lints have opinions on.
    #[actor(handles(LengthClient = [Len, Empty, Many], OnlyClient = [Unit], SpeakerClient = [Tell, Say]))]
    #[derive(Debug, Clone)]
    pub enum ShapesMessage {
        /// Empty.
        Unit,
        /// A tuple, which links to [`Self::Unit`].
        #[reply(usize)]
        Len(u8),
        /// Whether it is empty.
        #[reply(bool)]
        Empty {
            /// Its number.
            of: u8,
        },
        /// A great deal to say.
        #[reply(Result<u64, ()>)]
        Many {
            /// One.
            one: u8,
            /// Two.
            two: u8,
            /// Three.
            three: u8,
            /// Four.
            four: u8,
            /// Five.
            five: u8,
            /// Six.
            six: u8,
            /// Seven.
            seven: u8,
            /// Eight.
            eight: u8,
        },
        /// Into something else.
        #[reply(String)]
        IntoString,
        /// From something else.
        #[reply(())]
        FromStr(String),
        /// As something.
        #[reply(u8)]
        AsBytes,
        /// To something.
        #[reply(u8)]
        ToOwned,
        /// Whether it is.
        #[reply(bool)]
        IsReady,
        /// A new one.
        #[reply(u8)]
        New,
        /// The next one.
        #[reply(Option<u8>)]
        Next,
        /// Adds.
        #[reply(u8)]
        Add(u8),
        /// What is told, as whatever it can be made of.
        #[reply(bool)]
        Tell {
            /// The words.
            #[msg(into)]
            words: String,
            /// Whom.
            #[msg(into)]
            whom: Option<u8>,
        },
        /// Of one kind, told to nobody.
        Say(#[msg(into)] Box<str>),
        /// The next number, of which nobody else is told.
        #[must_use = "nobody else is told of the number"]
        #[reply(u8)]
        Draw,
        /// Says so.
        #[must_use]
        Shout,
        /// Later.
        #[reply((), deferred)]
        Later {
            /// When.
            when: u8,
        },
    }

    /// With parameters.
    #[actor(ctx, handles(PutsClient = [Put]))]
    #[derive(Debug)]
    pub enum GenericMessage<K, V: Clone>
    where
        K: Send,
    {
        /// Keeps both.
        Put(#[key] u8, K, V),
        /// Both.
        #[reply((K, V))]
        Get,
    }

    /// A callee.
    #[actor(calls(ShapesMessage), name = "other")]
    #[derive(Debug)]
    pub enum CallingMessage {
        /// Asks.
        #[reply(u8)]
        Ask,
        /// A tick.
        #[msg(internal)]
        Tick,
    }

    /// With a `cfg` inside, which takes another way through the macro.
    #[actor(handles(ManyClient = [Gone, Many]))]
    #[derive(Debug, Clone)]
    pub enum ConditionalMessage<T: Clone> {
        /// Never there.
        #[cfg(any())]
        Gone,
        /// Its length.
        #[reply(Result<usize, ()>)]
        Len(#[key] u8, T),
        /// A great deal to say.
        #[reply(())]
        Many {
            /// One.
            one: u8,
            /// Two.
            two: u8,
            /// Three.
            three: u8,
            /// Four.
            four: u8,
            /// Five.
            five: u8,
            /// Six.
            six: u8,
            /// Seven.
            seven: u8,
            /// Eight.
            eight: u8,
        },
        /// The next number, of which nobody else is told.
        #[must_use = "nobody else is told of the number"]
        #[reply(u8)]
        Draw,
        /// Nothing else.
        #[must_use]
        Unit,
    }

    /// Without replies.
    #[actor]
    #[derive(Debug)]
    #[expect(clippy::large_enum_variant, reason = "that of the enum, and no other")]
    pub enum SendsMessage {
        /// One.
        One,
        /// A large one.
        Many([u64; 64]),
    }

    /// A state.
    #[derive(Debug)]
    pub struct Calling;

    impl CallingHandler for Calling {
        fn ask(&mut self, ctx: &mut Context<CallingMessage>) -> u8 {
            ctx.call(ShapesMessage::add(3)).unwrap_or_default()
        }

        fn tick(&mut self, ctx: &mut Context<CallingMessage>) {
            ctx.stop();
        }
    }
}

mod private {
    use super::actor;

    /// Of which one method is used.
    #[actor(handles(TwoClient = [Two, And_Three]))]
    enum PrivateMessage {
        #[reply(u8)]
        One,
        #[reply(u8)]
        Two(u8),
        #[expect(non_camel_case_types, reason = "fulfilled here or nowhere")]
        And_Three,
    }

    /// What is odd about the types is said where they are written.
    #[actor]
    enum TypesMessage {
        #[expect(clippy::type_complexity, reason = "that of the enum, and no other")]
        #[reply(Option<Box<dyn Fn(Vec<Option<Result<u8, String>>>) -> Result<Vec<String>, String> + Send>>)]
        One(Option<Box<dyn Fn(Vec<Option<Result<u8, String>>>) -> Result<Vec<String>, String> + Send>>),
        #[reply(())]
        Three(#[msg(into)] String),
        Two {
            #[expect(clippy::option_option, reason = "that of the field, and no other")]
            odd: Option<Option<u8>>,
        },
    }

    #[actor(ctx)]
    enum ConditionalMessage {
        #[reply(u8)]
        One,
        #[cfg_attr(not(any()), deprecated)]
        Two(u8),
    }

    struct Private;

    impl PrivateHandler for Private {
        fn one(&mut self) -> u8 {
            1
        }
        fn two(&mut self, value: u8) -> u8 {
            value
        }
        fn and_three(&mut self) {}
    }

    pub(super) fn uses() -> bool {
        let _actor = PrivateMessage::actor(|| Private);
        matches!((PrivateMessage::One, ConditionalMessage::One), (PrivateMessage::One, ConditionalMessage::One))
            && matches!(TypesMessage::Two { odd: None }, TypesMessage::Two { odd: None })
    }
}

mod deprecated {
    use super::actor;

    /// Old itself.
    #[deprecated = "there is a new one"]
    #[actor(handles(OldHandle = [One]))]
    pub(crate) enum OldMessage {
        #[reply(u8)]
        One(u8),
    }

    /// Old where it is.
    #[cfg_attr(not(any()), deprecated)]
    #[actor]
    pub(crate) enum OlderMessage {
        #[reply(u8)]
        One(u8),
    }

    /// Old where it is, said below.
    #[actor]
    #[cfg_attr(not(any()), deprecated)]
    pub(crate) enum OldestMessage {
        #[reply(u8)]
        One(u8),
    }

    /// With an old variant.
    #[actor(handles(NewHandle = [Old, New]))]
    pub(crate) enum NewMessage {
        #[deprecated = "use `New`"]
        #[reply(u8)]
        Old(u8),
        #[deprecated]
        OldSend,
        #[reply(u8)]
        New(u8),
    }

    /// Old types, of which a variant or a field says that it knows.
    #[expect(clippy::allow_attributes, reason = "both levels reach what is generated")]
    mod types {
        use super::super::{Context, actor};
        use std::collections::LinkedList;

        #[deprecated = "there is a new one"]
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub(crate) struct Old(pub(crate) u8);

        #[expect(deprecated, reason = "to make one")]
        impl From<u8> for Old {
            fn from(number: u8) -> Self {
                Self(number)
            }
        }

        #[actor(ctx, handles(FewClient = [Take, Get, Told]))]
        #[derive(Debug, Clone)]
        pub(crate) enum KnowingMessage {
            #[allow(deprecated)]
            Take(#[key] Old),
            #[expect(deprecated, reason = "fulfilled here, and said of what is generated")]
            Put(Old, u8),
            #[allow(deprecated)]
            #[reply(Old)]
            Get,
            #[allow(deprecated)]
            #[reply(Old, deferred)]
            Later {
                by: u8,
            },
            Named {
                #[allow(deprecated)]
                at: Old,
            },
            #[warn(deprecated)]
            #[reply(u8)]
            Told {
                #[allow(deprecated)]
                #[msg(into)]
                old: Old,
            },
            #[allow(clippy::linkedlist)]
            #[reply(LinkedList<u8>)]
            List,
            Lists(#[allow(clippy::linkedlist)] LinkedList<u8>),
        }

        #[actor]
        #[derive(Debug, Clone)]
        pub(crate) enum ConditionalMessage<T> {
            #[cfg_attr(not(any()), allow(deprecated))]
            #[reply(Old)]
            Get(T),
            #[cfg(any())]
            Gone,
            Named {
                #[cfg_attr(not(any()), allow(deprecated))]
                at: Old,
            },
        }

        #[derive(Debug)]
        pub(crate) struct Knowing;

        #[expect(deprecated, reason = "the state knows too")]
        impl KnowingHandler for Knowing {
            fn take(&mut self, _: &mut Context<KnowingMessage>, _: Old) {}
            fn put(&mut self, _: &mut Context<KnowingMessage>, _: Old, _: u8) {}
            fn get(&mut self, _: &mut Context<KnowingMessage>) -> Old {
                Old(1)
            }
            fn later(&mut self, _: &mut Context<KnowingMessage>, by: u8, reply: zctor::ReplyTo<Old>) {
                reply.send(Old(by));
            }
            fn named(&mut self, _: &mut Context<KnowingMessage>, _: Old) {}
            fn told(&mut self, _: &mut Context<KnowingMessage>, old: Old) -> u8 {
                old.0
            }
            fn list(&mut self, _: &mut Context<KnowingMessage>) -> LinkedList<u8> {
                LinkedList::new()
            }
            fn lists(&mut self, _: &mut Context<KnowingMessage>, _: LinkedList<u8>) {}
        }
    }

    pub(super) fn knows() -> bool {
        let _actor = types::KnowingMessage::actor(|| types::Knowing);
        let (list, _gone) = (types::KnowingMessage::List, types::ConditionalMessage::<u8>::get(1));
        matches!(list, types::KnowingMessage::List)
    }

    #[expect(deprecated, reason = "the definitions must be silent by themselves, and used")]
    pub(super) const fn uses() -> bool {
        matches!(OldMessage::One(1), OldMessage::One(_))
            && matches!(OlderMessage::One(1), OlderMessage::One(_))
            && matches!(OldestMessage::One(1), OldestMessage::One(_))
            && matches!(NewMessage::New(1), NewMessage::New(_))
    }
}

#[test]
fn nothing_generated_is_dead_code() {
    assert!(private::uses());
    assert!(deprecated::uses());
    assert!(deprecated::knows());
}
