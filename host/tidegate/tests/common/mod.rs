//! What the tests of the library share: our compiler, guests, and a peer that answers as it is told.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests make hostile files and peers themselves"
)]
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

pub mod peer;

use std::env;
use std::path::{Path, PathBuf};

use tidegate::grants::{Grants, Kind};
use tidegate::{Cache, Captured, Engine, EngineBuilder, Input, Outcome, Output, RunBuilder, Script};

/// An engine whose cache is a folder of this test.
pub fn engine(cache: &Path) -> EngineBuilder {
    Engine::builder().cache(Cache::Folder(cache.to_owned())).compiler(compiler())
}

/// A cache that all tests share which do not look into it: compiling dominates otherwise.
pub fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// `tidegate-compile`, which no test can build for itself: one cargo invocation must not build both.
pub fn compiler() -> PathBuf {
    let beside = || env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let folder = env::var_os("TIDEGATE_PROGRAMS").map_or_else(beside, PathBuf::from);
    built(folder.join("tidegate-compile"), "cargo build -p tidegate-compiler")
}

/// A guest of the guest workspace.
pub fn guest(name: &str) -> PathBuf {
    let cache = env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".cache/tidegate");
    let folder = env::var_os("TIDEGATE_GUESTS")
        .map_or_else(|| cache.join("target-guests/wasm32-wasip1/release"), PathBuf::from);
    built(folder.join(format!("{name}.wasm")), "cargo xtask build")
}

fn built(path: PathBuf, how: &str) -> PathBuf {
    assert!(path.is_file(), "{} is not there; `{how}` builds it", path.display());
    path
}

/// A component from its text.
pub fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A component from its text, with debug information that names `file`.
pub fn component_with_lines(file: &str, text: &str) -> Vec<u8> {
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Lines);
    parser.parse_str(Some(Path::new(file)), text).unwrap()
}

/// A component whose `run` is this core function's body; its result is 0 for success.
pub fn program(body: &str) -> Vec<u8> {
    component(&program_text(body))
}

/// Its text.
pub fn program_text(body: &str) -> String {
    format!(
        r#"(component
            (core module $program (func $work (export "run") (result i32) {body}))
            (core instance $instance (instantiate $program))
            (func $run (result (result)) (canon lift (core func $instance "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exported)))"#
    )
}

/// A run that reads nothing, and what it writes.
pub fn quiet(script: &Script) -> (RunBuilder, Captured, Captured) {
    let (stdout, out) = Output::capture(1 << 20);
    let (stderr, err) = Output::capture(1 << 20);
    let run = script.run().user_agent("tidegate-tests").stdin(Input::null()).stdout(stdout).stderr(stderr);
    (run, out, err)
}

/// Runs a guest with these grants and arguments; what it printed, and how it ended.
pub async fn run(script: &Script, grants: Grants, arguments: &[&str]) -> (String, Outcome) {
    let (run, out, err) = quiet(script);
    let outcome = run.grants(grants).arguments(arguments.iter().copied()).start().await.unwrap();
    (out.text() + &err.text(), outcome)
}

/// A grant of one endpoint.
pub fn net(endpoint: &str) -> Grants {
    Grants::builder().allow(Kind::Net, Some(endpoint)).unwrap().build()
}
