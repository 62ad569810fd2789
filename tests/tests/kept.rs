//! A guest that was built against the first WIT still runs: the WIT only grows.

use std::path::Path;

use tidegate_tests::{Run, Server, Target};

fn kept(target: Target) {
    let server = Server::of(target);
    let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/kept/first-0.1.0.wasm");
    let run = Run::guest(binary.to_str().unwrap())
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address));
    let outcome = run.argument("default").run().expect_code(0);
    assert!(outcome.stdout.ends_with("all as it was\n"), "{}", outcome.stdout);
}

#[test]
fn the_first_guest_on_the_playground() {
    kept(Target::Playground);
}

#[test]
fn the_first_guest_on_the_real_server() {
    kept(Target::Real);
}
