//! What is promised, and the figures that are shown, hold of the repository itself.

mod figures;
mod guarantees;
