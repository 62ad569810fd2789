//! Each transport with each single grant withheld: the exact reason, the exact flag, and nothing touched that the grant guards.
//!
//! Covers: T2

use std::path::PathBuf;

use tempfile::TempDir;
use tidegate_tests::{Run, Server, Target};

/// A server, and a kubeconfig that names files for its CA and its token.
struct Place {
    server: &'static Server,
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let server = Server::of(Target::Playground);
        let folder = tempfile::tempdir().unwrap();
        let account = server.service_account.display();
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'https://{}', certificate-authority: '{account}/ca.crt'}}}}]
users: [{{name: u, user: {{tokenFile: '{}'}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
            server.address,
            folder.path().join("token").display(),
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        std::fs::copy(server.service_account.join("token"), folder.path().join("token")).unwrap();
        Place { server, folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn token(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// How a connection to the server looks in a trace.
    fn connection(&self) -> String {
        format!("htons({})", self.server.address.rsplit(':').next().unwrap())
    }

    fn run(&self, transport: &str) -> Run {
        Run::guest("list-pods")
            .flag(format!("--transports={transport}"))
            .flag_path("--service-account", &self.server.service_account)
            .flag(format!("--in-cluster-address={}", self.server.address))
            .flag(format!("--kubectl-proxy=http://{}", self.server.kubectl_proxy().address()))
            .variable("KUBECONFIG", self.config())
    }
}

/// Runs with all of `grants` but the one at `withheld`.
#[track_caller]
fn withhold(run: Run, grants: &[String], withheld: usize, expected: &str, untouched: &[&str]) {
    let others = grants.iter().enumerate().filter(|(index, _)| *index != withheld);
    let run = others.fold(run, |run, (_, grant)| run.flag(grant));
    let (outcome, trace) = run.traced();
    let outcome = outcome.expect_code(126);
    assert!(outcome.stderr.contains(expected), "expected: {expected}\nfound: {}", outcome.stderr);
    assert!(outcome.stderr.contains(&grants[withheld]), "no {} in: {}", grants[withheld], outcome.stderr);
    for thing in untouched {
        let touched: Vec<&str> =
            trace.lines().filter(|line| line.contains(thing) && !is_ours(line)).collect();
        assert!(touched.is_empty(), "{thing} was touched: {touched:#?}");
    }
}

/// The line that starts tidegate itself names all paths, among its arguments.
fn is_ours(line: &str) -> bool {
    line.contains("execve(") && line.contains("/tidegate\", [")
}

#[test]
fn with_all_grants_each_transport_works() {
    let place = Place::new();
    let everything = ["InCluster", "KubeConfig", "KubectlProxy", "KubectlRaw"];
    for transport in everything {
        let kubectl = place.server.kubectl();
        let run = place.run(transport).flag_path("--kubectl", kubectl.get_program().as_ref());
        run.flag("-A").argument("kube-system").run().expect_code(0);
    }
}

#[test]
fn in_cluster() {
    let place = Place::new();
    let account = place.server.service_account.display().to_string();
    let address = &place.server.address;
    let grants = [format!("--allow-read={account}"), format!("--allow-net={address}")];
    let token = format!("{account}/token");
    let connection = place.connection();
    withhold(
        place.run("InCluster"),
        &grants,
        0,
        &format!(
            "- InCluster PermissionDenied: read access to \"{account}\", run again with --allow-read={account}"
        ),
        &[&token, &account, &connection],
    );
    withhold(
        place.run("InCluster"),
        &grants,
        1,
        &format!(
            "- InCluster PermissionDenied: network access to \"{address}\", run again with --allow-net={address}"
        ),
        &[&connection],
    );
}

#[test]
fn kube_config() {
    let place = Place::new();
    let (config, token) = (place.config().display().to_string(), place.token().display().to_string());
    let ca = place.server.service_account.join("ca.crt").display().to_string();
    let address = &place.server.address;
    let grants = [
        "--allow-env=KUBECONFIG".to_owned(),
        "--allow-env=HOME".to_owned(),
        format!("--allow-read={config}"),
        format!("--allow-net={address}"),
        format!("--allow-read={token}"),
        format!("--allow-read={ca}"),
    ];
    let connection = place.connection();
    let files = [config.as_str(), token.as_str(), ca.as_str()];
    let rows = [
        (0, "access to environment variable \"KUBECONFIG\"".to_owned(), vec![files[0], files[1], files[2]]),
        (1, "access to environment variable \"HOME\"".to_owned(), vec![files[0], files[1], files[2]]),
        (2, format!("read access to \"{config}\""), vec![files[0], files[1], files[2]]),
        (3, format!("network access to \"{address}\""), vec![files[1], files[2]]),
        (4, format!("read access to \"{token}\""), vec![files[1], files[2]]),
        (5, format!("read access to \"{ca}\""), vec![files[1], files[2]]),
    ];
    for (withheld, what, mut untouched) in rows {
        untouched.push(&connection);
        let expected = format!("- KubeConfig PermissionDenied: {what}, run again with {}", grants[withheld]);
        withhold(place.run("KubeConfig"), &grants, withheld, &expected, &untouched);
    }
}

#[test]
fn a_round_names_all_that_it_lacks_at_once() {
    let place = Place::new();
    let run = place
        .run("KubeConfig")
        .flag("--allow-env=KUBECONFIG,HOME")
        .flag_path("--allow-read", &place.config());
    let outcome = run.run().expect_code(126);
    let ca = place.server.service_account.join("ca.crt");
    for flag in [
        format!("--allow-net={}", place.server.address),
        format!("--allow-read={}", place.token().display()),
        format!("--allow-read={}", ca.display()),
    ] {
        assert!(outcome.stderr.contains(&flag), "{flag} in {}", outcome.stderr);
    }
}

#[test]
fn kubectl_proxy() {
    let place = Place::new();
    let address = place.server.kubectl_proxy().address();
    let grants = [format!("--allow-net={address}")];
    let expected = format!(
        "- KubectlProxy PermissionDenied: network access to \"{address}\", run again with --allow-net={address}"
    );
    let connection = format!("htons({})", address.rsplit(':').next().unwrap());
    withhold(place.run("KubectlProxy"), &grants, 0, &expected, &[&connection]);
}

#[test]
fn kubectl_raw() {
    let place = Place::new();
    let grants = ["--allow-run=kubectl".to_owned()];
    let expected =
        "- KubectlRaw PermissionDenied: access to run \"kubectl\", run again with --allow-run=kubectl";
    withhold(place.run("KubectlRaw"), &grants, 0, expected, &["kubectl\"", "execve("]);
}

#[test]
fn with_nothing_granted_there_are_four_lines() {
    let outcome = Run::guest("list-pods").run().expect_code(126);
    let error = outcome.stderr.split("Failed to load").nth(1).unwrap_or_else(|| panic!("{}", outcome.stderr));
    let lines: Vec<&str> = error.lines().take(5).collect();
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let expected = [
        " any possible Kubernetes clients:".to_owned(),
        format!("- InCluster PermissionDenied: read access to \"{account}\", run again with --allow-read={account}"),
        "- KubeConfig PermissionDenied: access to environment variable \"KUBECONFIG\" and access to environment variable \"HOME\", \
         run again with --allow-env=KUBECONFIG --allow-env=HOME"
            .to_owned(),
        "- KubectlProxy PermissionDenied: network access to \"localhost:8001\", run again with --allow-net=localhost:8001"
            .to_owned(),
        "- KubectlRaw PermissionDenied: access to run \"kubectl\", run again with --allow-run=kubectl".to_owned(),
    ];
    assert_eq!(lines, expected);
}
