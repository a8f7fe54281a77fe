//! Pools whose messages go through bytes, as they do between processes (feature `remote`).
//!
//! `#[actor(remote)]` lets the messages of an enum travel. The enum derives serde's `Serialize` and `Deserialize`,
//! below `#[actor]`, and its fields and replies implement both. Variants with `#[msg(internal)]` never travel, and need
//! neither.
//!
//! A [`Loopback`] joins two engines of one process without any network. One end serves a pool of the first engine, the
//! other attaches it in the second. There the client is that of a local pool, and every message, reply and text of a
//! panic comes back as it would from another process. So a test finds what cannot travel.
//!
//! Variants with `#[msg(durable)]` can be kept by a work queue until they are handled: see [`DurableMessage`].
//!
//! The format is MessagePack with the names of variants and fields. A variant may be added, fields may be reordered, and
//! a field with `#[serde(default)]` may be added, while the other side still has the older enum.

mod books;
mod durable;
mod end;
mod error;
mod feeder;
mod key;
mod ledger;
mod link;
mod loopback;
mod message;
mod pack;
mod packet;
mod partition;
mod reached;
mod reply_task;
mod served;
mod under_way;
mod value;
mod wire;

pub use crate::actor::link::Remote;
pub use books::Books;
pub use durable::DurableReply;
pub use error::ServeError;
pub use loopback::Loopback;
pub use message::{DurableMessage, RemoteMessage};
pub use reached::Reached;
pub use value::RemoteValue;

#[doc(hidden)]
pub use crate::actor::dispatch::__never_dispatched;
#[doc(hidden)]
pub use durable::{__assert_durable, Tells};
#[doc(hidden)]
pub use key::{__any_key, __key_hash, __no_key, FarKey, TravelsAsKey};
#[doc(hidden)]
pub use message::{__DEFERRED, __reply, Answering, Called, RemotePort};
#[doc(hidden)]
pub use serde::Deserialize as __Deserialize;
#[doc(hidden)]
pub use value::{__assert_value, __serialize, Travels};

/// For crates that carry packets over a network: the parts that `Loopback` is made of.
#[doc(hidden)]
pub mod transport {
    pub use super::end::{End, ROOM};
    pub use super::ledger::TakenTogether;
    pub use super::packet::{Answer, CallHeader, Carrier, Pack, PackReceipt, Packet, Receipt};
    pub use super::partition::{Partition, Partitions, Route};
    pub use super::reached::counted;
    pub use super::wire::Format;

    /// Panics where a blocking wait would stop a tokio runtime, in debug builds with the feature `tokio`.
    #[track_caller]
    pub fn __assert_may_block() {
        crate::sys::runtime::assert_may_block();
    }
}

/// Implements the handler trait for `Remote<Enum>`, so that its type fits, and [`RemoteMessage`] for the enum.
#[doc(hidden)]
#[macro_export]
macro_rules! __remote {
    (
        $(#[$attr:meta])*
        [$($params:tt)*] [$($bounds:tt)*] $message:ty: $handler:path as $wire:literal {
            $(fn $method:ident($($ty:ty),* $(,)?) -> $reply:ty;)*
        }
        serve($to:ident) { $($pattern:pat => $call:ident($request:expr))* }
        deferred { $($late:ident)* }
        durable { $($kept:ident)* }
        keys($key:ident) { $($keyed:pat,)* }
        bound { $($bound:tt)* }
        $port:ty { $($called:ident)* $(| $never:ident)? }
    ) => {
        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $handler for $crate::remote::Remote<$message> $($bounds)* {
            $(fn $method(&mut self $(, _: $ty)*) -> $reply {
                $crate::remote::__never_dispatched("a link")
            })*
        }

        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $crate::remote::RemoteMessage for $message $($bounds)* {
            const WIRE: &'static ::core::primitive::str = $wire;

            // Where every variant has a reply, the last arm is not reached.
            #[allow(unreachable_patterns, unused_variables)]
            fn __serve(
                self,
                $to: &$crate::remote::Called<'_, Self>,
            ) -> ::core::option::Option<$crate::remote::Answering> {
                match self {
                    $($pattern => ::core::option::Option::Some($to.$call($request)),)*
                    _ => ::core::option::Option::None,
                }
            }

            #[allow(unreachable_patterns)]
            fn __key_hash(&self) -> ::core::option::Option<::core::primitive::u64> {
                match self {
                    $($keyed => $crate::remote::__key_hash($key),)*
                    _ => ::core::option::Option::None,
                }
            }

            fn __bound_key(
                bytes: &[::core::primitive::u8],
            ) -> ::core::result::Result<$crate::remote::FarKey, ::std::sync::Arc<::core::primitive::str>> {
                $($bound)*(bytes)
            }

            #[allow(unreachable_patterns)]
            fn __depth(&self) -> ::core::primitive::u32 {
                match self {
                    $(Self::$late { .. } => $crate::remote::__DEFERRED,)*
                    _ => <::core::primitive::u32 as ::core::convert::From<::core::primitive::u16>>::from(<Self as $crate::Message>::CALL_DEPTH),
                }
            }

            #[allow(unreachable_patterns)]
            fn __is_durable(&self) -> ::core::primitive::bool {
                match self {
                    $(Self::$kept { .. } => true,)*
                    _ => false,
                }
            }
        }

        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $crate::remote::RemotePort for $port $($bounds)* {
            // An enum without calls has no port to answer.
            #[allow(unused_variables)]
            fn __answered(
                self,
                message: &'static ::core::primitive::str,
                outcome: ::core::result::Result<::std::vec::Vec<::core::primitive::u8>, $crate::CallError>,
            ) {
                match self {
                    $(Self::$called(to) => $crate::remote::__reply(to, message, outcome),)*
                    $(Self::$never(_, never) => match never {},)?
                }
            }
        }
    };
}
