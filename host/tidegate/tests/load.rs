//! Loading: what is refused and how, the cache, and the compiler.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests make hostile files themselves"
)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{compiler, component, engine, program};
use tidegate::{Allocator, Engine, LoadError, Pooling, Progress};

async fn load_error(engine: &Engine, bytes: &[u8]) -> LoadError {
    match engine.load_bytes("x", bytes).await {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_told_apart_and_has_a_cure() {
    let cache = tempfile::tempdir().unwrap();
    let engine = engine(cache.path()).build().unwrap();
    let good = program("i32.const 0");
    let strange = component(
        r#"(component
            (import "wasi:keyvalue/store@0.2.0" (instance (export "get" (func))))
            (import "tidegate:host/registry@0.1.0" (instance (export "lookup" (func))))
            (core module $program (func (export "run") (result i32) i32.const 0))
            (core instance $instance (instantiate $program))
            (func $run (result (result)) (canon lift (core func $instance "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exported)))"#,
    );
    let newer = component(
        r#"(component
            (import "tidegate:host/permissions@0.1.9" (instance (export "request" (func (param "kind" string)))))
            (core module $program (func (export "run") (result i32) i32.const 0))
            (core instance $instance (instantiate $program))
            (func $run (result (result)) (canon lift (core func $instance "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exported)))"#,
    );
    let cases: [(&str, &[u8], &str); 8] = [
        ("empty", b"", "x is not WebAssembly"),
        ("text", b"(component)", "x is not WebAssembly"),
        ("core module", b"\0asm\x01\0\0\0", "x is a core WebAssembly module"),
        ("machine code", b"\x7fELF\x02\x01\x01", "x is compiled already"),
        ("truncated", &good[..good.len() - 7], "x is not a valid component: "),
        ("nothing to run", &component("(component)"), "x does not export wasi:cli/run"),
        (
            "strange imports",
            &strange,
            "x imports what tidegate does not offer: wasi:keyvalue/store@0.2.0, tidegate:host/registry@0.1.0",
        ),
        ("a newer tidegate's import", &newer, "x was built for another version of tidegate: "),
    ];
    for (what, bytes, expected) in cases {
        let error = load_error(&engine, bytes).await;
        assert!(error.to_string().starts_with(expected), "{what}: {error}");
        assert!(error.cure().is_some(), "{what}");
    }
    let file = cache.path().join("strange.wasm");
    fs::write(&file, &strange).unwrap();
    let inspected = engine.inspect_file(&file).await.unwrap();
    assert_eq!((inspected.name.as_str(), inspected.size), ("strange", strange.len() as u64));
    assert_eq!(inspected.interfaces.strange().len(), 2);
    assert!(!inspected.interfaces.fits_script());

    let absent = engine.load_file("/nonexistent/x.wasm").await.err().unwrap();
    assert!(matches!(absent, LoadError::Read { .. }), "{absent}");
}

#[tokio::test]
async fn what_is_compiled_once_needs_no_compiler_again() {
    let cache = tempfile::tempdir().unwrap();
    let component = program("i32.const 0");
    engine(cache.path()).build().unwrap().load_bytes("x", &component).await.unwrap();
    let entry = only_entry(cache.path());
    assert_eq!(fs::metadata(&entry).unwrap().permissions().mode() & 0o777, 0o600);

    let without = || engine(cache.path()).compiler("/nonexistent/tidegate-compile").build().unwrap();
    without().load_bytes("x", &component).await.unwrap();
    let file = tempfile::tempdir().unwrap();
    let file = (file.path().join("x.wasm"), file);
    fs::write(&file.0, &component).unwrap();
    assert_eq!(without().load_file(&file.0).await.unwrap().size(), component.len() as u64);
    let pooled = Allocator::Pooling(Pooling { guests: 4, ..Pooling::default() });
    let pooled =
        engine(cache.path()).compiler("/nonexistent/tidegate-compile").allocator(pooled).build().unwrap();
    pooled.load_bytes("x", &component).await.unwrap();
    let error = load_error(&without(), &program("i32.const 1")).await;
    assert!(matches!(error, LoadError::NoCompiler { .. }), "{error}");
}

/// Each way to spoil an entry: it is told, compiled again, and replaced.
#[tokio::test]
async fn an_entry_that_cannot_be_trusted_is_replaced() {
    type Spoil = fn(&Path);
    fn flip(entry: &Path, find: impl Fn(&[u8]) -> usize) {
        let mut bytes = fs::read(entry).unwrap();
        let at = find(&bytes);
        bytes[at] ^= 1;
        fs::write(entry, bytes).unwrap();
    }
    fn code(bytes: &[u8]) -> usize {
        bytes.windows(4).position(|window| window == b"\x7fELF").unwrap()
    }
    let spoilers: [(&str, Spoil); 12] = [
        ("a changed byte", |entry| flip(entry, |bytes| bytes.len() - 1)),
        ("other magic", |entry| flip(entry, |_| 0)),
        ("another length of what names the engine", |entry| flip(entry, |_| 8)),
        ("another engine", |entry| flip(entry, |_| 20)),
        ("another digest", |entry| flip(entry, |bytes| code(bytes) - 1)),
        ("cut within the digest", |entry| {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, &bytes[..code(&bytes) - 3]).unwrap();
        }),
        ("a byte more", |entry| {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, [&bytes[..], b"x"].concat()).unwrap();
        }),
        ("cut short", |entry| {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("empty", |entry| fs::write(entry, b"").unwrap()),
        ("writable by others", |entry| {
            fs::set_permissions(entry, fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("a link", |entry| {
            let elsewhere = entry.with_extension("elsewhere");
            fs::rename(entry, &elsewhere).unwrap();
            symlink(&elsewhere, entry).unwrap();
        }),
        ("bare machine code", |entry| {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, &bytes[code(&bytes)..]).unwrap();
        }),
    ];
    let component = program("i32.const 0");
    for (what, spoil) in spoilers {
        let cache = tempfile::tempdir().unwrap();
        engine(cache.path()).build().unwrap().load_bytes("x", &component).await.unwrap();
        let entry = only_entry(cache.path());
        let good = fs::read(&entry).unwrap();
        spoil(&entry);

        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = told.clone();
        let engine =
            engine(cache.path()).progress(move |progress| teller.lock().unwrap().push(progress.clone()));
        engine.build().unwrap().load_bytes("x", &component).await.unwrap();
        let told = told.lock().unwrap();
        assert!(
            matches!(
                told[..],
                [Progress::Warning { .. }, Progress::Compiling { .. }, Progress::Compiled { .. }]
            ),
            "{what}: {told:?}"
        );
        assert_eq!(fs::read(&entry).unwrap(), good, "{what}");
        assert!(!fs::symlink_metadata(&entry).unwrap().is_symlink(), "{what}");
    }
}

#[tokio::test]
async fn a_folder_that_others_can_write_is_not_used() {
    let cache = tempfile::tempdir().unwrap();
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o777)).unwrap();
    engine(cache.path()).build().unwrap().load_bytes("x", &program("i32.const 0")).await.unwrap();
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_cache_keeps_to_its_limit_and_what_was_just_compiled() {
    let cache = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let component = program(&format!("i32.const {number} drop i32.const 0"));
        engine(cache.path()).cache_limit(1).build().unwrap().load_bytes("x", &component).await.unwrap();
        only_entry(cache.path());
    }
}

#[tokio::test]
async fn two_that_compile_the_same_both_succeed() {
    let cache = tempfile::tempdir().unwrap();
    let (one, other) = (engine(cache.path()).build().unwrap(), engine(cache.path()).build().unwrap());
    let component = program("i32.const 0 i32.const 5 i32.add drop i32.const 0");
    let (one, other) = tokio::join!(one.load_bytes("x", &component), other.load_bytes("x", &component));
    assert!(one.is_ok() && other.is_ok());
    only_entry(cache.path());
}

#[tokio::test]
async fn a_compiler_that_fails_says_how() {
    let cache = tempfile::tempdir().unwrap();
    let component = program("i32.const 0");
    let script = |text: &str| {
        let path = cache.path().join("compiler");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    };
    let cases: [(&str, &str); 5] = [
        ("exit 0", "the compiler was ended while it compiled x: exit code 0."),
        ("kill -9 $$", "the compiler was ended while it compiled x: signal 9."),
        ("echo too old >&2; exit 64", "x cannot be compiled: too old"),
        ("echo offset 5 >&2; exit 65", "x is not a valid component: offset 5"),
        ("cat > /dev/null; echo nonsense", "the compiled form of x cannot be loaded: "),
    ];
    for (text, expected) in cases {
        let engine = engine(&cache.path().join("cache")).compiler(script(text)).build().unwrap();
        let error = load_error(&engine, &component).await.to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let small =
        engine(&cache.path().join("cache")).compiler(compiler()).compiler_memory(8 << 20).build().unwrap();
    let error = load_error(&small, &component).await;
    assert!(matches!(error, LoadError::CompilerDied { .. } | LoadError::NoCompiler { .. }), "{error}");
}

fn only_entry(cache: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}
