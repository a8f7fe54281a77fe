//! The macros of features that are off, which generated code names whatever the features are.

/// Makes nothing: no enum has a double.
#[cfg(not(feature = "testing"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __double {
    ($($tokens:tt)*) => {};
}

/// Says which feature `#[actor(remote)]` needs.
#[cfg(not(feature = "remote"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __remote {
    ($($tokens:tt)*) => {
        ::core::compile_error!("`#[actor(remote)]` needs zctor's feature `remote`; add it to the dependency on zctor");
    };
}
