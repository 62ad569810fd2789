//! One guest, four transports, two API servers: the same cases must pass everywhere.
//!
//! Covers: T5, T12
// Parts of T6, T7 (without exec and tunnels), T3 (without rotation) and T9 (its caps are driven in hostile_server.rs).

use tidegate_tests::{Run, Server, Target};

/// Long enough for a transport that starts a process for each request, on a busy machine.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(300);

fn conformance(server: &Server, via: &str, prefix: &str) -> Run {
    let run = Run::guest("conformance").deadline(DEADLINE);
    run.argument("--via")
        .argument(via)
        .argument("--prefix")
        .argument(prefix)
        .argument("all")
        .variable("KUBECONFIG", &server.kubeconfig)
}

/// Every case that is not skipped for a reason that the transport gave passed, and there were many.
#[track_caller]
fn expect_all_passed(run: Run, fewest: usize) {
    let outcome = run.run();
    println!("{}", outcome.stdout);
    let count = |word: &str| outcome.stdout.lines().filter(|line| line.starts_with(word)).count();
    let (failed, passed) = (count("FAIL "), count("ok "));
    let outcome = outcome.expect_code(0);
    assert_eq!(failed, 0, "{}", outcome.stdout);
    assert!(passed >= fewest, "only {passed} cases passed:\n{}", outcome.stdout);
}

fn in_cluster(target: Target) {
    let server = Server::of(target);
    let run = conformance(server, "in-cluster", "c1")
        .flag_path("--service-account", &server.service_account)
        .flag_path("--allow-read", &server.service_account)
        .flag(format!("--in-cluster-address={}", server.address))
        .flag(format!("--allow-net={}", server.address));
    expect_all_passed(run, 30);
}

fn kube_config(target: Target) {
    let server = Server::of(target);
    let run = conformance(server, "kube-config", "c2")
        .flag("--allow-env=KUBECONFIG,HOME")
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address));
    expect_all_passed(run, 30);
}

fn kubectl_proxy(target: Target) {
    let server = Server::of(target);
    let proxy = server.kubectl_proxy();
    let run = conformance(server, &format!("kubectl-proxy={}", proxy.url()), "c3")
        .flag(format!("--allow-net={}", proxy.address()));
    expect_all_passed(run, 30);
}

fn kubectl_raw(target: Target) {
    let server = Server::of(target);
    let kubectl = server.kubectl();
    let program = std::path::Path::new(kubectl.get_program());
    let run = conformance(server, "kubectl-raw", "c4")
        .flag_path("--kubectl", program)
        .flag_path("--allow-run", program);
    expect_all_passed(run, 20);
}

#[test]
fn in_cluster_on_the_playground() {
    in_cluster(Target::Playground);
}

#[test]
fn in_cluster_on_the_real_server() {
    in_cluster(Target::Real);
}

#[test]
fn kube_config_on_the_playground() {
    kube_config(Target::Playground);
}

#[test]
fn kube_config_on_the_real_server() {
    kube_config(Target::Real);
}

#[test]
fn kubectl_proxy_on_the_playground() {
    kubectl_proxy(Target::Playground);
}

#[test]
fn kubectl_proxy_on_the_real_server() {
    kubectl_proxy(Target::Real);
}

#[test]
fn kubectl_raw_on_the_playground() {
    kubectl_raw(Target::Playground);
}

#[test]
fn kubectl_raw_on_the_real_server() {
    kubectl_raw(Target::Real);
}
