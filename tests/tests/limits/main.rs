//! What one guest may use up: memory, processor time, time on the clock, streams, requests, bytes. Each limit is reached by a guest that does
//! not stop by itself, at the command line and in a process with others, who go on.
//!
//! Of H7 all but two: the raw sockets of `--wasi-net` are not in `--limit-bytes`, and what is spawned for a guest is not in its processor time
//! (docs/limits.md). So the row is not claimed.

mod endings;
mod flags;
mod library;
mod logs;
mod own;
mod program;
mod requests;
mod tunnels;
