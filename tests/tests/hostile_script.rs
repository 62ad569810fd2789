//! What is given as a script and is none, or is more than one: it does not start, and the reason says what it is.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidegate_tests::{Outcome, Run, guest};

/// A core module with nothing in it.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// A component with nothing in it.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

struct Scripts {
    folder: TempDir,
}

impl Scripts {
    fn new() -> Scripts {
        Scripts { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.path("script.wasm");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn run(script: &Path) -> Outcome {
    Run::guest(script.to_str().unwrap()).flag("-A").run()
}

#[track_caller]
fn refused(what: &str, script: &Path, expected: &str) {
    let outcome = run(script);
    assert_eq!(outcome.code(), 125, "{what}: {outcome:?}");
    assert!(outcome.stderr.contains("error: ") && outcome.stderr.contains(expected), "{what}: {outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{what}: {outcome:?}");
    let lines = outcome.stderr.lines().count();
    assert!(lines < 15, "{what}: {lines} lines: {}", outcome.stderr);
}

#[test]
fn what_is_no_component_is_told_apart() {
    let scripts = Scripts::new();
    for (what, bytes, expected) in [
        ("empty", &b""[..], "is not WebAssembly"),
        ("text", b"#!/bin/sh\necho owned\n", "is not WebAssembly"),
        ("WebAssembly text", b"(component)", "is not WebAssembly"),
        ("JavaScript", b"console.log(1)", "is not WebAssembly"),
        ("a program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", "is compiled already"),
        ("a module", MODULE, "is a core WebAssembly module"),
        ("another version", b"\0asm\x0e\0\x01\0", "is not a valid component"),
        ("four bytes", b"\0asm", "is not a valid component"),
        ("nothing to run", COMPONENT, "does not export wasi:cli/run"),
        ("a broken section", b"\0asm\x0d\0\x01\0\x07\xff\xff\xff\xff\x0f", "is not a valid component"),
        ("an unknown section", b"\0asm\x0d\0\x01\0\x7f\x01\0", "is not a valid component"),
    ] {
        refused(what, &scripts.write(bytes), expected);
    }
}

#[test]
fn a_component_that_is_cut_short_or_damaged_does_not_start() {
    let scripts = Scripts::new();
    let whole = std::fs::read(guest("spin")).unwrap();
    let length = whole.len();
    for kept in [9, 100, length / 4, length / 2, length - 1_000, length - 1] {
        refused(
            &format!("{kept} of {length} bytes"),
            &scripts.write(&whole[..kept]),
            "is not a valid component",
        );
    }
    let mut damaged = whole;
    damaged[length / 3..][..64].fill(0xff);
    refused("64 bytes in it", &scripts.write(&damaged), "is not a valid component");
}

#[test]
fn a_component_that_wants_what_is_not_offered_says_what() {
    let scripts = Scripts::new();
    let whole = std::fs::read(guest("ask")).unwrap();
    for (have, want, expected) in [
        (
            "tidegate:host/detect@0.1.0",
            "tidegate:host/detach@0.1.0",
            "imports what tidegate does not offer: tidegate:host/detach@0.1.0",
        ),
        (
            "tidegate:host/detect@0.1.0",
            "evilgate:host/detect@0.1.0",
            "imports what tidegate does not offer: evilgate:host/detect@0.1.0",
        ),
        ("tidegate:host/detect@0.1.0", "tidegate:host/detect@0.9.0", "tidegate:host/detect@0.9.0"),
        ("auto-detect-client", "auto-detect-knight", "was built for another version of tidegate"),
    ] {
        refused(want, &scripts.write(&replaced(&whole, have, want)), expected);
    }
}

/// Every occurrence replaced by a text of the same length, so that nothing else moves.
fn replaced(bytes: &[u8], have: &str, want: &str) -> Vec<u8> {
    assert_eq!(have.len(), want.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(have.len())
        .enumerate()
        .filter(|(_, window)| *window == have.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "no {have}");
    for at in places {
        bytes[at..][..want.len()].copy_from_slice(want.as_bytes());
    }
    bytes
}

/// Machine code is trusted code: only what our own compiler wrote into our own cache is loaded.
#[test]
fn machine_code_that_is_given_as_a_script_is_refused() {
    let scripts = Scripts::new();
    let cache = scripts.path("cache");
    Run::guest("spin").flag_path("--cache", &cache).arguments(&["exit", "0"]).run().expect_code(0);
    let entry = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    refused("the entry of a cache", &entry, "is not WebAssembly");
    let bytes = std::fs::read(&entry).unwrap();
    let start = bytes.windows(4).position(|window| window == b"\x7fELF").unwrap();
    let cwasm = scripts.path("spin.cwasm");
    std::fs::write(&cwasm, &bytes[start..]).unwrap();
    refused("a .cwasm", &cwasm, "is compiled already: machine code is never taken from a file");
    let named_wasm = scripts.write(&bytes[start..]);
    refused("a .cwasm by another name", &named_wasm, "is compiled already");
}

#[test]
fn what_is_no_file_does_not_start_and_does_not_wait() {
    let scripts = Scripts::new();
    let fifo = scripts.path("fifo.wasm");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let loops = scripts.path("loop.wasm");
    std::os::unix::fs::symlink("loop.wasm", &loops).unwrap();
    for path in
        [scripts.path("nothing.wasm"), scripts.folder.path().to_path_buf(), fifo, loops, "/dev/zero".into()]
    {
        refused(&path.display().to_string(), &path, "there is no script at");
    }
}

/// A script's name is shown to people and sent to servers.
#[test]
fn a_hostile_file_name_stays_a_name() {
    let scripts = Scripts::new();
    let path = scripts.path("\u{1b}[31mred\r\nX-Evil: yes.wasm");
    std::fs::copy(guest("spin"), &path).unwrap();
    let outcome =
        Run::guest(path.to_str().unwrap()).flag("--no-cache").arguments(&["exit", "7"]).run().expect_code(7);
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\r'), "{outcome:?}");
    std::fs::write(&path, b"text").unwrap();
    let outcome = run(&path).expect_code(125);
    assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\r'), "{outcome:?}");

    let peer =
        tidegate_tests::Peer::answering(|asked| asked.or_api(|| vec![tidegate_tests::Act::json("{}")]));
    std::fs::copy(guest("ask"), &path).unwrap();
    let run = Run::guest(path.to_str().unwrap()).flag("-A").flag_path("--kubeconfig", &peer.kubeconfig());
    run.arguments(&["--via", "kube-config", "/x"]).run().expect_code(0);
    let seen = peer.seen();
    assert!(seen.iter().all(|asked| asked.header("x-evil").is_none()), "{seen:?}");
}
