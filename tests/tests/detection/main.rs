//! Which way to a cluster a script is given, and what is said of the others.
//!
//! Covers: T1

mod choice;
mod machine;
mod probe;
mod rounds;
