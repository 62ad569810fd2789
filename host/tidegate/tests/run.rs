//! Endings, and guests beside each other.

mod common;

use std::time::Duration;

use common::{component_with_lines, engine, guest, program, program_text, quiet, run, shared_cache};
use tidegate::grants::{Grants, Kind};
use tidegate::{Allocator, Ending, Engine, Pooling, RunError};
use tokio::time::{sleep, timeout};

async fn ending(engine: &Engine, body: &str) -> Ending {
    let script = engine.load_bytes("x", &program(body)).await.unwrap();
    quiet(&script).0.start().await.unwrap().ending
}

#[tokio::test]
async fn endings() {
    let engine = engine(&shared_cache()).build().unwrap();
    assert_eq!(ending(&engine, "i32.const 0").await, Ending::Exited(0));
    assert_eq!(ending(&engine, "i32.const 1").await, Ending::Exited(1));
    let traps = [
        ("unreachable", "the guest panicked or reached code that it calls unreachable"),
        ("i32.const 1 i32.const 0 i32.div_u", "the guest trapped: wasm trap: integer divide by zero"),
        ("call $work", "the guest's call stack is exhausted: it recurses too deeply"),
    ];
    for (body, message) in traps {
        let Ending::Trapped(trap) = ending(&engine, body).await else { panic!("{body} did not trap") };
        assert_eq!(trap.message, message, "{body}");
        assert_eq!(trap.frames[0].function, "work", "{body}: {trap}");
    }
}

/// A guest built with debug information traps with the lines of its source.
#[tokio::test]
async fn a_trap_shows_source_lines() {
    let engine = engine(&shared_cache()).build().unwrap();
    let text = program_text("\n(call $inner)\n) (func $inner (result i32)\nunreachable");
    let script = engine.load_bytes("x", &component_with_lines("guest.wat", &text)).await.unwrap();
    let Ending::Trapped(trap) = quiet(&script).0.start().await.unwrap().ending else { panic!() };
    let line = |part: &str| 1 + text.lines().position(|line| line.contains(part)).unwrap();
    let expected = [("inner", line("unreachable")), ("work", line("call $inner"))];
    for (frame, (function, line)) in trap.frames.iter().zip(expected) {
        assert_eq!(frame.function, function, "{trap}");
        let source = frame.source.as_deref().unwrap_or_default();
        assert!(source.contains(&format!("guest.wat:{line}")), "{trap}");
    }
    assert_eq!(trap.frames.len(), 2, "{trap}");
}

#[tokio::test]
async fn a_run_without_a_user_agent_is_refused() {
    let engine = engine(&shared_cache()).build().unwrap();
    let script = engine.load_bytes("x", &program("i32.const 0")).await.unwrap();
    let error = script.run().start().await.unwrap_err();
    assert!(matches!(error, RunError::NoUserAgent) && error.cure().is_some());
}

/// A guest that never calls the host can be told to end, and can be dropped.
#[tokio::test]
async fn a_busy_guest_gives_way() {
    let engine = engine(&shared_cache()).build().unwrap();
    let script = engine.load_bytes("x", &program("(loop br 0) i32.const 0")).await.unwrap();
    let ticker = engine.clone();
    std::thread::spawn(move || {
        for _ in 0..500 {
            std::thread::sleep(Duration::from_millis(10));
            ticker.interrupt();
        }
    });
    let until = quiet(&script).0.until(sleep(Duration::from_millis(50))).start().await.unwrap();
    assert_eq!(until.ending, Ending::Interrupted);
    assert!(timeout(Duration::from_millis(50), quiet(&script).0.start()).await.is_err());
}

#[tokio::test]
async fn a_guests_own_code_arguments_and_streams() {
    let engine = engine(&shared_cache()).build().unwrap();
    let script = engine.load_file(guest("spin")).await.unwrap();
    assert_eq!(script.name(), "spin");
    let (text, outcome) = run(&script, Grants::none(), &["arguments", "a b", "ü"]).await;
    assert_eq!((text.as_str(), outcome.ending), ("a b\nü\n", Ending::Exited(0)));
    let (_, outcome) = run(&script, Grants::none(), &["exit", "42"]).await;
    assert_eq!(outcome.ending, Ending::Exited(42));
    let (text, outcome) = run(&script, Grants::none(), &["panic"]).await;
    assert!(text.contains("as told"), "{text}");
    let Ending::Trapped(trap) = outcome.ending else { panic!("{outcome:?}") };
    assert!(trap.frames.iter().any(|frame| frame.function == "spin::main"), "{trap}");

    let (echo, out, _) = quiet(&script);
    let echo = echo.stdin(tidegate::Input::bytes("hello")).arguments(["echo"]);
    assert_eq!(echo.start().await.unwrap().ending, Ending::Exited(0));
    assert_eq!(out.text(), "hello");
}

/// The refusal that a guest did not handle is what its run ends with.
#[tokio::test]
async fn an_unhandled_refusal_names_the_flag() {
    let engine = engine(&shared_cache()).build().unwrap();
    let script = engine.load_file(guest("handles")).await.unwrap();
    let (text, outcome) = run(&script, Grants::none(), &["refused"]).await;
    assert_eq!(text, "permission-denied [\"--allow-net=localhost:8001\"]\n");
    assert_eq!(outcome.exit_code(), 126);
    assert_eq!(outcome.ending, Ending::Refused { missing: vec!["--allow-net=localhost:8001".to_owned()] });
}

/// Two hundred tenants at once, each with its own grant: none sees another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_share_nothing() {
    const TENANTS: usize = 200;
    let pooling = Pooling { guests: TENANTS as u32, ..Pooling::default() };
    let engine = engine(&shared_cache()).allocator(Allocator::Pooling(pooling)).build().unwrap();
    let script = engine.load_file(guest("handles")).await.unwrap();
    let tenant = |index: usize| format!("TENANT_{index}");
    let runs: Vec<_> = (0..TENANTS)
        .map(|index| {
            let script = script.clone();
            tokio::spawn(async move {
                let (own, next) = (tenant(index), tenant((index + 1) % TENANTS));
                let mut grants = Grants::builder();
                grants.allow(Kind::Env, Some(&own)).unwrap().wasi(Kind::Env, Some(&own)).unwrap();
                let grants = grants.build();
                let (text, outcome) = run(&script, grants, &["query", "env", &own, &next]).await;
                assert_eq!(text, format!("{own} granted\n{next} denied\n"));
                assert_eq!(outcome.ending, Ending::Exited(0));
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
}
