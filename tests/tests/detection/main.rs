//! Which way to a cluster a script is given, and what is said of the others.
// T1, but for the deadline that is counted once credentials are there: no credential takes time yet.

mod choice;
mod machine;
mod probe;
mod rounds;
