//! One kubeconfig file: what is read, what is refused, and that no refusal quotes it.

use std::path::Path;

use proptest::prelude::*;
use tidegate_kube::kubeconfig::{Choice, Config, parse};

fn read(text: impl AsRef<[u8]>) -> Result<Config, String> {
    parse(text.as_ref(), Path::new("/home/me/.kube/config"))
        .map(|d| d.into_config())
        .map_err(|error| error.to_string())
}

fn token(text: &str) -> Result<String, String> {
    read(text).map(|config| config.users()["u"].token.expose().clone())
}

/// A document whose one user has `fields`.
fn user(fields: &str) -> String {
    format!("users:\n- name: u\n  user: {fields}\n")
}

#[test]
fn tokens_are_strings() {
    for (fields, expected) in [
        ("{token: abc}", Ok("abc")),
        ("{token: '12345'}", Ok("12345")),
        ("{token: \"12345\"}", Ok("12345")),
        ("{token: !!str 12345}", Ok("12345")),
        ("{token: 2024-01-01}", Ok("2024-01-01")),
        ("{token: null}", Ok("")),
        ("{token: ~}", Ok("")),
        ("{token: }", Ok("")),
        ("{}", Ok("")),
        ("null", Ok("")),
        ("{Token: abc}", Ok("")),
        ("{token: abc, token: def}", Ok("def")),
        ("{token: abc, token: null}", Ok("")),
        ("{token: 12345}", Err("users[0].user.token: expected a string, found a number; put it in quotes")),
        ("{token: 1e5}", Err("users[0].user.token: expected a string, found a number; put it in quotes")),
        ("{token: 0x1F}", Err("users[0].user.token: expected a string, found a number; put it in quotes")),
        ("{token: yes}", Err("users[0].user.token: expected a string, found a bool; put it in quotes")),
        ("{token: [secret]}", Err("users[0].user.token: expected a string, found a list; put it in quotes")),
        (
            "{token: {secret: 1}}",
            Err("users[0].user.token: expected a string, found a map; put it in quotes"),
        ),
        ("secret", Err("users[0].user: expected a map, found a string")),
    ] {
        assert_eq!(token(&user(fields)), expected.map(str::to_owned).map_err(str::to_owned), "{fields}");
    }
}

#[test]
fn fields_of_other_types() {
    for (text, error) in [
        ("clusters: {}", "clusters: expected a list, found a map"),
        ("clusters: secret", "clusters: expected a list, found a string"),
        ("clusters: [secret]", "clusters[0]: expected a map, found a string"),
        ("contexts: [{name: 7}]", "contexts[0].name: expected a string, found a number; put it in quotes"),
        ("current-context: 7", "current-context: expected a string, found a number; put it in quotes"),
        (
            "clusters: [{name: c, cluster: {insecure-skip-tls-verify: 'true'}}]",
            "clusters[0].cluster.insecure-skip-tls-verify: expected true or false, found a string",
        ),
        ("preferences: secret", "preferences: expected a map, found a string"),
        ("secret", "the document: expected a map, found a string"),
        ("[secret]", "the document: expected a map, found a list"),
        ("kind: 7", "kind: expected a string, found a number; put it in quotes"),
        (
            "kind: Pod",
            "no kind \"Pod\" is registered for version \"v1\"; a kubeconfig is \"Config\" of \"v1\"",
        ),
        (
            "KIND: Pod",
            "no kind \"Pod\" is registered for version \"v1\"; a kubeconfig is \"Config\" of \"v1\"",
        ),
        (
            "{kind: Deployment, apiVersion: apps/v1beta2}",
            "no kind \"Deployment\" is registered for version \"apps/v1beta2\"; a kubeconfig is \"Config\" of \"v1\"",
        ),
        (
            "apiVersion: v2",
            "no kind \"Config\" is registered for version \"v2\"; a kubeconfig is \"Config\" of \"v1\"",
        ),
        ("kind: s3cr3t", "this is no kubeconfig: its kind is not \"Config\" or its apiVersion is not \"v1\""),
        (
            "apiVersion: secret",
            "this is no kubeconfig: its kind is not \"Config\" or its apiVersion is not \"v1\"",
        ),
        (
            "users: [{name: u, user: {auth-provider: {config: {secret: 7}}}}]",
            "users[0].user.auth-provider.config[…]: expected a string, found a number; put it in quotes",
        ),
        (
            "users: [{name: u, user: {as-user-extra: {secret: [a, 7]}}}]",
            "users[0].user.as-user-extra[…][1]: expected a string, found a number; put it in quotes",
        ),
        (
            "users: [{name: u, user: {exec: {env: [{name: A, value: secret}, {name: B, value: 1}]}}}]",
            "users[0].user.exec.env[1].value: expected a string, found a number; put it in quotes",
        ),
        (
            "users: [{name: u, user: {token: a}}, {name: v}, {name: u}]",
            "users[2]: duplicate name \"u\"; remove or rename one of the two",
        ),
        (
            "clusters: [null, {cluster: {}}]",
            "clusters[1]: duplicate name \"\"; remove or rename one of the two",
        ),
        (
            "users: [{name: u, user: {client-key-data: 'secret!'}}]",
            "users[0].user.client-key-data: not base64 (standard alphabet, padded)",
        ),
    ] {
        assert_eq!(read(text).err().as_deref(), Some(error), "{text}");
    }
}

#[test]
fn data_is_base64_as_go_decodes_it() {
    for (text, expected) in [
        ("aGVsbG8=", Some("hello")),
        ("'aGVs\n\n      bG8='", Some("hello")),
        ("|\n      aGVs\n      bG8=\n", Some("hello")),
        ("\"aGVs\\r\\nbG8=\"", Some("hello")),
        ("[104, 105]", Some("hi")),
        ("''", Some("")),
        ("null", Some("")),
        ("aGVsbG9=", Some("hello")),
        ("aGVsbG8", None),
        ("aGVsbG8==", None),
        ("aGVs bG8=", None),
        ("aGV-bG8_", None),
        ("[256]", None),
        ("12", None),
    ] {
        let document = format!("users:\n- name: u\n  user:\n    client-key-data: {text}\n");
        let data = read(&document).ok().map(|config| config.users()["u"].client_key_data.expose().clone());
        assert_eq!(data.as_deref(), expected.map(str::as_bytes), "{text}");
    }
}

#[test]
fn yaml_as_kubectl_reads_it() {
    for (what, text, expected) in [
        (
            "the first document counts",
            "users: [{name: u, user: {token: a}}]\n---\nusers: [{name: u, user: {token: b}}]\n",
            "a",
        ),
        ("later documents may be broken", "users: [{name: u, user: {token: a}}]\n---\n{]\n", "a"),
        ("an explicit beginning", "%YAML 1.1\n---\nusers: [{name: u, user: {token: a}}]\n...\n", "a"),
        (
            "JSON",
            "{\"kind\":\"Config\",\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"a\\u0062\"}}]}",
            "ab",
        ),
        (
            "JSON with tabs",
            "{\n\t\"users\": [\n\t\t{\"name\": \"u\",\n\t\t\"user\": {\"token\": \"a\"}}]}",
            "a",
        ),
        ("a byte order mark", "\u{feff}users: [{name: u, user: {token: a}}]", "a"),
        ("CRLF", "users:\r\n- name: u\r\n  user:\r\n    token: a\r\n", "a"),
        (
            "unknown fields",
            "more: {x: [1, .5, yes]}\nusers: [{name: u, odd: 1, user: {token: a, odd: {}}}]",
            "a",
        ),
        ("an anchor", "x: &t a\nusers: [{name: u, user: {token: *t}}]", "a"),
        ("a merge", "x: &m {token: a, username: v}\nusers: [{name: u, user: {<<: *m}}]", "a"),
        ("a merge, then its key", "x: &m {token: a}\nusers: [{name: u, user: {<<: *m, token: b}}]", "b"),
        ("a key, then a merge of it", "x: &m {token: a}\nusers: [{name: u, user: {token: b, <<: *m}}]", "a"),
        ("the first of several merged", "users: [{name: u, user: {<<: [{token: a}, {token: b}]}}]", "a"),
        ("a folded scalar", "users:\n- name: u\n  user:\n    token: >-\n      a\n      b\n", "a b"),
        ("a literal scalar", "users:\n- name: u\n  user:\n    token: |\n      a\n", "a\n"),
        ("a quoted merge key is a key", "users: [{name: u, user: {'<<': {token: b}, token: a}}]", "a"),
        ("lists at their key's indentation", "users:\n- name: u\n  user: {token: a}\n- name: v\n", "a"),
        ("comments", "# c\nusers: # c\n- name: u # c\n  user: {token: a#b} # c\n", "a#b"),
    ] {
        assert_eq!(token(text).as_deref(), Ok(expected), "{what}");
    }
    let utf16: Vec<u8> =
        "\u{feff}users: [{name: u, user: {token: ä}}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(utf16).expect("UTF-16").users()["u"].token.expose(), "ä");
    for empty in ["", "\n", "# nothing\n", "---\n", "null", "{}", "clusters: null\nusers:\ncontexts: ~\n"] {
        let config = read(empty).expect(empty);
        assert!(
            config.users().is_empty() && config.clusters().is_empty() && config.current_context().is_none(),
            "{empty:?}"
        );
    }
}

#[test]
fn what_is_no_yaml() {
    for (text, error) in [
        ("a: [secret".as_bytes(), "the kubeconfig cannot be read: it is not YAML (line 1)"),
        (b"a: secret\nb: 'secret", "the kubeconfig cannot be read: it is not YAML (line 2)"),
        (b"a: *secret", "the kubeconfig cannot be read: it is not YAML (line 1)"),
        (b"a: &x [*x]", "the kubeconfig cannot be read: an anchor's value contains itself (line 1)"),
        (b"a:\n\tsecret: 1\n", "the kubeconfig cannot be read: it is not YAML (line 2)"),
        (
            b"a: secret\nb: \x1b[31m\n",
            "the kubeconfig cannot be read: control characters are not allowed (line 2)",
        ),
        (b"a: \0", "the kubeconfig cannot be read: control characters are not allowed (line 1)"),
        (
            b"a: \xff\xfe",
            "the kubeconfig cannot be read: it is not UTF-8 (nor UTF-16 with a byte order mark)",
        ),
        (b"\xff\xfea", "the kubeconfig cannot be read: it is not UTF-8 (nor UTF-16 with a byte order mark)"),
        (b"{[secret]: 1}", "the kubeconfig cannot be read: a map's key is null, a list or a map (line 1)"),
        (b"~: secret", "the kubeconfig cannot be read: a map's key is null, a list or a map (line 1)"),
        (
            b"<<: secret",
            "the kubeconfig cannot be read: a merge (`<<`) needs a map or a list of maps (line 1)",
        ),
        (b"a: !!int secret", "the kubeconfig cannot be read: a value does not fit its tag (line 1)"),
        (b"a: .nan", "the kubeconfig cannot be read: a number is infinite or not a number (line 1)"),
    ] {
        assert_eq!(read(text).err().as_deref(), Some(error), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = "
clusters: [{name: c, cluster: {certificate-authority: certs/ca.crt}}]
users:
- {name: a, user: {client-certificate: ./c.crt, client-key: ../c.key, tokenFile: /abs/../t}}
- {name: b, user: {exec: {command: bin/../plugin}}}
- {name: c, user: {exec: {command: plugin}, auth-provider: {config: {cmd-path: gcloud, idp-certificate-authority: /idp.crt}}}}
";
    let config = read(text).expect("a kubeconfig");
    let files: Vec<_> = config.files().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(
        files,
        ["/home/me/.kube/certs/ca.crt", "/home/me/.kube/c.crt", "/home/me/c.key", "/abs/../t", "/idp.crt"]
    );
    assert_eq!(config.programs(), ["/home/me/.kube/plugin", "plugin", "gcloud"]);
}

#[test]
fn everything_that_is_parsed_is_represented() {
    let text = "
users:
- name: u
  user:
    as: jane
    as-uid: '7'
    as-groups: [a, b]
    as-user-extra: {scopes: [x, z]}
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: plugin
      args: [--a, b]
      env: [{name: A, value: b}]
      installHint: \"get \\e[31mit\\nhere\"
      provideClusterInfo: true
    auth-provider: {name: oidc, config: {id-token: t}}
";
    let config = read(text).expect("a kubeconfig");
    let shown = format!("{:?}", config.users()["u"]);
    for part in [
        "jane",
        "\"7\"",
        "[\"a\", \"b\"]",
        "scopes",
        "IfAvailable",
        "get \u{fffd}[31mit here",
        "oidc",
        "provide_cluster_info: true",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let exec = config.users()["u"].exec.as_ref().expect("exec");
    assert_eq!(exec.args.iter().map(|a| a.expose().as_str()).collect::<Vec<_>>(), ["--a", "b"]);
    assert_eq!((exec.env[0].name.as_str(), exec.env[0].value.expose().as_str()), ("A", "b"));
}

#[test]
fn no_credential_is_shown() {
    let fields = "{token: hunter2, password: hunter2, username: me, client-key-data: aHVudGVyMg==, client-certificate-data: aHVudGVyMg==,
      auth-provider: {name: x, config: {id-token: hunter2}}, exec: {command: c, args: [hunter2], env: [{name: A, value: hunter2}]}}";
    let text = format!(
        "clusters: [{{name: c, cluster: {{proxy-url: 'http://u:hunter2@p', extensions: [{{name: e, extension: hunter2}}]}}}}]\n{}",
        user(fields)
    );
    let shown = format!("{:?}", read(text).expect("a kubeconfig"));
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117, 110"), "{shown}");
}

proptest! {
    #[test]
    fn never_panics_on_bytes(bytes: Vec<u8>) {
        let _ = read(bytes);
    }

    #[test]
    fn never_panics_on_yaml(text in "([a-u\\-:&*\\[\\]{},'\"<>|#~!%?@. \t\n0-9]|users: |- name: |token: |&a |\\*a|<<: |\n  ){0,60}") {
        if let Ok(config) = read(&text) {
            let _ = config.resolve(&Choice::default());
        }
    }

    #[test]
    fn errors_never_quote(place in 0usize..6, secret in "[a-z]{12}hunter") {
        let text = match place {
            0 => format!("users: [{{name: u, user: [{secret}]}}]"),
            1 => format!("users: [{{name: u, user: {{client-key-data: '{secret}!'}}}}]"),
            2 => format!("a: '{secret}"),
            3 => format!("a: *{secret}"),
            4 => format!("a: !!int {secret}"),
            _ => secret.clone(),
        };
        let error = read(text).expect_err("a refusal");
        prop_assert!(!error.contains("hunter"), "{}", error);
    }
}
