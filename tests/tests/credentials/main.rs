//! Credentials that need no program: those that a kubeconfig holds or names, and the pod's service account. Each against a server that
//! writes down whom it was told.
//!
//! Covers: A1, T3

mod account;
mod clock;
mod pod;
mod stored;
