//! Coverage-guided fuzzing with LLVM's libFuzzer, on the stable compiler: no sanitizer, since no code
//! of ours touches memory by itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use crate::places;
use crate::say::{self, Failure};

/// What is fuzzed, and where its first inputs are, from the root of the clone.
const TARGETS: [(&str, &str); 4] = [
    ("kubeconfig", "tests/corpus"),
    ("exec", "tests/fuzz/seeds/exec"),
    ("oidc", "tests/fuzz/seeds/oidc"),
    ("configuration", "tests/fuzz/seeds/configuration"),
];

/// Named, so that `FLAGS` are the targets' and not the build scripts'.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What libFuzzer learns from: which edges were taken how often, and what was compared with what.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// How long each target is fuzzed by `cargo xtask test`, in seconds.
const SHORT: u32 = 10;
/// How long by hand, unless said otherwise.
const LONG: u32 = 60;

/// What came of one target.
pub(crate) struct Fuzzed {
    pub(crate) target: &'static str,
    /// How many inputs were tried.
    pub(crate) runs: u64,
    pub(crate) passed: bool,
}

/// `cargo xtask fuzz [TARGET] [SECONDS]`.
pub(crate) fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    let (target, seconds) = match words {
        [] => (None, LONG),
        [word] => word.parse().map_or((Some(*word), LONG), |seconds| (None, seconds)),
        [target, seconds] => (Some(*target), seconds.parse()?),
        _ => return Err(Failure::usage("cargo xtask fuzz [TARGET] [SECONDS]".into())),
    };
    let chosen: Vec<_> =
        TARGETS.into_iter().filter(|(name, _)| target.is_none_or(|word| word == *name)).collect();
    if chosen.is_empty() {
        let names = TARGETS.map(|(name, _)| name).join(", ");
        return Err(Failure::usage(format!("no such target: {}; there are {names}", words.join(" "))));
    }
    let all_passed = fuzz(&chosen, seconds)?.iter().all(|fuzzed| fuzzed.passed);
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All of them, for as long as a test may take.
pub(crate) fn briefly() -> Result<Vec<Fuzzed>, Failure> {
    fuzz(&TARGETS, SHORT)
}

/// All at once, and what came of each.
fn fuzz(targets: &[(&'static str, &'static str)], seconds: u32) -> Result<Vec<Fuzzed>, Failure> {
    let programs = build()?;
    say::step(&format!("fuzzing for {seconds} s"));
    let started: Vec<_> = targets
        .iter()
        .map(|(name, seeds)| start(&programs, name, seeds, seconds))
        .collect::<Result<_, _>>()?;
    let ended = targets.iter().zip(started).map(|((target, _), child)| end(target, child));
    ended.collect()
}

fn build() -> Result<PathBuf, Failure> {
    say::step("building the fuzz targets");
    let mut cargo = places::cargo();
    cargo.current_dir(places::root().join("tests/fuzz"));
    cargo.args(["build", "--locked", "--release", "--target", TRIPLE]).env("RUSTFLAGS", FLAGS);
    say::run(&mut cargo)?;
    Ok(places::target().join(TRIPLE).join("release"))
}

/// What was found before is kept in the cache; the seeds are only read. An input that fails is written beside it.
fn start(programs: &Path, target: &str, seeds: &str, seconds: u32) -> Result<Child, Failure> {
    let folder = places::cache().join("fuzz").join(target);
    std::fs::create_dir_all(folder.join("found"))?;
    let mut fuzzer = Command::new(programs.join(target));
    fuzzer
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .args(["-timeout=5", "-rss_limit_mb=1024", "-max_len=16384", "-print_final_stats=1"])
        .args([folder.join("found"), places::root().join(seeds)])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    Ok(fuzzer.spawn()?)
}

fn end(target: &'static str, mut child: Child) -> Result<Fuzzed, Failure> {
    let mut told: Vec<String> = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // Its progress is not told.
        let lines = BufReader::new(stderr).split(b'\n').map_while(Result::ok);
        let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
        told.extend(lines.filter(|line| !line.starts_with('#')));
    }
    let passed = child.wait()?.success();
    let runs = told.iter().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let runs = runs.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    if passed {
        println!("fuzz {target}: {runs} inputs, nothing found");
    } else {
        println!("fuzz {target}: FAILED after {runs} inputs\n{}", told.join("\n"));
    }
    Ok(Fuzzed { target, runs, passed })
}
