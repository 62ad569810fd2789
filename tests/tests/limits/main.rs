//! What one guest may use up: memory, processor time, time on the clock, streams, requests, bytes. Each limit is reached by a guest that does
//! not stop by itself, at the command line and in a process with others, who go on.
//!
//! Covers: H7

mod endings;
mod flags;
mod library;
mod logs;
mod own;
mod program;
mod requests;
mod tunnels;
