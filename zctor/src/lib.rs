//! Typed actors on OS threads.
