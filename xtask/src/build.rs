//! Builds the programs and the guests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::places;
use crate::say::{self, Failure};

/// The programs and the packages that make them. Built apart: one cargo invocation would unify their features, and the
/// runner would carry the compiler's.
pub(crate) const PROGRAMS: [(&str, &str); 3] = [
    ("tidegate", "tidegate-cli"),
    ("tidegate-compile", "tidegate-compiler"),
    ("tidegate-playground", "tidegate-playground"),
];

/// `cargo xtask build`.
pub(crate) fn all() -> Result<ExitCode, Failure> {
    let folder = programs()?;
    let wasm = guests(&["--workspace"])?;
    println!("programs: {}\nguests:   {}", folder.display(), wasm.display());
    Ok(ExitCode::SUCCESS)
}

/// Builds the programs for development; the folder that they are in.
pub(crate) fn programs() -> Result<PathBuf, Failure> {
    for (program, package) in PROGRAMS {
        say::step(&format!("building {program}"));
        say::run(places::cargo().args(["build", "--locked", "--package", package, "--bin", program]))?;
    }
    Ok(places::target().join("debug"))
}

/// Prepares the guests' toolchain and builds guests of the guest workspace; the folder that the components are in.
pub(crate) fn guests(selection: &[&str]) -> Result<PathBuf, Failure> {
    let config = guest_toolchain()?;
    say::step("building the guests");
    let mut cargo = places::cargo();
    cargo.current_dir(places::root().join("guest-sdk/rust")).env("CARGO_TARGET_DIR", places::guest_target());
    cargo.arg("--config").arg(&config).args(["build", "--release", "--locked"]).args(selection);
    say::run(&mut cargo)?;
    components_folder(&config)
}

/// The cargo config that builds guests; made on the first call.
fn guest_toolchain() -> Result<PathBuf, Failure> {
    say::step("preparing the guests' toolchain");
    let mut setup = Command::new(places::root().join("guest-sdk/setup"));
    let answer = setup.env("TIDEGATE_CACHE", places::cache()).stderr(Stdio::inherit()).output()?;
    if !answer.status.success() {
        return Err(Failure::usage(format!("guest-sdk/setup ended with {}", answer.status)));
    }
    let text = String::from_utf8_lossy(&answer.stdout);
    let path = text.lines().last().map(|line| PathBuf::from(line.trim())).unwrap_or_default();
    if path.is_file() { Ok(path) } else { Err(Failure::usage("guest-sdk/setup named no config file".into())) }
}

/// Which target the toolchain builds for is the toolchain's choice.
fn components_folder(config: &Path) -> Result<PathBuf, Failure> {
    let text = fs::read_to_string(config)?;
    let target = text.lines().find_map(|line| line.strip_prefix("target = ")).unwrap_or("\"wasm32-wasip2\"");
    Ok(places::guest_target().join(target.trim_matches('"')).join("release"))
}
