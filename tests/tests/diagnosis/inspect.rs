//! `tidegate inspect`: what a component imports and needs.

use tidegate_tests::{Run, guest};

#[test]
fn inspect_shows_imports_and_hints_and_runs_nothing() {
    let (outcome, trace) = Run::command("inspect").flag(guest("probe-wasi")).traced();
    let outcome = outcome.expect_code(0);
    for part in [
        "probe-wasi: a component of ",
        "language: Rust",
        "rustc 1.",
        "world: fits tidegate:host/script",
        "  wasi:sockets/tcp@0.2.",
        "  wasi:cli/run@0.2.",
        "--wasi-net",
    ] {
        assert!(outcome.stdout.contains(part), "no {part:?} in {}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("nothing preopens") && !trace.contains("connect("), "{outcome:?}");

    let folder = tempfile::tempdir().unwrap();
    let strange = folder.path().join("strange.wasm");
    let bytes = std::fs::read(guest("ask")).unwrap();
    let (have, want) = (b"tidegate:host/detect@0.1.0", b"tidegate:host/detach@0.1.0");
    let mut changed = bytes.clone();
    for at in (0..bytes.len() - have.len()).filter(|at| bytes[*at..].starts_with(have)) {
        changed[at..][..want.len()].copy_from_slice(want);
    }
    std::fs::write(&strange, changed).unwrap();
    let outcome = Run::command("inspect").flag(&strange).run().expect_code(0);
    assert!(outcome.stdout.contains("world: does not fit tidegate:host/script"), "{outcome:?}");
    assert!(
        outcome.stdout.contains("  tidegate:host/detach@0.1.0 (tidegate does not offer this)"),
        "{outcome:?}"
    );
    for bytes in [&b"text"[..], b"\0asm\x01\0\0\0", b""] {
        std::fs::write(&strange, bytes).unwrap();
        let outcome = Run::command("inspect").flag(&strange).run().expect_code(125);
        assert!(
            outcome.stderr.contains("error: strange is ") && outcome.stderr.contains("cure: "),
            "{outcome:?}"
        );
    }
}
