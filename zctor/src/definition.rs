//! The description of an enum of messages that `#[actor]` writes: its variants, and which types it may call and sends
//! to.

use std::any::TypeId;
use std::fmt;

/// A variant as generated code writes it: its name, the type of its reply (empty for a send), whether that reply is
/// deferred, whether one of its fields is the key. Literals alone cost rustc the least: with 50 enums of six variants in
/// a crate, all definitions together are 2.4 % of what checking it takes.
type Row = (&'static str, &'static str, bool, bool);

/// The definition of an enum of messages, as a constant: [`Message::DEFINITION`](crate::Message::DEFINITION).
///
/// It is what a [`Map`](crate::map::Map) is drawn from. A binary that does not use it does not contain it.
///
/// ```
/// use zctor::{Message, actor};
///
/// #[actor(sends(WebMessage))]
/// pub enum StoreMessage {
///     #[reply(Option<u32>)]
///     Load { #[key] id: u64 },
///     Flush,
/// }
/// #[actor(calls(StoreMessage))]
/// pub enum WebMessage {
///     #[reply(String, deferred)]
///     Page(u64),
/// }
///
/// let web = WebMessage::DEFINITION;
/// assert_eq!((web.name(), web.call_depth()), ("WebMessage", 1));
/// let page = web.variants().next().expect("it has one");
/// assert_eq!((page.name(), page.reply(), page.is_deferred()), ("Page", Some("String"), true));
///
/// let store = web.calls().next().expect("it calls one");
/// assert_eq!(store, StoreMessage::DEFINITION);
/// assert_eq!(store.sends().next(), Some(web));
/// let keyed: Vec<bool> = store.variants().map(|variant| variant.is_keyed()).collect();
/// assert_eq!(keyed, [true, false]);
/// ```
pub struct Definition {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    call_depth: u16,
    variants: &'static [Row],
    calls: &'static [Other],
    sends: &'static [Other],
}

/// The definition of another type. A function, since constants that name one another in a circle cannot be.
type Other = fn() -> &'static Definition;

impl Definition {
    #[doc(hidden)]
    pub const fn __new<M: 'static>(
        name: fn() -> &'static str,
        call_depth: u16,
        variants: &'static [Row],
        calls: &'static [Other],
        sends: &'static [Other],
    ) -> Self {
        Self { id: TypeId::of::<M>, name, call_depth, variants, calls, sends }
    }

    /// Returns the name of the enum, with the parameters of a generic enum: [`Message::name`](crate::Message::name).
    pub fn name(&self) -> &'static str {
        (self.name)()
    }

    /// Returns the call depth: [`Message::CALL_DEPTH`](crate::Message::CALL_DEPTH).
    pub fn call_depth(&self) -> u16 {
        self.call_depth
    }

    /// Iterates over the variants, in the order of the enum.
    pub fn variants(&self) -> impl ExactSizeIterator<Item = VariantDefinition> + use<> {
        self.variants.iter().map(VariantDefinition)
    }

    /// Iterates over the definitions of the types that handlers of this enum may call, in the order of `calls(..)`.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &'static Definition> + use<> {
        self.calls.iter().map(|definition| definition())
    }

    /// Iterates over the definitions of the types that `sends(..)` lists, in that order: handlers of this enum send to
    /// them and wait for no reply.
    ///
    /// A send needs no declaration, so nothing holds the list to the code.
    /// [`record_sends`](crate::EngineBuilder::record_sends) tells what a program does.
    pub fn sends(&self) -> impl DoubleEndedIterator<Item = &'static Definition> + use<> {
        self.sends.iter().map(|definition| definition())
    }

    pub(crate) fn id(&self) -> TypeId {
        (self.id)()
    }
}

/// Definitions are equal if they are of one type.
impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Definition {}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<&str> = self.calls().map(Self::name).collect();
        let sends: Vec<&str> = self.sends().map(Self::name).collect();
        f.debug_struct("Definition")
            .field("name", &self.name())
            .field("call_depth", &self.call_depth)
            .field("variants", &self.variants().collect::<Vec<_>>())
            .field("calls", &calls)
            .field("sends", &sends)
            .finish()
    }
}

/// A variant in a [`Definition`].
///
/// ```
/// use zctor::{Message, actor};
///
/// #[actor]
/// pub enum MeterMessage {
///     Add(u64),
///     #[reply(u64)]
///     Total,
/// }
///
/// let variants: Vec<String> = MeterMessage::DEFINITION.variants().map(|variant| variant.to_string()).collect();
/// assert_eq!(variants, ["Add", "Total → u64"]);
/// ```
#[derive(Clone, Copy)]
pub struct VariantDefinition(&'static Row);

impl VariantDefinition {
    /// Returns the name of the variant.
    pub fn name(self) -> &'static str {
        self.0.0
    }

    /// Returns the type of the reply as it was written, or `None` for a variant that is only sent.
    pub fn reply(self) -> Option<&'static str> {
        Some(self.0.1).filter(|reply| !reply.is_empty())
    }

    /// Returns whether the reply may come later than the return of the handler: `#[reply(.., deferred)]`.
    pub fn is_deferred(self) -> bool {
        self.0.2
    }

    /// Returns whether a field of the variant chooses the instance: `#[key]`.
    pub fn is_keyed(self) -> bool {
        self.0.3
    }
}

/// The name, and the type of the reply if there is one.
impl fmt::Display for VariantDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reply() {
            Some(reply) => write!(f, "{} → {reply}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

impl fmt::Debug for VariantDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariantDefinition")
            .field("name", &self.name())
            .field("reply", &self.reply())
            .field("is_deferred", &self.is_deferred())
            .field("is_keyed", &self.is_keyed())
            .finish()
    }
}
