//! Without the feature `observe` nothing is measured, and those that ask for times are told what they need.

use zctor::EngineHandle;

use crate::pause::Pause;
use crate::site::Answer;

pub(crate) const ROUTES: &[&str] = &[];

pub(crate) fn answer(path: &str, _: &str, _: &EngineHandle, _: &Pause) -> Option<Answer> {
    let why = "times need the feature `observe` of zctor-console, which this program was built without";
    ["times.txt", "times.json"].contains(&path).then(|| Answer::refusal("404 Not Found", why))
}
