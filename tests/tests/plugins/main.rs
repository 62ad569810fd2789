//! Exec plugins: what they are told, what becomes of what they print, how long it is kept, and what they can do wrong.
//!
//! Covers: A3

mod clock;
mod contract;
mod hostile;
mod storm;
