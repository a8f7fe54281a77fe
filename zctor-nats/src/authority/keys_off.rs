//! There are no keys without the feature `nkeys`.

use async_nats::ConnectOptions;

use crate::error::BridgeError;

/// No value is of this type.
#[derive(Clone)]
pub(crate) enum Key {}

impl Key {
    pub(super) fn shown(&self) -> &'static str {
        match *self {}
    }

    pub(super) fn options(&self) -> Result<ConnectOptions, BridgeError> {
        match *self {}
    }
}
