//! What is measured, and how it is told.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::{BAR, Failure};

/// What this process has of the machine's memory, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// `Rss`: a page of a file counts once for each guest that has looked at it, though there is one.
    pub(crate) resident: u64,
    /// `Pss`: it counts once.
    pub(crate) own: u64,
    /// The kernel's tables of what is where, `VmPTE`, which are in neither.
    pub(crate) tables: u64,
}

impl Memory {
    pub(crate) fn now() -> Result<Memory, Failure> {
        let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
        let status = fs::read_to_string("/proc/self/status")?;
        let (resident, own) = (bytes(&rollup, "Rss:")?, bytes(&rollup, "Pss:")?);
        Ok(Memory { resident, own, tables: bytes(&status, "VmPTE:")? })
    }
}

/// The line of this name, in kilobytes.
fn bytes(text: &str, name: &str) -> Result<u64, Failure> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes << 10)
}

/// What came of it.
pub(crate) struct Row {
    pub(crate) guests: u64,
    pub(crate) pods: u64,
    /// With one guest.
    pub(crate) one: Memory,
    /// With all of them.
    pub(crate) all: Memory,
    /// What the one store holds, in bytes.
    pub(crate) store: u64,
    pub(crate) watches: u64,
}

impl Row {
    /// What each guest but the first costs, in bytes.
    fn each(&self, of: fn(&Memory) -> u64) -> u64 {
        of(&self.all).saturating_sub(of(&self.one)) / self.guests.saturating_sub(1).max(1)
    }

    pub(crate) fn is_met(&self) -> bool {
        self.each(|memory| memory.resident) <= BAR && self.watches == 1
    }

    pub(crate) fn tell(&self, json: Option<PathBuf>) -> Result<(), Failure> {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let kilobytes = |of| self.each(of) as f64 / 1e3;
        let each = kilobytes(|memory| memory.resident);
        let (own, tables) = (kilobytes(|memory| memory.own), kilobytes(|memory| memory.tables));
        println!(
            "| {} guests, one cache | {} pods, {:.1} MB kept | 1 guest: {:.1} MB | {}: {:.1} MB | {each:.1} KB each, at most {:.0} | {own:.1} without shared pages | {tables:.1} of page tables | {} watch |",
            self.guests,
            self.pods,
            megabytes(self.store),
            megabytes(self.one.resident),
            self.guests,
            megabytes(self.all.resident),
            BAR as f64 / 1e3,
            self.watches,
        );
        if let Some(path) = json {
            let row = serde_json::json!({
                "work": "500 guests, one cache", "unit": "KB", "ours": each, "bar": BAR as f64 / 1e3,
                "own": own, "page_tables": tables, "guests": self.guests, "pods": self.pods, "watches": self.watches,
                "one_rss_mb": megabytes(self.one.resident), "ours_rss_mb": megabytes(self.all.resident),
                "store_mb": megabytes(self.store),
            });
            writeln!(fs::OpenOptions::new().create(true).append(true).open(path)?, "{row}")?;
        }
        Ok(())
    }
}
