//! Connections by name: what the configuration defines, what a guest sees of it, and that it sees nothing else.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tidegate_tests::{Act, Outcome, Peer, Playground, Run, Server, TOKEN, Target};

/// What the second cluster's credential is; nothing of it is in [`TOKEN`].
const OTHER: &str = "0ther-9c1e.77aa_bfd0";

/// Two servers that ask for nothing and note what they are sent, and a folder with a configuration of theirs.
struct Place {
    east: Peer,
    west: Peer,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let peer = || Peer::answering(|asked| asked.or_api(|| vec![Act::json(r#"{"kind":"Pod"}"#)]));
        let (east, west) = (peer(), peer());
        west.write("config", &west.kubeconfig_with(&format!("{{token: '{OTHER}'}}")));
        let place = Place { east, west, folder: tempfile::tempdir().unwrap() };
        let (east, west) = (place.east.kubeconfig(), place.west.kubeconfig());
        place.write(&format!(
            "connections:\n  east: {{conn: {}, conn_opts: {{context: x}}}}\n  west: {{conn: {}}}\n  \
             west-2: {{conn: {}, conn_opts: {{user: u, cluster: c}}}}\n  gone: {{conn: /nowhere/kubeconfig}}\n\
             permissions:\n  ci: [--allow-connection=west]\n  all: ['--allow-connection=e*', '--allow-connection=west']\n",
            east.display(),
            west.display(),
            west.display(),
        ));
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tidegate.yaml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
        std::fs::set_permissions(self.file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn ask(&self, via: &str) -> Run {
        asking(via).flag_path("--config", &self.file())
    }

    fn command(&self, words: &str) -> Run {
        Run::command("connections").flags(words).flag_path("--config", &self.file())
    }
}

fn asking(via: &str) -> Run {
    Run::guest("ask").argument("--via").argument(via).argument("/api/v1/pods")
}

/// Every `Authorization` that a peer got, once each.
fn credentials(peer: &Peer) -> Vec<String> {
    let seen = peer.seen();
    let mut sent: Vec<String> =
        seen.iter().map(|asked| asked.header("authorization").unwrap_or("nothing").to_owned()).collect();
    sent.sort();
    sent.dedup();
    sent
}

#[track_caller]
fn without_secrets(outcome: &Outcome) {
    for secret in [TOKEN, OTHER] {
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(secret), "{outcome:?}");
    }
}

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
fn a_guest_sees_the_names_that_it_was_granted() {
    let place = Place::new();
    for (flags, expected) in [
        ("", ""),
        ("--allow-connection", "name east\nname gone\nname west\nname west-2\n"),
        ("-A", "name east\nname gone\nname west\nname west-2\n"),
        ("--allow-connection=west", "name west\n"),
        ("--allow-connection=west*,nobody", "name west\nname west-2\n"),
        ("--allow-connection=west,east --deny-connection=w*", "name east\n"),
        ("-A --deny-connection", ""),
        ("--allow-net --allow-read --allow-env --allow-run", ""),
        ("-P ci", "name west\n"),
        ("-P all --deny-connection=west", "name east\n"),
        ("-P ci -P all --allow-connection=gone", "name east\nname gone\nname west\n"),
    ] {
        let outcome = place.ask("names").flags(flags).run().expect_code(0);
        assert_eq!(outcome.stdout, expected, "{flags}");
    }
}

#[test]
fn what_is_not_granted_looks_like_what_does_not_exist() {
    let place = Place::new();
    let (outcome, trace) = place.ask("connection=east").flag("--allow-connection=west").traced();
    let hidden = outcome.expect_code(3);
    let absent = place.ask("connection=nobody").flag("--allow-connection=west").run().expect_code(3);
    let expected = "error permission-denied: access to connection \"east\", run again with --allow-connection=east\n\
                    missing --allow-connection=east\n";
    assert_eq!(hidden.stdout, expected);
    assert_eq!(absent.stdout.replace("nobody", "east"), expected);
    let config = place.east.kubeconfig().display().to_string();
    assert!(!trace.lines().any(|line| line.contains(&config)), "the kubeconfig was touched");
    assert_eq!(place.east.connections(), 0);
    // Nothing granted at all: no configuration is read, and the answer is the same.
    let alone = asking("connection=east").run().expect_code(3);
    assert_eq!(alone.stdout, expected);
    // Granted, and not there: no flag would help.
    let granted = place.ask("connection=nobody").flag("--allow-connection=nobody").run().expect_code(3);
    assert_eq!(granted.stdout, "error not-configured: there is no connection \"nobody\"\n");
    assert!(granted.stderr.contains("warning: there is no connection \"nobody\""), "{}", granted.stderr);
    for name in ["", "e*", " east", "a\u{1b}[31m"] {
        let outcome = place.ask(&format!("connection={name}")).flag("-A").run().expect_code(3);
        assert!(outcome.stdout.starts_with("error invalid-request: "), "{name:?}: {outcome:?}");
    }
}

#[test]
fn denials_win_over_what_a_connection_needs() {
    let place = Place::new();
    let (address, config) = (place.east.address(), place.east.kubeconfig().display().to_string());
    let ca = place.east.folder().join("ca.crt").display().to_string();
    for (flag, expected) in [
        (
            "--deny-connection=east".to_owned(),
            "error permission-denied: access to connection \"east\", which --deny-connection=east refuses, run again without it".to_owned(),
        ),
        (
            format!("--deny-net={address}"),
            format!("network access to \"{address}\", which --deny-net={address} refuses, run again without it"),
        ),
        (format!("--deny-read={config}"), format!("read access to \"{config}\", which --deny-read={config} refuses")),
        (format!("--deny-read={ca}"), format!("read access to \"{ca}\", which --deny-read={ca} refuses")),
    ] {
        let outcome = place.ask("connection=east").flag("-A").flag(&flag).run().expect_code(3);
        assert!(outcome.stdout.contains("error permission-denied: "), "{flag}: {outcome:?}");
        assert!(outcome.stdout.contains(&expected), "{flag}: {outcome:?}");
        assert!(!outcome.stdout.contains("missing "), "{flag}: no flag would help: {outcome:?}");
    }
    assert_eq!(place.east.connections(), 0);
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
fn what_connections_are_made_from_is_not_the_guests() {
    let place = Place::new();
    let (folder, address) = (place.east.folder(), place.east.address());
    for (path, grant) in [
        (folder.clone(), "--allow-connection=east"),
        (folder.join("config"), "--allow-connection=east"),
        (folder.join("ca.crt"), "--allow-connection=east"),
        // Not granted to this guest, but perhaps to the next.
        (folder.join("config"), "--allow-connection=west"),
        (place.file(), "--allow-connection=east"),
        (place.folder.path().to_path_buf(), "--allow-connection=east"),
    ] {
        let run = Run::guest("probe-wasi").flag_path("--config", &place.file()).flag(grant);
        let read = format!("read:{}", folder.join("config").display());
        let run = run.flag_path("--wasi-read", &path).argument(read).argument("preopens");
        let outcome = run.run();
        assert!(
            outcome.stderr.contains("holds credentials or tidegate's own files"),
            "{path:?}: {outcome:?}"
        );
        assert!(!outcome.stdout.contains("got "), "{path:?}: {outcome:?}");
        without_secrets(&outcome);
    }
    let run = Run::guest("probe-wasi").flag_path("--config", &place.file()).flag("--allow-connection=east");
    let outcome = run.flag("--wasi-net").argument(format!("tcp:{address}")).run();
    assert!(!outcome.stdout.contains("got "), "{outcome:?}");
    // A guest that can write what the connection is made from would choose where its credential goes.
    let run =
        place.ask("connection=east").flag("--allow-connection=east").flag_path("--allow-write", &folder);
    let outcome = run.run().expect_code(3);
    assert!(outcome.stdout.contains("--allow-write"), "{outcome:?}");
}

#[test]
fn the_environment_defines_connections_too() {
    let place = Place::new();
    let (east, west) = (place.east.kubeconfig(), place.west.kubeconfig());
    let run = || asking("connection=us_east").flag("--allow-connection=us_east");
    // A relative path begins at the working folder, as in the seed's example.
    let mut command = run().variable("K8S_CLUSTER_CONF_PATH_us_east", "config").to_command();
    let output =
        command.env("K8S_CLUSTER_CONF_CONTEXT_us_east", "x").current_dir(place.east.folder()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Over the file, key by key: the path of one, the context of the other.
    let over = place.ask("connection=east").flag("--allow-connection=east");
    over.variable("K8S_CLUSTER_CONF_PATH_east", &west).run().expect_code(0);
    assert_eq!(credentials(&place.west), [format!("Bearer {OTHER}")]);
    // A service account replaces the file's kubeconfig; there is none here.
    let account = place.ask("connection=east").flag("--allow-connection=east");
    let outcome = account.variable("K8S_CLUSTER_CONF_SA_east", "true").run().expect_code(3);
    assert!(outcome.stdout.contains("there is no service account in /var/run/secrets"), "{outcome:?}");
    assert_eq!(credentials(&place.east), [format!("Bearer {TOKEN}")]);
    for (name, value, expected) in [
        ("K8S_CLUSTER_CONF_SA_x", "hunter2", "K8S_CLUSTER_CONF_SA_x: the value is neither true nor false"),
        (
            "K8S_CLUSTER_CONF_SA_x",
            "false",
            "K8S_CLUSTER_CONF_SA_x: no service account, and nothing else either",
        ),
        ("K8S_CLUSTER_CONF_TOKEN_x", "hunter2", "K8S_CLUSTER_CONF_TOKEN_x: there is no such variable"),
        ("K8S_CLUSTER_CONF_PATH_", "hunter2", "K8S_CLUSTER_CONF_PATH_: a connection's name is empty"),
        ("K8S_CLUSTER_CONF_", "hunter2", "K8S_CLUSTER_CONF_: there is no such variable"),
        (
            "K8S_CLUSTER_CONF_CONTEXT_x",
            "hunter2",
            "K8S_CLUSTER_CONF_CONTEXT_x: this chooses within a kubeconfig",
        ),
    ] {
        let outcome = run().variable("K8S_CLUSTER_CONF_PATH_us_east", &east).variable(name, value).run();
        let outcome = outcome.expect_code(125);
        assert!(outcome.stderr.contains(expected), "{name}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2"), "{name}: {}", outcome.stderr);
        // Whoever uses no connection is not held up by it.
        asking("names").variable(name, value).run().expect_code(0);
    }
    let mut command = run().to_command();
    let output = command.env(OsStr::from_bytes(b"K8S_CLUSTER_CONF_PATH_\xff\xfe"), "/k").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125));
    assert!(
        stderr.contains(r"K8S_CLUSTER_CONF_PATH_\xFF\xFE: the connection's name is not UTF-8"),
        "{stderr}"
    );
}

#[test]
fn one_configuration_file_and_never_that_of_the_working_folder() {
    let place = Place::new();
    let named = |folder: &Path, name: &str| {
        std::fs::create_dir_all(folder).unwrap();
        let text = format!("connections: {{{name}: {{conn: {}}}}}", place.east.kubeconfig().display());
        std::fs::write(folder.join("tidegate.yaml"), text).unwrap();
        std::fs::set_permissions(folder.join("tidegate.yaml"), std::fs::Permissions::from_mode(0o600))
            .unwrap();
    };
    let names = || Run::guest("ask").argument("--via").argument("names").flag("--allow-connection");
    // The working folder's is not read.
    let here = tempfile::tempdir().unwrap();
    named(here.path(), "here");
    let output = names().to_command().current_dir(here.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    // The user's is, and XDG_CONFIG_HOME goes before it.
    let run = names();
    named(&run.home().join(".config/tidegate"), "home");
    assert_eq!(run.run().expect_code(0).stdout, "name home\n");
    let xdg = tempfile::tempdir().unwrap();
    named(&xdg.path().join("tidegate"), "xdg");
    let run = names().variable("XDG_CONFIG_HOME", xdg.path());
    named(&run.home().join(".config/tidegate"), "home");
    assert_eq!(run.run().expect_code(0).stdout, "name xdg\n");
    // A named one is read instead of the user's.
    let run = names().flag_path("--config", &place.file());
    named(&run.home().join(".config/tidegate"), "home");
    assert_eq!(run.run().expect_code(0).stdout, "name east\nname gone\nname west\nname west-2\n");
    // Two are none too many.
    let two = names()
        .flag_path("--config", &place.file())
        .flag_path("--config", &here.path().join("tidegate.yaml"));
    let outcome = two.run().expect_code(2);
    assert!(outcome.stderr.contains("cannot be used multiple times"), "{}", outcome.stderr);
    let outcome = names().flag("--config=/nowhere.yaml").run().expect_code(125);
    assert!(outcome.stderr.contains("there is no configuration file /nowhere.yaml"), "{}", outcome.stderr);
}

#[test]
fn a_configuration_that_others_can_write_is_not_used() {
    let place = Place::new();
    for mode in [0o660, 0o606] {
        std::fs::set_permissions(place.file(), std::fs::Permissions::from_mode(mode)).unwrap();
        let outcome = place.ask("names").flag("--allow-connection").run().expect_code(125);
        let cure = format!("Run `chmod go-w {:?}`", place.file());
        assert!(outcome.stderr.contains(&cure), "{}", outcome.stderr);
    }
}

#[test]
fn permission_sets() {
    let place = Place::new();
    place.ask("connection=west").flags("-P ci").run().expect_code(0);
    let outcome = place.ask("names").flags("-P cl").run().expect_code(2);
    assert!(
        outcome.stderr.contains("there is no permission set \"cl\"; did you mean ci?"),
        "{}",
        outcome.stderr
    );
    let outcome = place.ask("names").flags("--permission-set=production").run().expect_code(2);
    assert!(outcome.stderr.contains("there are all, ci"), "{}", outcome.stderr);
    // A denial of the command line wins over the set, and one of the set over the command line.
    let outcome = place.ask("connection=west").flags("-P ci --deny-connection").run().expect_code(3);
    assert!(outcome.stdout.contains("which --deny-connection refuses"), "{outcome:?}");
    for (flag, problem) in [
        ("-P", "-P cannot stand in a permission set"),
        ("--verbose", "is no permission flag"),
        ("--allow-net=http://x", "--allow-net has a wrong value"),
    ] {
        place.write(&format!("permissions:\n  ci:\n  - '{flag}'\n"));
        let outcome = place.ask("names").flags("-P ci").run().expect_code(125);
        assert!(outcome.stderr.contains("tidegate.yaml:3: "), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(problem), "{}", outcome.stderr);
    }
    // Paths of a set are relative to the file; other transports have their flags from it too.
    std::fs::copy(place.east.kubeconfig(), place.folder.path().join("kubeconfig")).unwrap();
    let (address, folder) = (place.east.address(), place.east.folder());
    place.write(&format!(
        "permissions: {{dev: [--allow-read=kubeconfig, '--allow-read={}', '--allow-net={address}']}}",
        folder.display()
    ));
    let kubeconfig = place.folder.path().join("kubeconfig");
    let run =
        asking("kube-config").flag_path("--kubeconfig", &kubeconfig).flag_path("--config", &place.file());
    run.flags("-P dev").run().expect_code(0);
}

#[test]
fn connections_are_listed_shown_and_tested() {
    let place = Place::new();
    let listed = place.command("list").run().expect_code(0);
    let expected = [
        "NAME    FROM  WHAT".to_owned(),
        format!("east    file  {}, context x", place.east.kubeconfig().display()),
        "gone    file  /nowhere/kubeconfig".to_owned(),
        format!("west    file  {}", place.west.kubeconfig().display()),
        format!("west-2  file  {}, cluster c, user u", place.west.kubeconfig().display()),
    ];
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), expected);
    let json = place.command("list --json").run().expect_code(0).stdout;
    assert!(json.starts_with("[{\"context\":\"x\",\"from\":\"file\",\"kind\":\"kubeconfig\","), "{json}");

    let shown = place.command("show east").run().expect_code(0);
    without_secrets(&shown);
    for line in [
        "east".to_owned(),
        format!("  from:       file ({})", place.file().display()),
        format!("  server:     {}", place.east.url()),
        "  credential: token".to_owned(),
        "  grant:      --allow-connection=east".to_owned(),
    ] {
        assert!(shown.stdout.lines().any(|own| own == line), "{line:?} in {}", shown.stdout);
    }
    let shown = place.command("show gone").run().expect_code(0);
    assert!(shown.stdout.contains("problem:"), "{}", shown.stdout);
    let unknown = place.command("show eats").run().expect_code(2);
    assert!(
        unknown.stderr.contains("there is no connection \"eats\"; did you mean east?"),
        "{}",
        unknown.stderr
    );
    assert_eq!((place.east.connections(), place.west.connections()), (0, 0), "nothing was connected so far");

    let tested = place.command("test").run().expect_code(1);
    without_secrets(&tested);
    assert!(tested.stdout.contains(&format!("east    works: {}", place.east.url())), "{}", tested.stdout);
    assert!(tested.stdout.contains("gone    not-configured: "), "{}", tested.stdout);
    let tested = place.command("test east west --json").run().expect_code(0);
    let lines: Vec<&str> = tested.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", tested.stdout);
    assert!(lines[0].contains("\"name\":\"east\"") && lines[0].contains("\"works\":true"), "{}", lines[0]);
    place.command("test wets").run().expect_code(2);
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
