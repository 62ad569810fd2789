//! Discovery, hooks and operations: from guests and from the library, on the playground and the real control plane, beside the real kubectl.
//!
//! Covers: A12, A13, A14

mod hooks;
mod library;
mod names;

use std::time::Duration;

use tidegate_tests::{Run, Server, Target};

const DEADLINE: Duration = Duration::from_secs(300);

fn granted(name: &str, server: &Server) -> Run {
    Run::guest(name)
        .deadline(DEADLINE)
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
}

fn guests_operations(target: Target) {
    let outcome = granted("operations", Server::of(target)).argument("ops").run();
    println!("{}", outcome.stdout);
    let passed = outcome.stdout.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(outcome.expect_code(0).stdout.len() > passed && passed >= 12, "only {passed} cases passed");
}

#[test]
fn guests_operations_on_the_playground() {
    guests_operations(Target::Playground);
}

#[test]
fn guests_operations_on_the_real_server() {
    guests_operations(Target::Real);
}
