//! What a start executes, placed together in the shipped runner (`xtask/link/in-order`), and how that is found out.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::demo::{Stopped, server_of};
use crate::dist::{self, Symbols};
use crate::say::{self, Failure};
use crate::test::packages;
use crate::{build, places};

/// The least part of the list, in percent, that a build must still have. Below that it describes another program.
const FOUND: usize = 75;

/// What is run to find out: a start with one request, one that reads a list, and a script as users write them.
const GUESTS: [(&str, &[&str]); 3] = [
    ("bench-one-get", &["/api/v1/namespaces/default/pods/pod-000000"]),
    ("bench-list", &["/api/v1/pods"]),
    ("list-pods", &[]),
];

/// What no run finds: callgrind shows no AVX-512.
const UNSEEN: [&str; 1] = ["_ZN13tidegate_kube4scan4skip4Skip16container_widest"];

/// The functions, one a line; those of Rust without their hashes.
fn list() -> PathBuf {
    places::root().join("xtask/link/start.order")
}

/// What the last link placed, as the linker was told it.
fn placed() -> PathBuf {
    places::target().join("start.placed")
}

/// Adds to a `cargo rustc … --` what has the runner linked in order.
pub(crate) fn link(cargo: &mut Command) -> Result<(), Failure> {
    let linker = places::root().join("xtask/link/in-order");
    let mut hasher = DefaultHasher::new();
    (fs::read(&linker)?, fs::read(list())?).hash(&mut hasher);
    cargo.env("TIDEGATE_ORDER", list()).env("TIDEGATE_PLACED", placed());
    cargo.arg(format!("-Clinker={}", linker.display()));
    // Cargo links anew where an argument changed, and looks into neither file.
    cargo.arg(format!("--cfg=start_order=\"{:x}\"", hasher.finish()));
    Ok(())
}

/// Says how much of the list the last link found.
///
/// Errors: too little.
pub(crate) fn check() -> Result<(), Failure> {
    let wanted = fs::read_to_string(list())?;
    let wanted: BTreeSet<&str> = wanted.lines().filter(|name| name.starts_with("_ZN")).collect();
    let placed = fs::read_to_string(placed())?;
    if placed.starts_with('#') {
        println!("what a start executes was not placed together: that takes lld, which rustc uses by itself");
        return Ok(());
    }
    let placed: BTreeSet<&str> =
        placed.lines().map(without_hash).filter(|name| wanted.contains(name)).collect();
    println!("{} of {} functions of a start placed together", placed.len(), wanted.len());
    if placed.len() * 100 < wanted.len() * FOUND {
        let cure = "cargo xtask order";
        return Err(Failure::usage(format!("less than {FOUND} % of them: renew the list by `{cure}`")));
    }
    Ok(())
}

/// `cargo xtask order`: runs starts under callgrind and writes down what they executed.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    packages(&[("valgrind", "valgrind")])?;
    let programs = dist::built(Symbols::Kept)?;
    let wasm = build::guests(&["--workspace"])?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    let mut server = Command::new(programs.join("tidegate-playground"));
    server.args(["--pods=1000", "--no-demo", "--stop-with-parent", "--kubeconfig-out"]).arg(&kubeconfig);
    let server = Stopped::started(&mut server, &kubeconfig)?;
    let tidegate = beside_a_slow_compiler(&programs, folder.path())?;
    let mut executed = BTreeSet::from(UNSEEN.map(str::to_owned));
    for (guest, arguments) in GUESTS {
        say::step(&format!("running {guest} under callgrind"));
        let profile = folder.path().join("profile");
        // The first run compiles the guest; the second finds it in the cache, as most do.
        for _ in 0..2 {
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--quiet", "--tool=callgrind", "--demangle=no"]);
            valgrind.arg(format!("--callgrind-out-file={}", profile.display())).arg(&tidegate).arg("run");
            valgrind.arg(format!("--kubeconfig={}", kubeconfig.display()));
            valgrind.arg(format!("--allow-read={}", kubeconfig.display()));
            valgrind.arg(format!("--allow-net={}", server_of(&kubeconfig)?)).arg("--transports=KubeConfig");
            valgrind.arg(format!("--cache={}", folder.path().join("compiled").display()));
            valgrind.arg(wasm.join(guest).with_extension("wasm")).arg("--").args(arguments);
            say::run(valgrind.stdout(Stdio::null()))?;
        }
        executed.extend(functions(&fs::read_to_string(&profile)?).map(str::to_owned));
    }
    drop(server);
    let lines: Vec<String> = executed.into_iter().collect();
    fs::write(list(), lines.join("\n") + "\n")?;
    println!("{} functions in {}", lines.len(), list().display());
    Ok(ExitCode::SUCCESS)
}

/// A copy of the runner beside a compiler that sees the processor as valgrind shows it: other machine code could not be loaded.
fn beside_a_slow_compiler(programs: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let (tidegate, compiler) = (folder.join("tidegate"), folder.join("tidegate-compile"));
    fs::copy(programs.join("tidegate"), &tidegate)?;
    let real = programs.join("tidegate-compile");
    fs::write(
        &compiler,
        format!("#!/bin/sh\nexec valgrind --quiet --tool=none '{}' \"$@\"\n", real.display()),
    )?;
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755))?;
    Ok(tidegate)
}

/// The functions that a profile of callgrind names. It gives each a number with its first mention, and the number alone after.
fn functions(profile: &str) -> impl Iterator<Item = &str> {
    profile.lines().filter_map(|line| {
        let rest = line.strip_prefix("fn=(").or_else(|| line.strip_prefix("cfn=("))?;
        let (_, name) = rest.split_once(") ")?;
        // A recursive call has its depth behind it; code without a symbol has an address for a name.
        let name = name.split('\'').next().unwrap_or(name);
        (!name.starts_with("0x") && !name.starts_with('(')).then(|| without_hash(name))
    })
}

/// A function's symbol less the hash at its end, where Rust gave it one.
fn without_hash(symbol: &str) -> &str {
    let hash = symbol.len().checked_sub("17h0123456789abcdefE".len());
    match hash.and_then(|at| symbol.split_at_checked(at)) {
        Some((name, hash)) if symbol.starts_with("_ZN") && hash.starts_with("17h") => name,
        _ => symbol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_profile_names() {
        let profile = "\
fl=(1) ???
fn=(12) _ZN3foo3bar17h0123456789abcdefE
16 4
cfn=(13) memcpy
calls=1 0
cfn=(12)
cfn=(14) _ZN3foo3baz17hfedcba9876543210E'2
fn=(15) 0x00000000004b3cc0
fn=(16) (below main)
fn=(17) _RNvCs1234_3std4main
";
        let names: Vec<&str> = functions(profile).collect();
        assert_eq!(names, ["_ZN3foo3bar", "memcpy", "_ZN3foo3baz", "_RNvCs1234_3std4main"]);
    }
}
