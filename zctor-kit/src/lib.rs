//! Small tools for [`zctor`]'s typed actors, on its public API alone: a module a tool.
//!
//! | tool | for |
//! | --- | --- |
//! | [`topic`] | a value to whoever has subscribed, typed, with subscriptions that come and go at run time |
//! | [`hedge`] | the first good reply of several calls, of which the later ones are made only if the earlier are slow |
//! | [`quorum`] | so many good replies of several calls |
//! | `signals` | a shutdown at Ctrl-C, with the feature `signals` |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod hedge;
pub mod quorum;
#[cfg(feature = "signals")]
#[cfg_attr(docsrs, doc(cfg(feature = "signals")))]
pub mod signals;
pub mod topic;
