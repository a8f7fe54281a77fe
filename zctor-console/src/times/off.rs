//! Without the feature `observe` nothing is measured, and there are no such routes.

use zctor::EngineHandle;

use crate::pause::Pause;
use crate::site::Answer;

pub(crate) const ROUTES: &[&str] = &[];

pub(crate) fn answer(_: &str, _: &str, _: &EngineHandle, _: &Pause) -> Option<Answer> {
    None
}
