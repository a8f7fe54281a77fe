//! The workloads, the libraries, and every workload on every library.
//!
//! Apart from the program that runs them and writes the results, since they take minutes to compile and it takes a
//! second.

pub mod libraries;
pub mod library;
pub mod measure;
pub mod workloads;
