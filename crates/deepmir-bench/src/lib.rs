//! Benchmarks, in a crate of their own: what they need would change the features of shared dependencies, and so have
//! tests and program compile these twice.
