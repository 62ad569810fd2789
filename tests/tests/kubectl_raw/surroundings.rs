//! With what kubectl, and a plugin that gives credentials, is run: the host's environment less what loads code, a cache of ours, and no
//! preferences of the user's.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use tidegate_cluster::AuthKind;
use tidegate_tests::Run;

use crate::place::{NAMESPACE, Place, cluster};

const LOADERS: [&str; 4] = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"];

/// With variables of a user's.
fn surrounded(run: Run) -> Run {
    let run = LOADERS.iter().fold(run, |run, name| run.variable(name, ""));
    run.variable("AWS_PROFILE", "work").variable("LANG", "C").variable("KUBERC", "/some/where")
}

fn path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}")
}

#[test]
fn its_environment_is_the_hosts_less_what_loads_code() {
    let place = Place::new();
    surrounded(place.ask(&[&path()])).run().expect_code(0);
    let noted = place.last();
    for name in ["AWS_PROFILE", "LANG", "HOME", "PATH", "KUBECONFIG"] {
        assert!(noted.variable(name).is_some(), "{name}: {:?}", noted.environment);
    }
    assert_eq!((noted.variable("AWS_PROFILE"), noted.variable("KUBERC")), (Some("work"), Some("off")));
    assert!(LOADERS.iter().all(|name| noted.variable(name).is_none()), "{:?}", noted.environment);

    surrounded(place.ask(&[&path()]))
        .flag("--child-env=PATH,KUBECONFIG,LD_PRELOAD,NONE")
        .run()
        .expect_code(0);
    let noted = place.last();
    // What its shell adds is not ours.
    let mut names: Vec<&str> = noted.environment.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["KUBECONFIG", "KUBERC", "PATH"]);
}

/// A name is looked up in the host's PATH once: what comes to stand there later is another program.
#[test]
fn a_name_is_resolved_once_to_an_absolute_path() {
    let (place, earlier) = (Place::new(), tempfile::tempdir().unwrap());
    let folders = format!("{}:{}:/usr/bin:/bin", earlier.path().display(), place.folder().display());
    let run = Run::guest("ask")
        .flag("--transports=KubectlRaw")
        .flag("--allow-run=kubectl")
        .variable("PATH", folders)
        .variable("KUBECONFIG", cluster().kubeconfig(AuthKind::Token));
    let mut live =
        run.arguments(&["--via", "kubectl-raw", &path(), "@wait", &path()]).live_with(Stdio::piped());
    live.line_of("waiting");
    let other = earlier.path().join("kubectl");
    std::fs::write(&other, "#!/bin/sh\nexit 9\n").unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o700)).unwrap();
    live.write("\n");
    live.line_of("done: 1 items");
    let (status, _, stderr) = live.ended_within(Duration::from_secs(20));
    assert!(status.success(), "{stderr}");
    let noted = place.noted();
    assert_eq!(noted.len(), 2);
    assert!(noted.iter().all(|noted| noted.program == place.kubectl().to_str().unwrap()));
}

/// The same holds of a plugin.
#[test]
fn so_is_a_plugins() {
    let place = Place::new();
    let plugin = place.path("plugin");
    let script = format!(
        "#!/bin/sh\nenv -0 > {}\nprintf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
         \"status\":{{\"token\":\"{}\"}}}}'\n",
        place.path("seen").display(),
        cluster().admin_token()
    );
    std::fs::write(&plugin, script).unwrap();
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(place.path("ca.crt"), cluster().ca_pem()).unwrap();
    let exec = "apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never";
    let config = format!(
        "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {{exec: {{{exec}}}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
        cluster().server_url()
    );
    std::fs::write(place.path("config"), config).unwrap();
    let run = |flags: &str| {
        let run = Run::guest("ask")
            .flag("--transports=KubeConfig")
            .flag_path("--kubeconfig", &place.path("config"))
            .flag_path("--allow-read", place.folder())
            .flag_path("--allow-run", &plugin)
            .flag(format!("--allow-net={}", cluster().address()))
            .flags(flags)
            .arguments(&["--via", "kube-config", &path()]);
        surrounded(run).run().expect_code(0);
        let seen = std::fs::read_to_string(place.path("seen")).unwrap();
        let names = seen.split_terminator('\0').filter_map(|line| line.split_once('='));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<String>>()
    };
    let all = run("");
    assert!(all.iter().any(|name| name == "AWS_PROFILE"), "{all:?}");
    assert!(!all.iter().any(|name| LOADERS.contains(&name.as_str())), "{all:?}");
    let narrowed = run("--child-env=PATH,LD_PRELOAD");
    assert!(narrowed.iter().any(|name| name == "KUBERNETES_EXEC_INFO"), "{narrowed:?}");
    assert!(
        !narrowed.iter().any(|name| ["AWS_PROFILE", "LANG", "HOME", "LD_PRELOAD"].contains(&name.as_str())),
        "{narrowed:?}"
    );
}

/// What kubectl learns of the server is kept in a folder of ours that only the user can read, and nothing in the user's home; and what the
/// user prefers for their own use changes nothing for a guest.
#[test]
fn it_keeps_what_it_learns_with_us_and_follows_no_preferences() {
    let place = Place::new();
    let make = format!("-n {NAMESPACE} create configmap kept --from-literal=value=1");
    assert!(place.plain(&make).status().unwrap().success());
    let preferences = "apiVersion: kubectl.config.k8s.io/v1beta1
kind: Preference
defaults:
- command: patch
  options: [{name: dry-run, default: server}]\n";
    let one = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/kept");
    let value = || {
        let get = format!("get --raw={one}");
        let text = place.plain(&get).output().unwrap().stdout;
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["data"]["value"].clone()
    };
    // So that it is known that they would change something.
    std::fs::write(place.path("kuberc"), preferences).unwrap();
    let mut theirs = place.plain(&format!("-n {NAMESPACE} patch configmap kept -p"));
    theirs.arg(r#"{"data":{"value":"2"}}"#).env("KUBERC", place.path("kuberc"));
    assert!(theirs.status().unwrap().success());
    assert_eq!(value(), "1");

    let media_type = "application/merge-patch+json";
    let body = r#"{"data":{"value":"3"}}"#;
    let run = place.ask(&["--method", "PATCH", "--content-type", media_type, "--body", body, &one]);
    let home = run.home().to_owned();
    std::fs::create_dir(home.join(".kube")).unwrap();
    std::fs::write(home.join(".kube/kuberc"), preferences).unwrap();
    let run = run
        .variable("KUBECONFIG", cluster().kubeconfig(AuthKind::Token))
        .variable("KUBERC", place.path("kuberc"))
        .variable("XDG_CACHE_HOME", place.path("cache"));
    // Its home goes with it.
    let mut command = run.to_command();
    assert!(command.output().unwrap().status.success());
    assert_eq!(value(), "3");
    let kept: Vec<_> =
        std::fs::read_dir(home.join(".kube")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(kept, ["kuberc"]);
    let noted = place.last();
    assert!(noted.cache.starts_with(place.path("cache")), "{:?}", noted.cache);
    assert!(noted.cache.join("discovery").is_dir(), "what it learnt is there");
    let mode = std::fs::metadata(&noted.cache).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
