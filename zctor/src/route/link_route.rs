//! The route of a message through a link, where its sender says it and not the message: it is a copy of a broadcast, or
//! its client is bound to a key.
//!
//! The hash by which a key finds an instance holds in one process alone. So beside the hash a client that is bound to a
//! key has the bytes of the key, and the other side finds its instance from those.

use std::sync::Arc;

/// The route of a message through a link; without one the message goes by its own `#[key]`, or in turn.
#[derive(Debug)]
pub(crate) enum LinkRoute {
    /// To each instance: it is a copy of a broadcast.
    Copy,
    /// To the instance of a key.
    Key(BoundKey),
}

/// A key that a client is bound to.
#[derive(Debug)]
pub(crate) struct BoundKey {
    /// The hash by which it finds an instance of this engine.
    hash: u64,
    /// The key as it travels, or why it does not.
    pub(crate) bytes: Result<Arc<[u8]>, Arc<str>>,
}

/// A key that a client is bound to, and its bytes. One word, so that clients and the mail of links stay small.
#[derive(Clone, Debug)]
pub struct KeyRoute(Arc<LinkRoute>);

impl KeyRoute {
    pub(crate) fn new(hash: u64, bytes: Result<Arc<[u8]>, Arc<str>>) -> Self {
        Self(Arc::new(LinkRoute::Key(BoundKey { hash, bytes })))
    }

    pub(crate) fn hash(&self) -> u64 {
        match &*self.0 {
            LinkRoute::Key(key) => key.hash,
            LinkRoute::Copy => 0, // not reached: `new` makes keys alone
        }
    }

    pub(crate) fn stated(&self) -> StatedRoute<'_> {
        StatedRoute::Key(Some(self))
    }
}

/// There may be links.
pub(crate) const LINKS: bool = true;

/// The route that the sender of a message states, as it hands it on.
#[derive(Clone, Copy, Default)]
pub(crate) enum StatedRoute<'a> {
    /// None: the message goes where its own type and key lead it.
    #[default]
    Own,
    /// The message is a copy of a broadcast.
    Copy,
    /// Its client is bound to a key. `None` if all keys of the enum are of internal variants, so that none can travel.
    Key(Option<&'a KeyRoute>),
}

impl StatedRoute<'_> {
    pub(crate) const COPY: Self = Self::Copy;
    /// A key without its bytes.
    pub(crate) const UNWRITTEN: Self = Self::Key(None);

    pub(super) fn is_stated(self) -> bool {
        !matches!(self, Self::Own)
    }

    /// The same for a message that lies in a mailbox.
    pub(super) fn to_owned(self) -> Option<Arc<LinkRoute>> {
        match self {
            Self::Own => None,
            Self::Copy => Some(Arc::new(LinkRoute::Copy)),
            Self::Key(Some(KeyRoute(route))) => Some(Arc::clone(route)),
            Self::Key(None) => {
                let text = "its client is bound to a key, and the keys of its enum stay in their process";
                Some(KeyRoute::new(0, Err(text.into())).0)
            }
        }
    }
}
