//! Where a pod's API server is, what that needs, and who may say otherwise.

use std::net::Ipv6Addr;

use tidegate_tests::{Act, Asked, Manner, Network, Outcome, Peer, Run, Shown, TOKEN};

const ENVIRONMENT: &str = "--allow-env=KUBERNETES_SERVICE_HOST,KUBERNETES_SERVICE_PORT";

fn answer(asked: &Asked) -> Vec<Act> {
    asked.or_api(|| vec![Act::json("{}")])
}

fn pod(peer: &Peer) -> Run {
    Run::guest("ask").flag_path("--service-account", &peer.folder()).arguments(&[
        "--via",
        "in-cluster",
        "/api/v1/namespaces/{namespace}/pods",
    ])
}

fn with_account(peer: &Peer) -> Run {
    pod(peer).flag_path("--allow-read", &peer.folder())
}

/// The peer was asked last for what is in the account's own namespace, with its token.
#[track_caller]
fn expect_asked(peer: &Peer, outcome: Outcome) {
    outcome.expect_code(0);
    let asked = peer.seen().pop().unwrap();
    assert_eq!(asked.target, "/api/v1/namespaces/web/pods");
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
}

fn missing(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix("missing "));
    // For a shell: brackets are quoted.
    lines.map(|flag| flag.trim_matches('\'')).collect()
}

#[test]
fn it_needs_the_folder_then_the_address_and_nothing_else() {
    let peer = Peer::answering(answer);
    let address = format!("--in-cluster-address={}", peer.address());
    let (read, net) =
        (format!("--allow-read={}", peer.folder().display()), format!("--allow-net={}", peer.address()));
    let (outcome, trace) = pod(&peer).flag(&address).traced();
    assert_eq!(missing(&outcome), [read.as_str()], "{outcome:?}");
    let token = peer.folder().join("token").display().to_string();
    assert!(!trace.contains(&format!("\"{token}\"")), "{trace}");
    let outcome = pod(&peer).flag(&address).flag(&read).run();
    assert_eq!(missing(&outcome), [net.as_str()], "{outcome:?}");
    assert_eq!(peer.connections(), 0);
    expect_asked(&peer, pod(&peer).flag(&address).flag(&read).flag(&net).run());
}

#[test]
fn the_environment_says_where_it_is_where_it_is_granted() {
    let v4 = Peer::answering(answer);
    let v6 = Peer::at((Ipv6Addr::LOCALHOST, 0).into(), Shown::Good, Manner::Usual, answer);
    for (peer, host) in [(&v4, "127.0.0.1"), (&v6, "::1")] {
        let run = || {
            with_account(peer)
                .variable("KUBERNETES_SERVICE_HOST", host)
                .variable("KUBERNETES_SERVICE_PORT", peer.port().to_string())
        };
        let net = format!("--allow-net={}", peer.address());
        assert_eq!(missing(&run().flag(ENVIRONMENT).run()), [net.as_str()]);
        expect_asked(peer, run().flag(ENVIRONMENT).flag(&net).run());
        let asked = peer.seen().pop().unwrap();
        assert_eq!(asked.header("host"), Some(peer.address().as_str()), "IPv6 stands in brackets");
        // Withheld, it is a fallback.
        let outcome = run().flag(&net).run();
        assert_eq!(missing(&outcome), ["--allow-net=kubernetes.default.svc:443"], "{outcome:?}");
    }
}

/// In a network of its own the name that every cluster has leads to the peer.
#[test]
fn without_the_environment_it_is_the_name_that_every_cluster_has() {
    let test = "pod::without_the_environment_it_is_the_name_that_every_cluster_has";
    let Some(network) = Network::of_its_own(test, &["10.96.0.1"]) else { return };
    network.names().answer("kubernetes.default.svc", &[&["10.96.0.1"]]);
    let peer = Peer::at(([10, 96, 0, 1], 443).into(), Shown::Good, Manner::Usual, answer);
    for variables in [&[][..], &["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"]] {
        let run = with_account(&peer).flag("--allow-net=kubernetes.default.svc:443");
        let run = variables.iter().fold(run, |run, name| run.variable(name, "1"));
        expect_asked(&peer, run.run());
    }
}

/// The pod's environment and its folder speak for the pod alone; the command line is heard before them.
#[test]
fn the_command_line_says_otherwise_and_the_guest_cannot() {
    let (peer, trap) = (Peer::answering(answer), Peer::answering(answer));
    let host_says = |run: Run| {
        run.flag(ENVIRONMENT)
            .variable("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .variable("KUBERNETES_SERVICE_PORT", peer.port().to_string())
            .flag(format!("--allow-net={},{}", peer.address(), trap.address()))
    };
    let run = host_says(with_account(&trap)).flag(format!("--in-cluster-address={}", trap.address()));
    expect_asked(&trap, run.run());
    let before = trap.connections();
    expect_asked(&peer, host_says(with_account(&peer)).run());
    // A guest has no word for either,
    let interface =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/detect.wit")).unwrap();
    assert!(interface.contains("\n  in-cluster: func() -> result<client, error>;"));
    assert_eq!(trap.connections(), before);
    // and what it could have written is no account.
    let run = host_says(with_account(&peer)).flag_path("--wasi-write", &peer.folder());
    let seen = peer.seen().len();
    let outcome = run.run().expect_code(3);
    assert!(!outcome.everything().contains(TOKEN), "{outcome:?}");
    assert_eq!(peer.seen().len(), seen);
}
