//! Tells rows: a table for people, which Markdown understands too, and JSON for programs.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

use crate::Failure;
use crate::client::Peer;
use crate::compare::Sample;
use crate::options::Options;
use crate::work::Unit;

/// One comparison. This is the form of the JSON lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    work: &'static str,
    unit: &'static str,
    ours: f64,
    peer: &'static str,
    theirs: f64,
    /// ours / theirs
    ratio: f64,
    ours_rss_mb: f64,
    theirs_rss_mb: f64,
}

impl Row {
    pub(crate) fn new(work: &'static str, unit: Unit, peer: Peer, ours: &Sample, theirs: &Sample) -> Row {
        Row {
            work,
            unit: unit.name(),
            ours: rounded(ours.value),
            peer: peer.name(),
            theirs: rounded(theirs.value),
            ratio: rounded(ours.value / theirs.value),
            ours_rss_mb: rounded(ours.megabytes),
            theirs_rss_mb: rounded(theirs.megabytes),
        }
    }
}

/// To four digits: the rest is noise.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// Where rows go.
pub(crate) struct Report {
    json: Option<File>,
    work: &'static str,
    errors: Vec<String>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Result<Report, Failure> {
        let json = match &options.json {
            Some(path) => {
                Some(File::create(path).map_err(|error| format!("write {}: {error}", path.display()))?)
            }
            None => None,
        };
        let words = ["work", "unit", "tidegate", "peer", "peer's", "ratio", "RSS MB", "peer's"];
        line(&words.map(str::to_owned));
        line(&["---", "---", "---:", "---", "---:", "---:", "---:", "---:"].map(str::to_owned));
        Ok(Report { json, work: "", errors: Vec::new() })
    }

    pub(crate) fn row(&mut self, row: Row) -> Result<(), Failure> {
        if let Some(json) = &mut self.json {
            writeln!(json, "{}", serde_json::to_string(&row)?)?;
        }
        let work = if self.work == row.work { "" } else { row.work };
        line(&[
            work.to_owned(),
            row.unit.to_owned(),
            row.ours.to_string(),
            row.peer.to_owned(),
            row.theirs.to_string(),
            format!("{:.2}", row.ratio),
            format!("{:.1}", row.ours_rss_mb),
            format!("{:.1}", row.theirs_rss_mb),
        ]);
        self.work = row.work;
        Ok(())
    }

    /// A comparison that did not come about.
    pub(crate) fn error(&mut self, work: &str, client: &str, why: &str) {
        eprintln!("ERROR: {work}: {client}: {why}");
        self.errors.push(format!("{work}: {client}"));
    }

    /// The closing lines.
    pub(crate) fn close(self, absent: &[String]) -> Result<ExitCode, Failure> {
        println!(
            "\nratio = tidegate / peer. ms and s: of the whole process, smaller is better. 1/s: larger is better.\np50, p99, max: ms from the answer to a write until its event is there, smaller is better."
        );
        for line in absent {
            println!("LEFT OUT: {line}");
        }
        if self.errors.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        println!("ERRORS: {}", self.errors.join("; "));
        Ok(ExitCode::FAILURE)
    }
}

/// One line of the table; numbers to the right.
fn line(cells: &[String; 8]) {
    let [work, unit, ours, peer, theirs, ratio, ours_rss, theirs_rss] = cells;
    println!(
        "| {work:<24} | {unit:<4} | {ours:>8} | {peer:<20} | {theirs:>8} | {ratio:>6} | {ours_rss:>6} | {theirs_rss:>6} |"
    );
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn four_digits() {
        for (value, wanted) in [(1.853_421, 1.853), (0.590_31, 0.5903), (123_456.7, 123_500.0), (0.0, 0.0)] {
            assert_eq!(rounded(value), wanted);
        }
    }
}
