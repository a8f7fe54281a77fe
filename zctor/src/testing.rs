//! Doubles of actors, for tests: a [`Probe`] gives its messages to the test one at a time, a [`Mock`] records them and
//! answers from a script.
//!
//! A double is made from the same enum as the actor that it replaces, and is registered in the same way. Doubles need
//! zctor's feature `testing`, which belongs among the dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! zctor = { path = "..", features = ["testing"] }
//! ```
//!
//! While the feature is on, the handler trait of every enum is implemented for [`Double`]. A program's own
//! implementation of that trait for all types would overlap with it.
//!
//! The reply to a call is typed by the port of the call. [`Port<StoreMessage>`](Port) has one variant for each variant
//! of `StoreMessage` with a reply, which holds the [`ReplyTo`] of its type.
//!
//! ```
//! use std::time::Duration;
//! use zctor::testing::{Mock, Port, Probe};
//! use zctor::{ActorEngine, actor};
//!
//! #[actor]
//! #[derive(Debug, PartialEq)]
//! pub enum StoreMessage {
//!     #[reply(Option<String>)]
//!     Load { id: u64 },
//!     Save(u64, String),
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const LIMIT: Duration = Duration::from_secs(5);
//!
//! let engine = ActorEngine::new();
//! let probe = Probe::<StoreMessage>::new();
//! let store = engine.start(probe.actor())?;
//! let pending = store.non_blocking().load(7);
//! match probe.expect(LIMIT).into_parts() {
//!     (StoreMessage::Load { id: 7 }, Some(Port::<StoreMessage>::Load(reply))) => reply.send(Some("seven".to_owned())),
//!     (other, _) => panic!("{other:?}"),
//! }
//! assert_eq!(pending.wait()?.as_deref(), Some("seven"));
//!
//! let mock = Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Load, [Some("first".to_owned()), None]);
//! let store = engine.start(mock.actor())?;
//! assert_eq!(store.load(1)?.as_deref(), Some("first"));
//! assert_eq!(store.load(2)?, None);
//! assert_eq!(mock.messages(), [StoreMessage::Load { id: 1 }, StoreMessage::Load { id: 2 }]);
//! # Ok(())
//! # }
//! ```

mod context;
mod mock;
mod probe;

use std::any::Any;
use std::mem::{Discriminant, discriminant};

use crate::actor::dispatch::Dispatch;
use crate::client::message::Message;
use crate::reply::reply_to::ReplyTo;

#[doc(hidden)]
pub use crate::actor::dispatch::__never_dispatched;
pub use crate::actor::double::Double;
pub use context::{TestContext, context};
pub use mock::Mock;
pub use probe::{HeldProbe, Probe, Received};

/// The ports of an enum, to which its replies go: one variant for each of its variants with a reply, of the same name.
///
/// ```
/// use zctor::ReplyTo;
/// use zctor::testing::Port;
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     #[reply(u64)]
///     Now,
///     Wind,
/// }
///
/// // The constructor of a port's variant says which call is meant, and of which type its reply is.
/// let now: fn(ReplyTo<u64>) -> Port<ClockMessage> = Port::<ClockMessage>::Now;
/// # let _ = now;
/// ```
///
/// An answer of another type does not compile:
///
/// ```compile_fail,E0308
/// # use zctor::testing::{Mock, Port};
/// # #[zctor::actor]
/// # pub enum ClockMessage { #[reply(u64)] Now }
/// let clock = Mock::<ClockMessage>::new().script(Port::<ClockMessage>::Now, ["noon"]);
/// ```
pub type Port<M> = <M as Message>::Port;

/// An enum that has doubles: every enum, while the feature `testing` is on.
///
/// ```
/// fn has_a_double<M: zctor::testing::Doubled>() -> bool {
///     true
/// }
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     Wind,
/// }
/// assert!(has_a_double::<ClockMessage>());
/// ```
pub trait Doubled: Dispatch<Double<Self>, Port: Replies + Send> + Send {}

impl<M: Dispatch<Double<M>, Port: Replies + Send> + Send> Doubled for M {}

/// Access to the reply inside a port, whatever the port's variant; implemented by `#[actor]`.
#[doc(hidden)]
pub trait Replies {
    /// Returns the name of the variant; with `r#` if it is written so.
    fn variant(&self) -> &'static str;
    /// Returns the `ReplyTo` inside.
    fn into_reply(self) -> Box<dyn Any>;
}

/// Takes the `ReplyTo` out of a port, if the port is of this variant. Otherwise gives the port back.
fn reply_of<P: Replies, R: 'static>(port: P, variant: fn(ReplyTo<R>) -> P) -> Result<ReplyTo<R>, P> {
    if discriminant(&port) != variant_of(variant) {
        return Err(port);
    }
    Ok(*port.into_reply().downcast().unwrap_or_else(|_| unreachable!("a variant holds one type")))
}

/// Which variant of a port a constructor makes.
fn variant_of<P, R: 'static>(variant: fn(ReplyTo<R>) -> P) -> Discriminant<P> {
    discriminant(&variant(ReplyTo::__nobody()))
}

/// How panics name a call of this variant.
fn call_of<M: Doubled, R: 'static>(variant: fn(ReplyTo<R>) -> Port<M>) -> String {
    let port = variant(ReplyTo::__nobody());
    let name = port.variant();
    format!("a call of `{}::{}`", M::name(), name.strip_prefix("r#").unwrap_or(name))
}

/// Implements the handler trait for `Double<Enum>`, so that its type fits, and [`Replies`] for the enum's port.
#[doc(hidden)]
#[macro_export]
macro_rules! __double {
    (
        $(#[$attr:meta])*
        [$($params:tt)*] [$($bounds:tt)*] $message:ty: $handler:path {
            $(fn $method:ident($($ty:ty),* $(,)?) -> $reply:ty;)*
        }
        $port:ty { $($called:ident)* $(| $never:ident)? }
    ) => {
        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $handler for $crate::testing::Double<$message> $($bounds)* {
            $(fn $method(&mut self $(, _: $ty)*) -> $reply {
                $crate::testing::__never_dispatched("a double")
            })*
        }

        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $crate::testing::Replies for $port $($bounds)* {
            fn variant(&self) -> &'static ::core::primitive::str {
                match *self {
                    $(Self::$called(_) => ::core::stringify!($called),)*
                    $(Self::$never(_, never) => match never {},)?
                }
            }

            fn into_reply(self) -> ::std::boxed::Box<dyn ::core::any::Any> {
                match self {
                    $(Self::$called(to) => ::std::boxed::Box::new(to),)*
                    $(Self::$never(_, never) => match never {},)?
                }
            }
        }
    };
}
