//! What is measured, and how it is told.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::{BAR, Failure};

/// The memory of this process that is in use now, in bytes.
pub(crate) fn resident() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes << 10)
}

/// What came of it.
pub(crate) struct Row {
    pub(crate) guests: u64,
    pub(crate) pods: u64,
    /// With one guest, in bytes.
    pub(crate) one: u64,
    /// With all of them.
    pub(crate) all: u64,
    /// What the one store holds.
    pub(crate) store: u64,
    pub(crate) watches: u64,
}

impl Row {
    /// What each guest but the first costs, in bytes.
    fn each(&self) -> u64 {
        self.all.saturating_sub(self.one) / self.guests.saturating_sub(1).max(1)
    }

    pub(crate) fn is_met(&self) -> bool {
        self.each() <= BAR && self.watches == 1
    }

    pub(crate) fn tell(&self, json: Option<PathBuf>) -> Result<(), Failure> {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "| {} guests, one cache | {} pods, {:.1} MB kept | 1 guest: {:.1} MB | {}: {:.1} MB | {:.1} KiB each, at most 64 | {} watch |",
            self.guests,
            self.pods,
            megabytes(self.store),
            megabytes(self.one),
            self.guests,
            megabytes(self.all),
            self.each() as f64 / 1024.0,
            self.watches,
        );
        if let Some(path) = json {
            let row = serde_json::json!({
                "work": "500 guests, one cache", "unit": "KiB", "ours": self.each() as f64 / 1024.0, "bar": BAR as f64 / 1024.0,
                "guests": self.guests, "pods": self.pods, "watches": self.watches,
                "one_rss_mb": megabytes(self.one), "ours_rss_mb": megabytes(self.all), "store_mb": megabytes(self.store),
            });
            writeln!(fs::OpenOptions::new().create(true).append(true).open(path)?, "{row}")?;
        }
        Ok(())
    }
}
