//! File and environment as tables: what they define, and what they are told that they may not.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;
use tidegate_grants::{Grants, Need};
use tidegate_registry::{ConfigError, Configuration, Definition, Entry, Overrides, PREFIX, Sources};

fn read(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Configuration, ConfigError> {
    let variables: Vec<(OsString, OsString)> =
        variables.iter().map(|(name, value)| (format!("{PREFIX}{name}").into(), value.into())).collect();
    let path = Path::new("/home/me/.config/tidegate/tidegate.yaml");
    Configuration::read(&Sources {
        file: file.map(|text| (path, text.as_bytes())),
        variables: &variables,
        home: Some(Path::new("/home/me")),
        working_folder: Some(Path::new("/work")),
    })
}

/// `name: what (origin)`, joined by `; `.
fn shown(configuration: &Configuration) -> String {
    let lines = configuration.connections().map(|(name, definition, origin)| {
        let what = match definition {
            Definition::KubeConfig(file) => {
                let path = file.path.display();
                let entry = match &file.entry {
                    Entry::Current => format!("{path}"),
                    Entry::Context(context) => format!("{path} context {context}"),
                    Entry::Pair { cluster, user } => format!("{path} cluster {cluster} user {user}"),
                };
                let Overrides { server, proxy } = &file.overrides;
                [Some(entry.as_str()), server.as_deref(), proxy.as_deref()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Definition::ServiceAccount(account) => match &account.folder {
                None => "pod".to_owned(),
                Some(folder) => format!("account {}", folder.display()),
            },
            Definition::Direct(_) => "direct".to_owned(),
        };
        format!("{name}: {what} ({})", origin.as_str())
    });
    lines.collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(file: Option<&str>, variables: &[(&str, &str)], expected: &str) {
    let found = match read(file, variables) {
        Ok(configuration) => shown(&configuration),
        Err(error) => format!("error {error}"),
    };
    let expected = expected.replace("error FILE", "error /home/me/.config/tidegate/tidegate.yaml");
    assert_eq!(found, expected, "{file:?} {variables:?}");
}

#[test]
fn what_the_file_defines() {
    for (connections, expected) in [
        ("{}", ""),
        ("", ""),
        ("{prod: {conn: /etc/k}}", "prod: /etc/k (file)"),
        ("{prod: {conn: k.yaml}}", "prod: /home/me/.config/tidegate/k.yaml (file)"),
        ("{prod: {conn: ~/.kube/config}}", "prod: /home/me/.kube/config (file)"),
        ("{prod: {conn: '~'}}", "prod: /home/me/ (file)"),
        ("{prod: {conn: k, conn_opts: {context: c}}}", "prod: /home/me/.config/tidegate/k context c (file)"),
        ("{p: {conn: /k, conn_opts: {user: u, cluster: c}}}", "p: /k cluster c user u (file)"),
        ("{p: {conn: /k, conn_opts: {}}}", "p: /k (file)"),
        ("{p: {conn: /k, conn_opts: {server: 'https://h'}}}", "p: /k https://h (file)"),
        (
            "{p: {conn: /k, conn_opts: {context: c, proxy_url: 'http://u:p@h'}}}",
            "p: /k context c http://u:p@h (file)",
        ),
        ("{default: {}}", "default: pod (file)"),
        ("{default: }", "default: pod (file)"),
        ("{default: {sa: true}}", "default: pod (file)"),
        ("{default: {sa: /run/sa}}", "default: account /run/sa (file)"),
        ("{default: {sa: ~/sa}}", "default: account /home/me/sa (file)"),
        ("{p: {sa: true, conn: /k}}", "p: /k (file)"),
        ("{p: {sa: false, conn: /k}}", "p: /k (file)"),
        ("{arn:aws:eks:eu:1:cluster/a: {conn: /k}}", "arn:aws:eks:eu:1:cluster/a: /k (file)"),
        ("{a: &x {conn: /k}, b: *x}", "a: /k (file); b: /k (file)"),
    ] {
        check(Some(&format!("connections: {connections}\n")), &[], expected);
    }
}

#[test]
fn what_the_file_may_not_say() {
    for (file, expected) in [
        ("[]", "error FILE:1: the file is a map of fields, not a list"),
        ("hunter2", "error FILE:1: the file is a map of fields, not text"),
        ("connection: {}", "error FILE:1: the file has no field \"connection\"; did you mean connections?"),
        ("other: {}", "error FILE:1: the file has no field \"other\"; it takes connections, permissions"),
        ("connections: hunter2", "error FILE:1: connections is a map of fields, not text"),
        ("connections: {p: hunter2}", "error FILE:1: a connection is a map of fields, not text"),
        (
            "connections:\n  p:\n    con: hunter2\n",
            "error FILE:3: a connection has no field \"con\"; did you mean conn?",
        ),
        (
            "connections:\n  p:\n    token: hunter2\n",
            "error FILE:3: a connection has no field \"token\"; it takes conn, conn_opts, sa",
        ),
        (
            "connections:\n  p:\n    conn: k\n    conn_opts: {cotext: hunter2}\n",
            "error FILE:4: conn_opts has no field \"cotext\"; did you mean context?",
        ),
        (
            "connections:\n  p:\n    conn: k\n    conn_opts: {server: 'ftp://hunter2'}\n",
            "error FILE:4: server: its scheme must be http or https",
        ),
        (
            "connections:\n  p:\n    conn: k\n    conn_opts: {proxy_url: 'hunter2'}\n",
            "error FILE:4: proxy_url: the proxy's URL cannot be used: its scheme must be http, https or socks5",
        ),
        (
            "connections:\n  p:\n    conn_opts: {server: 'https://hunter2'}\n",
            "error FILE:3: this chooses within a kubeconfig, and the connection has none; name one with conn or \
             K8S_CLUSTER_CONF_PATH_<name>",
        ),
        (
            "connections:\n  p: {}\n  p: {}\n",
            "error FILE:3: the key \"p\" is here for the second time; remove or rename one of the two",
        ),
        ("connections: {'': {}}", "error FILE:1: a connection's name is empty; write a name"),
        (
            "connections: {'a*': {}}",
            "error FILE:1: \"a*\" has a *, which no connection's name can have; leave it out",
        ),
        ("connections: {p: {conn: 12345}}", "error FILE:1: conn is text, not a number; put it in quotes"),
        ("connections: {p: {conn: ''}}", "error FILE:1: conn is empty"),
        ("connections: {p: {conn: [hunter2]}}", "error FILE:1: conn is text, not a list"),
        (
            "connections: {p: {conn: ~you/k}}",
            "error FILE:1: conn begins with another user's ~; write the path out, or ./~… for a file of that name",
        ),
        ("connections: {p: {sa: 1}}", "error FILE:1: sa is true, false or a folder's path, not a number"),
        (
            "connections: {p: {conn: /k, conn_opts: {context: y}}}",
            "error FILE:1: context is text, not true or false; put it in quotes",
        ),
        (
            "connections: {p: {conn: /k, conn_opts: {context: c, user: u}}}",
            "error FILE:1: conn_opts takes a context, or a user and a cluster, not both",
        ),
        (
            "connections: {p: {conn: /k, conn_opts: {user: u}}}",
            "error FILE:1: conn_opts has a user and no cluster; add one, or name a context",
        ),
        (
            "connections: {p: {conn_opts: {context: c}}}",
            "error FILE:1: this chooses within a kubeconfig, and the connection has none; name one with conn or \
             K8S_CLUSTER_CONF_PATH_<name>",
        ),
        (
            "connections: {p: {sa: false}}",
            "error FILE:1: no service account, and nothing else either: the connection leads nowhere; name a kubeconfig with conn or \
             K8S_CLUSTER_CONF_PATH_<name>, or remove this",
        ),
        (
            "permissions: {ci: --allow-net}",
            "error FILE:1: a permission set is a list of flags, one an item, not text",
        ),
        (
            "permissions: {-P: []}",
            "error FILE:1: the name of a permission set is empty, begins with - or holds a space; choose another",
        ),
        (
            "permissions: {ci: [-P]}",
            "error FILE:1: -P cannot stand in a permission set; write --allow-<kind>, --deny-<kind> or \
             --wasi-<kind>, each with an optional =value,…, --limit-<kind>=value, or -A",
        ),
        (
            "permissions:\n  ci:\n  - --allow-net\n  - --kubeconfig=hunter2\n",
            "error FILE:4: \"--kubeconfig\" is no permission flag; write --allow-<kind>, --deny-<kind> or --wasi-<kind>, each with an \
             optional =value,…, --limit-<kind>=value, or -A",
        ),
        (
            "permissions: {ci: ['--limit-cpu=hunter2']}",
            "error FILE:1: --limit-cpu has a wrong value; write a number and ms, s, m or h, e.g. 10s or 1m30s; `none` is no limit",
        ),
        (
            "permissions: {ci: ['--allow-net=https://hunter2']}",
            "error FILE:1: --allow-net has a wrong value; write host or host:port, without the scheme",
        ),
        ("connections:\n\t p: {}", "error FILE:2: it is not YAML"),
    ] {
        check(Some(file), &[], expected);
        assert!(!read(Some(file), &[]).unwrap_err().to_string().contains("hunter2"));
    }
}

#[test]
fn what_the_environment_defines_over_the_file() {
    let no_path = "this chooses within a kubeconfig, and the connection has none; name one with conn or K8S_CLUSTER_CONF_PATH_<name>";
    let nowhere = "no service account, and nothing else either: the connection leads nowhere; name a kubeconfig with conn or \
                   K8S_CLUSTER_CONF_PATH_<name>, or remove this";
    let (no_path_error, nowhere_error) = (
        format!("error K8S_CLUSTER_CONF_CONTEXT_x: {no_path}"),
        format!("error K8S_CLUSTER_CONF_SA_x: {nowhere}"),
    );
    for (file, variables, expected) in [
        ("", &[("SA_us_central", "true")][..], "us_central: pod (environment)"),
        (
            "",
            &[("PATH_us_east", "east.yaml"), ("CONTEXT_us_east", "east")],
            "us_east: /work/east.yaml context east (environment)",
        ),
        ("", &[("PATH_x", "/k")], "x: /k (environment)"),
        ("", &[("PATH_x", "/k"), ("SA_x", "true")], "x: /k (environment)"),
        ("", &[("PATH_x", "/k"), ("SA_x", "false")], "x: /k (environment)"),
        ("", &[("SA_x", "false")], &nowhere_error),
        ("", &[("CONTEXT_x", "c")], &no_path_error),
        ("", &[("CONTEXT_x", "c"), ("SA_x", "true")], &no_path_error),
        // Over the file, key by key.
        ("x: {conn: /f, conn_opts: {context: f}}", &[("PATH_x", "/e")], "x: /e context f (file+environment)"),
        (
            "x: {conn: /f, conn_opts: {context: f}}",
            &[("CONTEXT_x", "e")],
            "x: /f context e (file+environment)",
        ),
        (
            "x: {conn: /f, conn_opts: {user: u, cluster: c}}",
            &[("CONTEXT_x", "e")],
            "x: /f context e (file+environment)",
        ),
        ("x: {conn_opts: {context: f}}", &[("PATH_x", "/e")], "x: /e context f (file+environment)"),
        ("x: {conn: /f, conn_opts: {context: f}}", &[("SA_x", "true")], "x: pod (file+environment)"),
        ("x: {conn: /f}", &[("SA_x", "false")], "x: /f (file+environment)"),
        ("x: {conn: /f}", &[("SA_x", "true"), ("PATH_x", "/e")], "x: /e (file+environment)"),
        ("x: {sa: /run/sa}", &[("SA_x", "true")], "x: account /run/sa (file+environment)"),
        ("x: {sa: /run/sa}", &[("PATH_x", "/e")], "x: /e (file+environment)"),
        ("x: {sa: true}", &[("SA_x", "false")], &nowhere_error),
        ("x: {}", &[("SA_x", "false")], &nowhere_error),
        ("x: {sa: true}", &[("CONTEXT_x", "c")], &no_path_error),
        ("x: {}\ny: {conn: /y}", &[("PATH_z", "/z")], "x: pod (file); y: /y (file); z: /z (environment)"),
        // Case counts, and the name is all that follows.
        ("", &[("PATH_a_b_c", "/k")], "a_b_c: /k (environment)"),
        ("X: {}", &[("PATH_x", "/k")], "X: pod (file); x: /k (environment)"),
    ] {
        let lines: String = file.lines().map(|line| format!("  {line}\n")).collect();
        check(Some(&format!("connections:\n{lines}")), variables, expected);
    }
    check(None, &[("SA_x", "true")], "x: pod (environment)");
}

#[test]
fn garbage_in_the_environment_is_named() {
    let unknown = "there is no such variable; write K8S_CLUSTER_CONF_SA_<name>, K8S_CLUSTER_CONF_PATH_<name> or \
                   K8S_CLUSTER_CONF_CONTEXT_<name>";
    for (name, value, expected) in [
        ("", "hunter2", unknown),
        ("x", "hunter2", unknown),
        ("SA", "true", unknown),
        ("sa_x", "true", unknown),
        ("TOKEN_x", "hunter2", unknown),
        ("PATHx_y", "hunter2", unknown),
        ("SA_", "true", "a connection's name is empty; write a name"),
        ("PATH_", "hunter2", "a connection's name is empty; write a name"),
        ("SA_x", "", "the value is neither true nor false"),
        ("SA_x", "True", "the value is neither true nor false"),
        ("SA_x", "hunter2", "the value is neither true nor false"),
        ("PATH_x", "", "the value is empty; set it or unset the variable"),
        ("CONTEXT_x", "", "the value is empty; set it or unset the variable"),
        ("PATH_a*", "hunter2", "\"a*\" has a *, which no connection's name can have; leave it out"),
        (
            "PATH_ x",
            "hunter2",
            "\" x\" begins or ends with a space, or holds what cannot be seen; use characters that can be seen",
        ),
    ] {
        check(None, &[(name, value)], &format!("error {PREFIX}{name}: {expected}"));
    }
    let bytes = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    for (name, value, expected) in [
        (
            &b"K8S_CLUSTER_CONF_PATH_pr\xffod"[..],
            &b"/k"[..],
            r"K8S_CLUSTER_CONF_PATH_pr\xFFod: the connection's name is not UTF-8; choose another",
        ),
        (b"K8S_CLUSTER_CONF_\xff_x", b"/k", &format!(r"K8S_CLUSTER_CONF_\xFF_x: {unknown}")),
        (b"K8S_CLUSTER_CONF_CONTEXT_x", b"\xff", "K8S_CLUSTER_CONF_CONTEXT_x: the value is not UTF-8"),
        (b"K8S_CLUSTER_CONF_SA_x", b"\xff", "K8S_CLUSTER_CONF_SA_x: the value is neither true nor false"),
        (
            b"K8S_CLUSTER_CONF_SA_a\x1b[31m",
            b"true",
            "K8S_CLUSTER_CONF_SA_a\\u{1b}[31m: \"a\\u{1b}[31m\" begins or ends with a space, or \
           holds what cannot be seen; use characters that can be seen",
        ),
    ] {
        let variables = [(bytes(name), bytes(value))];
        let sources = Sources { variables: &variables, ..Sources::default() };
        assert_eq!(Configuration::read(&sources).unwrap_err().to_string(), expected);
    }
    // A path may be any bytes.
    let variables = [(bytes(b"K8S_CLUSTER_CONF_PATH_x"), bytes(b"/k\xff"))];
    let sources = Sources { variables: &variables, ..Sources::default() };
    assert_eq!(Configuration::read(&sources).unwrap().connections().count(), 1);
}

/// The documentation's file is one that reads.
#[test]
fn what_the_documentation_shows() {
    let text = include_str!("../../../docs/connections.md");
    let example = text.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    check(
        Some(example),
        &[],
        "audit: /home/me/.config/tidegate/./audit.kubeconfig cluster prod user auditor (file); default: pod (file); \
         dev: /srv/dev/kubeconfig (file); here: pod (file); prod: /home/me/.kube/config context prod (file); \
         tunnel: /home/me/.kube/config context prod https://127.0.0.1:6443 socks5://127.0.0.1:1080 (file)",
    );
}

#[test]
fn without_a_home_there_is_no_tilde() {
    let sources = Sources {
        file: Some((Path::new("/t.yaml"), b"connections: {p: {conn: ~/k}}")),
        ..Sources::default()
    };
    let error = Configuration::read(&sources).unwrap_err().to_string();
    assert_eq!(error, "/t.yaml:1: conn begins with ~, and HOME is no absolute path");
}

#[test]
fn permission_sets_add_to_the_flags_of_the_command_line() {
    let file = "permissions:
  ci:
  - --allow-net=10.0.0.1:6443
  - --allow-read=~/.kube,data
  - --allow-connection=prod-*
  - --deny-run
  empty: []
";
    let configuration = read(Some(file), &[]).unwrap();
    let mut builder = Grants::builder();
    builder.working_folder("/work");
    configuration.add_set("ci", &mut builder).unwrap();
    builder.allow(tidegate_grants::Kind::Read, Some("here")).unwrap();
    builder.allow(tidegate_grants::Kind::Run, None).unwrap();
    let grants = builder.build();
    for (need, granted) in [
        (Need::Read("/home/me/.kube/config".into()), true),
        (Need::Read("/home/me/.config/tidegate/data/x".into()), true),
        (Need::Read("/work/here".into()), true),
        (Need::Read("/work/data".into()), false),
        (Need::Connection("prod-eu".into()), true),
        (Need::Connection("dev".into()), false),
        (Need::Run("kubectl".into()), false),
    ] {
        assert_eq!(grants.judge(&need).is_granted(), granted, "{need}");
    }
    for (name, expected) in [
        ("cl", "there is no permission set \"cl\"; did you mean ci?"),
        ("production", "there is no permission set \"production\"; there are ci, empty"),
    ] {
        assert_eq!(configuration.add_set(name, &mut builder).unwrap_err().to_string(), expected);
    }
    let none = Configuration::default().add_set("ci", &mut builder).unwrap_err().to_string();
    assert!(none.ends_with("the configuration file has none; add it under permissions:"), "{none}");
}

proptest! {
    #[test]
    fn no_file_panics(text in "(connections|permissions|conn|sa|[a-z~/*:{}\\[\\], \\n\"'&-]){0,40}") {
        drop(read(Some(&text), &[]));
    }

    #[test]
    fn no_environment_panics(name in "(SA_|PATH_|CONTEXT_)?[a-z*\\u{0}-\\u{ff}]{0,8}", value in ".{0,8}") {
        drop(read(None, &[(&name, &value)]));
    }
}
