//! Small tools for [`zctor`]'s typed actors, on its public API alone: a module a tool.
//!
//! | tool | for |
//! | --- | --- |
//! | [`topic`] | a value to whoever has subscribed, typed, with subscriptions that come and go at run time |
//! | [`group`] | actors that start afresh together when one of them panics: one for all, or rest for one |
//! | [`forward`] | each item of an iterator as a message; with the feature `stream`, each item of a stream |
//! | [`breaker`] | a pause for what fails again and again, in which callers learn of it at once |
//! | [`hedge`] | the first good reply of several calls, of which the later ones are made only if the earlier are slow |
//! | [`quorum`] | so many good replies of several calls |
//! | `signals` | a shutdown at Ctrl-C, with the feature `signals` |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod breaker;
pub mod forward;
pub mod group;
pub mod hedge;
pub mod quorum;
#[cfg(feature = "signals")]
#[cfg_attr(docsrs, doc(cfg(feature = "signals")))]
pub mod signals;
pub mod topic;
