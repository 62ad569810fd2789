//! Merging, and picking one server with its credentials.

use std::error::Error;
use std::path::Path;

use tidegate_kube::kubeconfig::{
    Auth, Choice, Config, Document, Resolved, Source, Verification, merge, parse,
};

fn document(text: &str, origin: &str) -> Document {
    parse(text.as_bytes(), Path::new(origin)).expect(text)
}

fn config(text: &str) -> Config {
    document(text, "/k/config").into_config()
}

/// One cluster `c` and one user `u` with these fields.
fn pair(cluster: &str, user: &str) -> Config {
    config(&format!(
        "current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]"
    ))
}

const SERVER: &str = "server: 'https://h:6443'";

fn resolve(config: &Config) -> Result<Resolved, String> {
    choose(config, Choice::default())
}

fn choose(config: &Config, choice: Choice<'_>) -> Result<Resolved, String> {
    config.resolve(&choice).map_err(|error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

#[test]
fn the_first_file_wins() {
    let first = "
clusters: [{name: c, cluster: {server: 'https://one'}}]
users: [{name: u, user: {tokenFile: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]";
    let second = "
current-context: w
clusters: [{name: c, cluster: {server: 'https://two', tls-server-name: tn}}, {name: d, cluster: {server: 'https://d', certificate-authority: ca}}]
users: [{name: u, user: {token: b}}]
contexts: [{name: w, context: {cluster: d, user: u}}]";
    let third = "current-context: z";
    let merged = merge(vec![
        document(first, "/1/config"),
        document(second, "/2/config"),
        document(third, "/3/config"),
    ]);
    let resolved = resolve(&merged).expect("resolves");
    assert_eq!(resolved.server.to_string(), "https://d");
    let files: Vec<_> = resolved.files().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(files, ["/2/ca", "/1/t"]);
    let resolved = choose(&merged, Choice { context: Some("x"), ..Choice::default() }).expect("resolves");
    assert_eq!((resolved.server.host(), resolved.tls.server_name), ("one", None));
    assert!(merge(Vec::new()).contexts().is_empty());
}

#[test]
fn what_is_missing_is_named() {
    let many: String = (0..14).map(|i| format!("- name: c{i:02}\n")).collect();
    for (text, choice, error) in [
        ("", Choice::default(), "the kubeconfig is empty: it has no contexts, clusters or users"),
        (
            "contexts: [{name: a}, {name: b}]",
            Choice::default(),
            "no context is chosen: current-context is not set; choose one of \"a\", \"b\"",
        ),
        (
            "users: [{name: a}]",
            Choice::default(),
            "no context is chosen: current-context is not set; choose one of none",
        ),
        (
            &format!("contexts:\n{many}"),
            Choice { context: Some("nope"), ..Choice::default() },
            "context \"nope\" does not exist; there are \"c00\", \"c01\", \"c02\", \"c03\", \"c04\", \"c05\", \"c06\", \"c07\", \"c08\", \"c09\" and 4 more",
        ),
        ("current-context: gone", Choice::default(), "context \"gone\" does not exist; there are none"),
        (
            "{current-context: x, contexts: [{name: x}]}",
            Choice::default(),
            "cluster was not specified for context \"x\"",
        ),
        (
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: d}]}",
            Choice::default(),
            "cluster \"c\" of context \"x\" does not exist; there are \"d\"",
        ),
        (
            "{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'https://h'}}]}",
            Choice::default(),
            "user \"u\" of context \"x\" does not exist; there are none",
        ),
        (
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c}]}",
            Choice::default(),
            "no server found for cluster \"c\"",
        ),
        (
            "clusters: [{name: c, cluster: {server: 'https://h'}}]",
            Choice { cluster: Some("d"), ..Choice::default() },
            "cluster \"d\" of context \"\" does not exist; there are \"c\"",
        ),
        (
            "{current-context: \"a\\eb\", contexts: [{name: x}]}",
            Choice::default(),
            "context \"a\\u{1b}b\" does not exist; there are \"x\"",
        ),
    ] {
        assert_eq!(choose(&config(text), choice).err().as_deref(), Some(error), "{text}");
    }
}

#[test]
fn choices_override() {
    let text = "
current-context: x
contexts: [{name: x, context: {cluster: c, user: u, namespace: ns}}, {name: w, context: {cluster: d}}]
clusters: [{name: c, cluster: {server: 'https://c', tls-server-name: t}}, {name: d, cluster: {server: 'https://d'}}]
users: [{name: u, user: {token: a}}, {name: v, user: {token: b}}]";
    let config = config(text);
    for (choice, server, user, namespace, server_name) in [
        (Choice::default(), "https://c", Some("u"), Some("ns"), Some("t")),
        (Choice { context: Some(""), ..Choice::default() }, "https://c", Some("u"), Some("ns"), Some("t")),
        (Choice { context: Some("w"), ..Choice::default() }, "https://d", None, None, None),
        (Choice { cluster: Some("d"), ..Choice::default() }, "https://d", Some("u"), Some("ns"), None),
        (Choice { user: Some("v"), ..Choice::default() }, "https://c", Some("v"), Some("ns"), Some("t")),
        (
            Choice { server: Some("https://e/p"), ..Choice::default() },
            "https://e/p",
            Some("u"),
            Some("ns"),
            None,
        ),
    ] {
        let resolved = choose(&config, choice).expect(server);
        assert_eq!(resolved.server.to_string(), server);
        assert_eq!(
            (resolved.user.as_deref(), resolved.namespace.as_deref()),
            (user, namespace),
            "{choice:?}"
        );
        assert_eq!(resolved.tls.server_name.as_deref(), server_name, "{choice:?}");
    }
    let alone = Choice { server: Some("http://127.0.0.1:8001"), ..Choice::default() };
    let resolved = choose(&Config::default(), alone).expect("a server alone");
    assert_eq!((resolved.context, resolved.cluster, resolved.user), (None, None, None));
    let broken = Choice { server: Some("ftp://h"), ..Choice::default() };
    assert_eq!(
        choose(&config, broken).err().as_deref(),
        Some(
            "the server that was chosen instead of the kubeconfig's (--server) is unusable: its scheme must be http or https"
        )
    );
}

/// What is sent, in a word, and whether there is a client certificate.
fn shown(resolved: &Resolved) -> String {
    let auth = match &resolved.auth {
        Auth::None => "none".to_owned(),
        Auth::Token(token) => format!("token {}", token.expose()),
        Auth::TokenFile { path, fallback } => {
            format!("file {} or {:?}", path.display(), fallback.as_ref().map(|token| token.expose().as_str()))
        }
        Auth::Basic { username, password } => format!("basic {username}:{}", password.expose()),
        Auth::AuthProvider(provider) => format!("provider {}", provider.name),
        Auth::Exec(exec) => {
            format!(
                "exec {} {:?}",
                exec.command,
                exec.cluster.as_ref().and_then(|c| c.config.as_ref()).map(|c| c.expose().as_str())
            )
        }
    };
    format!("{auth}{}", if resolved.client_cert.is_some() { " + cert" } else { "" })
}

#[test]
fn credentials_are_chosen_as_client_go_does() {
    const CERT: &str = "client-certificate: a, client-key-data: aQ==";
    const EXEC: &str = "exec: {command: p, apiVersion: client.authentication.k8s.io/v1beta1}";
    const TOLD: &str =
        "exec: {command: p, apiVersion: client.authentication.k8s.io/v1beta1, provideClusterInfo: true}";
    const PROVIDER: &str = "auth-provider: {name: oidc}";
    for (fields, expected) in [
        ("", "none"),
        ("token: t", "token t"),
        ("tokenFile: f", "file /k/f or None"),
        ("token: t, tokenFile: f", "file /k/f or Some(\"t\")"),
        ("username: a, password: b", "basic a:b"),
        (CERT, "none + cert"),
        (&format!("{CERT}, token: t"), "token t + cert"),
        (&format!("{CERT}, username: a, password: b"), "basic a:b + cert"),
        (EXEC, "exec p None"),
        (&format!("{EXEC}, token: t"), "token t"),
        (&format!("{EXEC}, tokenFile: f"), "file /k/f or None"),
        (&format!("{EXEC}, username: a, password: b"), "basic a:b"),
        (&format!("{EXEC}, {CERT}"), "none + cert"),
        (PROVIDER, "provider oidc"),
        (&format!("{PROVIDER}, token: t"), "token t"),
        (&format!("{PROVIDER}, {CERT}"), "provider oidc + cert"),
    ] {
        assert_eq!(shown(&resolve(&pair(SERVER, fields)).expect(fields)), expected, "{fields}");
    }
    let cluster = format!(
        "{SERVER}, extensions: [{{name: client.authentication.k8s.io/exec, extension: {{b: 1, a: [x]}}}}]"
    );
    assert_eq!(
        shown(&resolve(&pair(&cluster, TOLD)).expect("resolves")),
        "exec p Some(\"{\\\"a\\\":[\\\"x\\\"],\\\"b\\\":1}\")"
    );
}

#[test]
fn credentials_that_do_not_go_together() {
    const V1: &str = "client.authentication.k8s.io/v1";
    for (fields, error) in [
        (
            "token: t, username: a, password: b",
            "more than one authentication method found for \"u\"; found [token basicAuth], only one is allowed",
        ),
        (
            "token: t, password: b",
            "more than one authentication method found for \"u\"; found [token basicAuth], only one is allowed",
        ),
        (
            "tokenFile: t, username: a, password: b",
            "username/password or bearer token may be set, but not both (user \"u\")",
        ),
        ("username: a", "password must be specified for user \"u\" besides username"),
        ("password: a", "username must be specified for user \"u\" besides password"),
        (
            "client-certificate: a",
            "client-key-data or client-key must be specified for user \"u\" besides the client certificate",
        ),
        (
            "client-key-data: aQ==",
            "client-certificate-data or client-certificate must be specified for user \"u\" besides the client key",
        ),
        (
            "client-certificate: a, client-certificate-data: aQ==, client-key: a",
            "client-certificate-data and client-certificate are both specified for user \"u\"; remove one",
        ),
        (
            "client-certificate: a, client-key-data: aQ==, client-key: a",
            "client-key-data and client-key are both specified for user \"u\"; remove one",
        ),
        (
            "token: \"hunter2\\n\"",
            "the token of user \"u\" holds a line break or another control character; remove it (in YAML, `|-` instead of `|`)",
        ),
        (
            "exec: {command: p, apiVersion: v}, auth-provider: {name: p}",
            "authProvider cannot be provided in combination with an exec plugin for \"u\"",
        ),
        ("exec: {}", "command must be specified for \"u\" to use exec authentication plugin"),
        ("exec: {}, token: t", "command must be specified for \"u\" to use exec authentication plugin"),
        ("exec: {command: p}", "apiVersion must be specified for \"u\" to use exec authentication plugin"),
        (
            &format!("exec: {{command: p, apiVersion: {V1}}}"),
            "interactiveMode must be specified for \"u\" to use exec authentication plugin",
        ),
        (
            &format!("exec: {{command: p, apiVersion: {V1}, interactiveMode: Never, env: [{{value: a}}]}}"),
            "env variable name must be specified for \"u\" to use exec authentication plugin",
        ),
        (
            &format!("exec: {{command: p, apiVersion: {V1}, interactiveMode: hunter2}}"),
            "invalid interactiveMode for \"u\": use Never, IfAvailable or Always",
        ),
        ("as-uid: '1'", "requesting uid, groups or user-extra for \"u\" without impersonating a user"),
        ("as-groups: [a]", "requesting uid, groups or user-extra for \"u\" without impersonating a user"),
        (
            "as-user-extra: {a: [b]}",
            "requesting uid, groups or user-extra for \"u\" without impersonating a user",
        ),
    ] {
        assert_eq!(resolve(&pair(SERVER, fields)).err().as_deref(), Some(error), "{fields}");
    }
    // What is not picked may be broken.
    let text = "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {server: 'https://h'}}, {name: d}], users: [{name: u, user: {password: a}}]}";
    assert!(resolve(&config(text)).is_ok());
}

#[test]
fn cluster_options() {
    for (fields, error) in [
        (
            "certificate-authority: a, certificate-authority-data: aQ==",
            "certificate-authority-data and certificate-authority are both specified for \"c\"; remove one",
        ),
        (
            "certificate-authority: a, insecure-skip-tls-verify: true",
            "specifying a root certificates file with the insecure flag is not allowed (cluster \"c\")",
        ),
        (
            "certificate-authority-data: aQ==, insecure-skip-tls-verify: yes",
            "specifying a root certificates file with the insecure flag is not allowed (cluster \"c\")",
        ),
        (
            "proxy-url: 'ftp://hunter2'",
            "invalid 'proxy-url' for cluster \"c\": must be http, https, or socks5, then :// and a host",
        ),
        (
            "proxy-url: hunter2",
            "invalid 'proxy-url' for cluster \"c\": must be http, https, or socks5, then :// and a host",
        ),
        (
            "proxy-url: 'http://'",
            "invalid 'proxy-url' for cluster \"c\": must be http, https, or socks5, then :// and a host",
        ),
    ] {
        assert_eq!(
            resolve(&pair(&format!("{SERVER}, {fields}"), "")).err().as_deref(),
            Some(error),
            "{fields}"
        );
    }
    let fields = format!(
        "{SERVER}, insecure-skip-tls-verify: true, tls-server-name: tn, proxy-url: 'socks5://u:p@h', disable-compression: true"
    );
    let resolved = resolve(&pair(&fields, "as: jane, as-groups: [a]")).expect("resolves");
    assert_eq!(
        (resolved.tls.verification, resolved.tls.server_name.as_deref()),
        (Verification::Skip, Some("tn"))
    );
    assert_eq!(resolved.proxy_url.expect("a proxy").expose(), "socks5://u:p@h");
    assert!(resolved.disable_compression);
    let impersonate = resolved.impersonate.expect("impersonation");
    assert_eq!(
        (impersonate.user.as_str(), impersonate.uid, impersonate.groups),
        ("jane", None, vec!["a".to_owned()])
    );

    let resolved =
        resolve(&pair(&format!("{SERVER}, certificate-authority-data: aGk="), "")).expect("resolves");
    assert!(matches!(&resolved.tls.ca, Some(Source::Inline(pem)) if pem.expose() == b"hi"));
    assert_eq!((resolved.tls.verification, resolved.files().len()), (Verification::Verify, 0));

    for (namespace, fine) in [
        ("a", true),
        ("a-1", true),
        ("A", false),
        ("-a", false),
        ("a/../b", false),
        ("a.b", false),
        (&"a".repeat(64), false),
    ] {
        let text = format!(
            "{{current-context: x, contexts: [{{name: x, context: {{cluster: c, namespace: {namespace:?}}}}}], clusters: [{{name: c, cluster: {{{SERVER}}}}}]}}"
        );
        assert_eq!(resolve(&config(&text)).is_ok(), fine, "{namespace}");
    }
}

#[test]
fn nothing_secret_goes_without_tls() {
    let cluster = "server: 'http://h:8080', certificate-authority: a, insecure-skip-tls-verify: true";
    for (fields, warned) in [
        ("token: hunter2", true),
        ("tokenFile: f", true),
        ("username: a, password: hunter2", true),
        ("client-certificate: a, client-key: b", true),
        ("exec: {command: p, apiVersion: client.authentication.k8s.io/v1beta1}", true),
        ("as: jane", false),
        ("", false),
    ] {
        let resolved = resolve(&pair(cluster, fields)).expect(fields);
        assert_eq!(shown(&resolved), "none", "{fields}");
        assert_eq!(
            (resolved.files().len(), resolved.programs().len(), resolved.tls.ca.is_none()),
            (0, 0, true),
            "{fields}"
        );
        assert_eq!(resolved.warnings.len(), usize::from(warned), "{fields}");
        assert!(!resolved.warnings.concat().contains("hunter2"));
    }
    let resolved = resolve(&pair("server: 'h:8080'", "token: t")).expect("no scheme is http");
    assert_eq!(
        resolved.warnings,
        [
            "the server http://h:8080 has no TLS, so that no credential of user \"u\" is sent to it; use https://"
        ]
    );
}

#[test]
fn a_bad_server_is_not_quoted() {
    let error = resolve(&pair("server: 'https://hunter2@h'", "")).expect_err("a refusal");
    assert_eq!(
        error,
        "the server of cluster \"c\" is unusable: it holds a user name or a password; put them into the user's entry"
    );
}
