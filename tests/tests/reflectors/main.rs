//! Reflectors, through guests: what is told and kept, of the playground, the real control plane and servers that fail; one store for
//! all; and that a store is the server's own after minutes of faults and restarts.
//!
//! Covers: T10, T16

mod endurance;
mod story;
mod together;
mod told;

use std::io::Write;
use std::process::Stdio;

use tidegate_tests::{Live, Peer, Run, Server};

/// The guest on a server, with just the grants for its kubeconfig.
fn on(server: &Server, arguments: &[&str]) -> Run {
    Run::guest("reflect")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
        .arguments(arguments)
}

fn at(peer: &Peer, arguments: &[&str]) -> Run {
    Run::guest("reflect")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &peer.kubeconfig())
        .flag_path("--allow-read", &peer.folder())
        .flag(format!("--allow-net={}", peer.address()))
        .arguments(arguments)
        .argument("/api/v1/pods")
}

/// Lines of a guest up to the one that begins with this, included.
///
/// # Panics
/// Where it does not come.
fn lines_to(live: &mut Live, wanted: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = live.line();
        assert!(!line.is_empty(), "no {wanted:?} after {lines:?}");
        let is_last = line.starts_with(wanted);
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

/// `kubectl VERB -f -` with this document.
fn kubectl(server: &Server, words: &str, document: &str) {
    let mut kubectl = server.kubectl();
    kubectl.args(words.split(' ')).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = kubectl.spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "kubectl {words}");
}
