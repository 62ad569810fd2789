//! What the README shows works.

use std::process::Command;

use tidegate_tests::{Run, Server, Target, guest};

const BOTH: [Target; 2] = [Target::Playground, Target::Real];

/// A run with just the grants for the server's kubeconfig.
fn granted(example: &str, server: &Server) -> Run {
    Run::guest(example)
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
}

/// A pod that no controller touches.
fn pod(server: &Server, name: &str) {
    let mut kubectl = server.kubectl();
    kubectl.args(["run", name, "--image=none", "--restart=Never"]);
    assert!(kubectl.status().unwrap().success());
}

#[test]
fn list_pods() {
    for target in BOTH {
        let server = Server::of(target);
        pod(server, "listed");
        let outcome = granted("list-pods", server).argument("default").run().expect_code(0);
        assert!(outcome.stdout.starts_with("NAMESPACE "), "{}", outcome.stdout);
        assert!(
            outcome.stdout.lines().any(|line| line.starts_with("default ") && line.contains(" listed ")),
            "{}",
            outcome.stdout
        );
    }
}

#[test]
fn watch_pods() {
    for target in BOTH {
        let server = Server::of(target);
        pod(server, "watched");
        let outcome = granted("watch-pods", server)
            .argument("-A")
            .argument("--seconds")
            .argument("2")
            .run()
            .expect_code(0);
        assert!(outcome.stdout.contains("default/watched"), "{}", outcome.stdout);
    }
}

#[test]
fn reflect_pods() {
    for target in BOTH {
        let server = Server::of(target);
        pod(server, "reflected");
        let outcome =
            granted("reflect-pods", server).arguments(&["-A", "--seconds", "2"]).run().expect_code(0);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        let told = lines.iter().position(|line| line.starts_with("ADDED     default/reflected "));
        let synced = lines.iter().position(|line| *line == "SYNCED");
        assert!(told.is_some() && told < synced, "{}", outcome.stdout);
        // The real one's pods run.
        let phases = ["Pending", "Running"];
        let counted = lines.last().is_some_and(|line| phases.iter().any(|phase| line.starts_with(phase)));
        assert!(counted, "{}", outcome.stdout);
    }
}

#[test]
fn apply_configmap_twice_changes_nothing() {
    for target in BOTH {
        let outcome = granted("apply-configmap", Server::of(target)).argument("applied").run().expect_code(0);
        assert!(outcome.stdout.contains("nothing changed"), "{}", outcome.stdout);
    }
}

#[test]
fn autodetect_report_names_the_transport_and_why_the_others_were_none() {
    let server = Server::of(Target::Playground);
    let outcome = Run::guest("autodetect-report")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
        .run()
        .expect_code(0);
    for words in [
        "KubeConfig",
        "InCluster",
        "permission-denied",
        "--allow-read=/var/run/secrets/kubernetes.io/serviceaccount",
    ] {
        assert!(outcome.stdout.contains(words), "{words} in {}", outcome.stdout);
    }
}

/// One script, two tenants with a server each, in one process; neither has anything of the other.
#[test]
fn the_embedding_example_serves_two_tenants() {
    let (a, b) = (Server::of(Target::Playground), Server::of(Target::Real));
    pod(a, "of-a");
    pod(b, "of-b");
    let tenant =
        |name: &str, server: &Server| format!("{name}={}@{}", server.kubeconfig.display(), server.address);
    let mut embedding = Command::new(tidegate_tests::program("embedding"));
    embedding.arg(guest("list-pods")).arg(tenant("a", a)).arg(tenant("b", b));
    let output = embedding.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let (first, second) = text.split_once("== b").unwrap();
    assert!(first.starts_with("== a") && first.contains("of-a") && !first.contains("of-b"), "{text}");
    assert!(second.contains("of-b") && !second.contains("of-a"), "{text}");
    assert_eq!(text.matches("exit code 0").count(), 2, "{text}");
}
