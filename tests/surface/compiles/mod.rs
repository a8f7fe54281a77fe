//! Definitions of unusual shape: what they must do is compile, without a warning.

mod calls_across_modules;
mod cfg_everywhere;
mod made_by_macros;
mod methods_of_traits;
mod no_implicit_prelude;
