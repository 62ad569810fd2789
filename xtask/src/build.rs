//! Builds the programs and the guests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::places;
use crate::say::{self, Failure};

/// The programs and the packages that make them. Built apart: one cargo invocation would unify their features, and the
/// runner would carry the compiler's.
const PROGRAMS: [(&str, &str); 3] = [
    ("tidegate", "tidegate-cli"),
    ("tidegate-compile", "tidegate-compiler"),
    ("tidegate-playground", "tidegate-playground"),
];

/// The most that the shipped runner may weigh, in bytes.
const RUNNER_CAP: u64 = 10_500_000;

/// What is shipped is built for. Named, so that `FLAGS` are the programs' and not the build scripts'.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Static, with relocations in their short form: the loader is a fifth of a start. And a program that aborts on panic unwinds
/// nothing: the tables for it are a tenth of its size.
const FLAGS: &str =
    "-Ctarget-feature=+crt-static -Clink-arg=-Wl,-z,pack-relative-relocs -Cforce-unwind-tables=no";

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

/// Builds the programs as they are shipped; the folder that they are in.
pub(crate) fn shipped() -> Result<PathBuf, Failure> {
    for (program, package) in PROGRAMS {
        say::step(&format!("building {program} as shipped (LTO, a few minutes the first time)"));
        let arguments = [
            "rustc",
            "--locked",
            "--profile",
            "dist",
            "--target",
            TARGET,
            "--package",
            package,
            "--bin",
            program,
        ];
        let mut cargo = places::cargo();
        cargo.args(arguments).env("RUSTFLAGS", FLAGS);
        if program == "tidegate" {
            // Only of the last link, so that nothing is built again for it.
            let script = places::root().join("xtask/no-unwinding.ld");
            cargo.arg("--").arg(format!("-Clink-arg=-Wl,--no-eh-frame-hdr,-T,{}", script.display()));
        }
        say::run(&mut cargo)?;
    }
    Ok(places::target().join(TARGET).join("dist"))
}

/// `cargo xtask dist`: the shipped programs, and what must hold of them.
pub(crate) fn dist() -> Result<ExitCode, Failure> {
    let folder = shipped()?;
    for (program, _) in PROGRAMS {
        let size = fs::metadata(folder.join(program))?.len();
        println!("{program}: {:.1} MB", size as f64 / 1e6);
        if program == "tidegate" && size > RUNNER_CAP {
            return Err(Failure::usage(format!("tidegate weighs {size} bytes, the cap is {RUNNER_CAP}")));
        }
    }
    runner_is_lean()?;
    println!("in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// The runner starts at once because it carries no compiler.
fn runner_is_lean() -> Result<(), Failure> {
    let arguments =
        ["tree", "--locked", "--package", "tidegate-cli", "--edges", "normal", "--prefix", "none"];
    let tree = places::cargo().args(arguments).stderr(Stdio::inherit()).output()?;
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    for crate_name in ["cranelift-codegen", "wasmtime-internal-cranelift", "regalloc2", "kube-client"] {
        if tree.lines().any(|line| line.starts_with(&format!("{crate_name} "))) {
            return Err(Failure::usage(format!(
                "tidegate links {crate_name}; see `cargo tree -p tidegate-cli`"
            )));
        }
    }
    Ok(())
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
