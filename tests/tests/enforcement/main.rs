//! What a grant lets through, and nothing else: names and addresses in a network with a DNS server of the test's own, files against links
//! and swaps.
//!
//! Covers: H2

mod files;
mod names;
