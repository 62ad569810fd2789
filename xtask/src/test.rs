//! Everything that is tested, the real control plane included, and one line that sums it up.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use tidegate_cluster::Tools;

use crate::fuzz::Fuzzed;
use crate::say::{self, Failure};
use crate::{build, fuzz, places};

/// What cargo is asked to test. The compiler is tested apart, as it is built.
const RUNS: [&[&str]; 2] =
    [&["--workspace", "--exclude", "tidegate-compiler"], &["--package", "tidegate-compiler"]];

/// `cargo xtask test [FILTER]`.
pub(crate) fn run(filter: &[&str]) -> Result<ExitCode, Failure> {
    let programs = build::programs()?;
    say::step("building the embedding example");
    say::run(places::cargo().args(["build", "--locked", "--package", "embedding"]))?;
    let guests = build::guests(&["--workspace"])?;
    packages(&[
        ("strace", "strace"),
        ("ip", "iproute2"),
        ("tinyproxy", "tinyproxy-bin"),
        ("microsocks", "microsocks"),
    ])?;
    say::step("preparing the real control plane: etcd, kube-apiserver, …, kubectl, kwok");
    Tools::ensure(&mut |line| eprintln!("  {line}"))?;
    let mut sum = Sum::default();
    for packages in RUNS {
        say::step(&format!("cargo test {}", packages.join(" ")));
        cargo_test(packages, filter, &programs, &guests, &mut sum)?;
    }
    // What of the guests' SDK and of the peers' scanner needs no host beneath it, on this machine itself.
    for (workspace, package, target) in [
        ("guest-sdk/rust", "tidegate-guest", places::guest_target()),
        ("bench", "bench-scan", places::cache().join("target-bench")),
    ] {
        say::step(&format!("cargo test --package {package}, in {workspace}"));
        let mut cargo = places::cargo();
        cargo.current_dir(places::root().join(workspace)).env("CARGO_TARGET_DIR", target);
        run_tests(cargo.args(["test", "--locked", "--package", package]).args(filter), &mut sum)?;
    }
    if filter.is_empty() {
        for fuzzed in fuzz::briefly()? {
            sum.count(&fuzzed);
        }
    }
    Ok(sum.tell())
}

/// Installs the Debian packages of programs that are missing.
pub(crate) fn packages(programs: &[(&str, &str)]) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_missing =
        |program: &str| !std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| is_missing(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    say::step(&format!("installing {} from Debian's packages", missing.join(" ")));
    say::run(Command::new("apt-get").args(["update", "--quiet=2"]))?;
    let arguments = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
    say::run(Command::new("apt-get").args(arguments).args(missing).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn cargo_test(
    packages: &[&str],
    filter: &[&str],
    programs: &Path,
    guests: &Path,
    sum: &mut Sum,
) -> Result<(), Failure> {
    let mut cargo = places::cargo();
    cargo.args(["test", "--locked", "--no-fail-fast"]).args(packages).args(filter);
    run_tests(cargo.env("TIDEGATE_PROGRAMS", programs).env("TIDEGATE_GUESTS", guests), sum)
}

/// Shows what the runner prints, and counts it.
fn run_tests(cargo: &mut Command, sum: &mut Sum) -> Result<(), Failure> {
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            sum.read(&line);
        }
    }
    sum.broken |= !child.wait()?.success();
    Ok(())
}

/// What the test runner's closing lines add up to.
#[derive(Default, Debug, PartialEq)]
struct Sum {
    /// Below zero between a test that says that it was skipped and the line that counts it as passed.
    passed: i64,
    failed: u64,
    skipped: u64,
    /// A runner ended badly: a crash or a compile error has no closing line.
    broken: bool,
}

impl Sum {
    fn read(&mut self, line: &str) {
        // The runner takes a test that found that it cannot run here for one that passed.
        if line.starts_with("SKIPPED: ") {
            self.skipped += 1;
            self.passed -= 1;
        }
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) =
                (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += i64::try_from(count).unwrap_or(i64::MAX),
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }

    fn count(&mut self, fuzzed: &Fuzzed) {
        // A fuzzer that tries nothing finds nothing.
        let passed = fuzzed.passed && fuzzed.runs > 1_000;
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
            println!("test fuzz {} ... FAILED", fuzzed.target);
        }
    }

    fn tell(&self) -> ExitCode {
        if self.skipped > 0 {
            println!("\nSKIPPED: {} tests did not run; each says why above", self.skipped);
        }
        println!("\ntidegate: {} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 && !self.broken { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn closing_lines_add_up() {
        let mut sum = Sum::default();
        sum.read("running 3 tests");
        sum.read(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
        );
        sum.read("SKIPPED: names::a_test: namespaces are not to be had here");
        sum.read("test result: FAILED. 2 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s");
        assert_eq!(sum, Sum { passed: 4, failed: 2, skipped: 2, broken: false });
    }
}
