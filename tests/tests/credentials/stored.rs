//! Tokens, user names and client certificates, in the kubeconfig and in files beside it.

use base64::Engine as _;
use tidegate_tests::{Door, Keys, Outcome, Record, Recorder, Run};

/// A folder with a kubeconfig and all keys, before a server that asks for client certificates.
struct Place {
    recorder: Recorder,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { recorder: Recorder::start(), folder: tempfile::tempdir().unwrap() };
        Keys::shared().write(place.folder.path());
        place
    }

    /// A guest as this user; `{pem:FILE}` is a file's base64.
    fn ask(&self, user: &str) -> Outcome {
        let server = self.recorder.address(Door::Tls).to_string();
        let config = self.folder.path().join("config");
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'https://{server}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
            self.filled(user)
        );
        std::fs::write(&config, text).unwrap();
        Run::guest("ask")
            .flag("--transports=KubeConfig")
            .flag_path("--kubeconfig", &config)
            .flag_path("--allow-read", self.folder.path())
            .flag(format!("--allow-net={server}"))
            .arguments(&["--via", "kube-config", "/api/v1/pods"])
            .run()
    }

    fn filled(&self, user: &str) -> String {
        let mut filled = user.to_owned();
        while let Some((before, rest)) = filled.split_once("{pem:") {
            let (file, after) = rest.split_once('}').unwrap();
            let bytes = std::fs::read(self.folder.path().join(file)).unwrap();
            filled = format!("{before}{}{after}", base64::engine::general_purpose::STANDARD.encode(bytes));
        }
        filled
    }

    fn last(&self) -> Record {
        self.recorder.records().pop().unwrap()
    }
}

#[test]
fn each_kind_is_what_the_server_is_told() {
    let place = Place::new();
    for (name, text) in [("token", "of-a-file\n"), ("spaced", "  of-a-file \r\n")] {
        std::fs::write(place.folder.path().join(name), text).unwrap();
    }
    let both =
        |certificate: &str, key: &str| format!("{{client-certificate: {certificate}, client-key: {key}}}");
    let inline = |certificate: &str, key: &str| {
        format!("{{client-certificate-data: '{{pem:{certificate}}}', client-key-data: '{{pem:{key}}}'}}")
    };
    // The user, what `Authorization` holds, and whose certificate was shown.
    let rows: [(String, Option<&str>, Option<&str>); 14] = [
        ("{token: inline}".to_owned(), Some("Bearer inline"), None),
        ("{tokenFile: token}".to_owned(), Some("Bearer of-a-file"), None),
        ("{tokenFile: spaced}".to_owned(), Some("Bearer of-a-file"), None),
        // As client-go.
        ("{token: inline, tokenFile: token}".to_owned(), Some("Bearer of-a-file"), None),
        ("{username: me, password: 'pass: word'}".to_owned(), Some("Basic bWU6cGFzczogd29yZA=="), None),
        (both("alice.crt", "alice.key"), None, Some("alice")),
        (both("alice.crt", "alice.sec1.key"), None, Some("alice")),
        (both("bob.crt", "bob.key"), None, Some("bob")),
        (both("bob.crt", "bob.pkcs1.key"), None, Some("bob")),
        (inline("alice.crt", "alice.key"), None, Some("alice")),
        (inline("alice.crt", "alice.sec1.key"), None, Some("alice")),
        (inline("bob.crt", "bob.key"), None, Some("bob")),
        (inline("bob.crt", "bob.pkcs1.key"), None, Some("bob")),
        (
            "{token: inline, client-certificate: alice.crt, client-key-data: '{pem:alice.key}'}".to_owned(),
            Some("Bearer inline"),
            Some("alice"),
        ),
    ];
    for (user, authorization, certificate) in rows {
        let outcome = place.ask(&user);
        assert_eq!(outcome.code(), 0, "{user}: {outcome:?}");
        let told = place.last();
        assert_eq!(told.asked.header("authorization"), authorization, "{user}");
        assert_eq!(told.certificate.as_deref(), certificate, "{user}");
    }
}

#[test]
fn half_a_pair_names_the_other_half() {
    let place = Place::new();
    for (user, lacks) in [
        ("{username: me}", "password must be specified"),
        ("{password: s3cr3t}", "username must be specified"),
        ("{client-certificate: alice.crt}", "client-key-data or client-key must be specified"),
        ("{client-certificate-data: '{pem:alice.crt}'}", "client-key-data or client-key must be specified"),
        ("{client-key: alice.key}", "client-certificate-data or client-certificate must be specified"),
        (
            "{client-key-data: '{pem:alice.key}'}",
            "client-certificate-data or client-certificate must be specified",
        ),
    ] {
        let outcome = place.ask(user);
        assert_eq!(outcome.code(), 3, "{user}: {outcome:?}");
        assert!(outcome.stdout.contains(lacks), "{user}: {outcome:?}");
        assert!(!outcome.everything().contains("s3cr3t"), "{user}: {outcome:?}");
    }
    assert_eq!(place.recorder.connections(), 0);
}
