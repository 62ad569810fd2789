//! What the README shows works.

use std::os::unix::fs::PermissionsExt;
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

/// The names that it was granted, and how far they lead; of another it hears what to add, and nothing else.
#[test]
fn connections_by_name() {
    let (playground, real) = (Server::of(Target::Playground), Server::of(Target::Real));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tidegate.yaml");
    let text = format!(
        "connections: {{play: {{conn: {play}}}, real: {{conn: {real}}}, other: {{conn: {real}}}}}",
        play = playground.kubeconfig.display(),
        real = real.kubeconfig.display()
    );
    std::fs::write(&config, text).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let run =
        || Run::guest("connections").flag_path("--config", &config).flag("--allow-connection=play,real");
    assert_eq!(run().run().expect_code(0).stdout, "play\nreal\n");
    let found = run().arguments(&["play", "real"]).run().expect_code(0);
    let lines: Vec<&str> = found.stdout.lines().collect();
    for (line, name) in lines.iter().zip(["play", "real"]) {
        assert!(line.starts_with(&format!("{name}: Kubernetes v1.")), "{line}");
        assert!(line.contains(" by KubeConfig, ") && line.ends_with(" namespaces"), "{line}");
    }
    assert_eq!(lines.len(), 2, "{}", found.stdout);
    // What it was refused it did not get over, so the run says so too.
    let refused = run().arguments(&["real", "other", "nothing"]).run().expect_code(126);
    assert_eq!(refused.stdout.lines().count(), 1, "{}", refused.stdout);
    for name in ["other", "nothing"] {
        assert!(refused.stderr.contains(&format!("--allow-connection={name}")), "{}", refused.stderr);
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
