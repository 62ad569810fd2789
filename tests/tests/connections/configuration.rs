//! The file, the environment over it, and permission sets.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tidegate_tests::{Run, TOKEN};

use crate::{OTHER, Place, asking, credentials};

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
