//! A guest that was built with debug information, as `cargo build` does, traps with the lines of its source.

use std::path::{Path, PathBuf};
use std::process::Command;

use tidegate_tests::Run;

/// Ways to trap, each on a line of its own.
const SOURCE: &str = r#"
use std::hint::black_box;

#[inline(never)]
fn outside(list: &[u8]) -> u8 {
    list[black_box(7)] // outside of the list
}

#[inline(never)]
fn divided(by: u32) -> u32 {
    7 / by // divided by zero
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("outside") => println!("{}", outside(black_box(&[1, 2]))), // called it
        Some("divided") => println!("{}", divided(black_box(0))), // called that
        _ => std::process::abort(), // aborted
    }
}
"#;

/// The component, built with the guests' own toolchain.
fn built(folder: &Path) -> PathBuf {
    std::fs::create_dir(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/main.rs"), SOURCE).unwrap();
    let manifest = "[package]\nname = \"trapping\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/setup");
    let config = Command::new(setup).output().unwrap();
    assert!(config.status.success(), "{}", String::from_utf8_lossy(&config.stderr));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("--config").arg(String::from_utf8(config.stdout).unwrap().lines().last().unwrap());
    cargo.args(["build", "--quiet", "--target-dir"]).arg(folder.join("target")).current_dir(folder);
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC"] {
        cargo.env_remove(name);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let targets = ["wasm32-wasip2", "wasm32-wasip1"].map(|target| folder.join("target").join(target));
    let built =
        targets.into_iter().map(|target| target.join("debug/trapping.wasm")).find(|path| path.is_file());
    built.expect("a component")
}

#[test]
fn a_trap_shows_the_guests_source_lines() {
    let folder = tempfile::tempdir().unwrap();
    let script = built(folder.path());
    let line = |part: &str| 1 + SOURCE.lines().position(|line| line.contains(part)).unwrap();
    let rows: [(&str, &[(&str, &str)]); 3] = [
        ("outside", &[("trapping::outside", "// outside of"), ("trapping::main", "// called it")]),
        ("divided", &[("trapping::divided", "// divided by"), ("trapping::main", "// called that")]),
        ("abort", &[("trapping::main", "// aborted")]),
    ];
    for (way, frames) in rows {
        let run = Run::guest(script.to_str().unwrap()).flag("--no-cache").argument(way);
        let outcome = run.run().expect_code(134);
        for (function, part) in frames {
            let place = format!("src/main.rs:{}", line(part));
            let shown = |line: &str| line.contains(&format!("at {function} (")) && line.contains(&place);
            assert!(
                outcome.stderr.lines().any(shown),
                "{way}: no {function} at {place} in {}",
                outcome.stderr
            );
        }
    }
}
