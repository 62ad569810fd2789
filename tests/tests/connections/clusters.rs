//! Each name leads to its own cluster, with its own credential.

use std::os::unix::fs::PermissionsExt;

use tidegate_tests::{Playground, Run, Server, TOKEN, Target};

use crate::{OTHER, Place, credentials, without_secrets};

#[test]
fn each_name_leads_to_its_own_cluster_with_its_own_credential() {
    let place = Place::new();
    for name in ["east", "west", "west-2"] {
        let outcome =
            place.ask(&format!("connection={name}")).flag("--allow-connection=east,west*").flag("-v").run();
        let outcome = outcome.expect_code(0);
        assert!(outcome.stdout.starts_with("via KubeConfig\n"), "{outcome:?}");
        without_secrets(&outcome);
    }
    assert_eq!(credentials(&place.east), [format!("Bearer {TOKEN}")]);
    assert_eq!(credentials(&place.west), [format!("Bearer {OTHER}")]);
}

#[test]
fn detection_uses_no_connection_and_a_connection_needs_no_other_flag() {
    let place = Place::new();
    let outcome = place.ask("auto").flag("--allow-connection").run().expect_code(3);
    assert!(outcome.stdout.contains("Failed to load any possible Kubernetes clients"), "{outcome:?}");
    assert_eq!((place.east.connections(), place.west.connections()), (0, 0));
    place.ask("connection=east").flag("--allow-connection=east").run().expect_code(0);
}

#[test]
fn two_playgrounds() {
    let (east, west) = (Playground::start(&["--no-demo"]), Playground::start(&["--no-demo"]));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tidegate.yaml");
    let text = format!(
        "connections: {{east: {{conn: {}}}, west: {{conn: {}}}}}",
        east.kubeconfig().display(),
        west.kubeconfig().display()
    );
    std::fs::write(&config, text).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ask = |name: &str| {
        let run = Run::guest("ask").flag_path("--config", &config).flag("--allow-connection=east,west");
        run.argument("--via").argument(format!("connection={name}"))
    };
    let body = r#"{"metadata":{"name":"only-here"}}"#;
    let create = ask("east").argument("--method").argument("POST").argument("--body").argument(body);
    create.argument("/api/v1/namespaces").run().expect_code(0);
    ask("east").argument("/api/v1/namespaces/only-here").run().expect_code(0);
    let outcome = ask("west").argument("/api/v1/namespaces/only-here").run().expect_code(3);
    assert!(outcome.stdout.contains("error status 404 NotFound"), "{outcome:?}");
}

#[test]
fn the_real_server() {
    let server = Server::of(Target::Real);
    let (host, port) = server.address.rsplit_once(':').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tidegate.yaml");
    let text = format!(
        "connections: {{file: {{conn: {}}}, account: {{sa: {}}}}}",
        server.kubeconfig.display(),
        server.service_account.display()
    );
    std::fs::write(&config, text).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    for (name, kind) in [("file", "KubeConfig"), ("account", "InCluster")] {
        let run = Run::guest("ask").flag_path("--config", &config).flag(format!("--allow-connection={name}"));
        let run = run.variable("KUBERNETES_SERVICE_HOST", host).variable("KUBERNETES_SERVICE_PORT", port);
        let run = run
            .argument("--via")
            .argument(format!("connection={name}"))
            .argument("/api/v1/namespaces/default");
        let outcome = run.run().expect_code(0);
        assert!(outcome.stdout.starts_with(&format!("via {kind}\n")), "{outcome:?}");
    }
    let test = Run::command("connections").flags("test").flag_path("--config", &config);
    let test = test.variable("KUBERNETES_SERVICE_HOST", host).variable("KUBERNETES_SERVICE_PORT", port);
    assert_eq!(test.run().expect_code(0).stdout.matches("works: ").count(), 2);
}
