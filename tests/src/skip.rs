use std::io::Write;

/// Says that a test did not run, and why; `cargo xtask test` counts it among the skipped.
///
/// Past the test runner's capture, which keeps what a passing test prints to itself.
pub fn skipped(test: &str, why: &str) {
    let why = why.trim().replace('\n', "; ");
    let _ = writeln!(std::io::stdout().lock(), "\nSKIPPED: {test}: {why}");
}
