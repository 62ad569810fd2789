//! What kubectl says on its standard error is a typed status, or why there is none.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::lines;
use crate::place::{NAMESPACE, Place, cluster};

const MERGE: &str = "application/merge-patch+json";

#[test]
fn what_the_server_refuses_is_its_status() {
    let place = Place::new();
    let all = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    place.plain(&format!("-n {NAMESPACE} create configmap words --from-literal=a=b")).status().unwrap();
    let old = r#"{"metadata":{"name":"words","resourceVersion":"1"}}"#;
    for (method, media_type, body, path, expected) in [
        (
            "GET",
            "",
            "",
            format!("{all}/nobody"),
            "error status 404 NotFound: configmaps \"nobody\" not found",
        ),
        (
            "GET",
            "",
            "",
            "/apis/none/v1".to_owned(),
            "error status 404 NotFound: the server could not find the requested resource",
        ),
        (
            "POST",
            "application/json",
            r#"{"metadata":{"name":"words"}}"#,
            all.clone(),
            "error status 409 AlreadyExists: configmaps \"words\" already exists",
        ),
        (
            "PUT",
            "application/json",
            old,
            format!("{all}/words"),
            "error status 409 Conflict: Operation cannot be fulfilled on configmaps \"words\"",
        ),
        (
            "POST",
            "application/json",
            r#"{"metadata":{"name":"Not_A_Name"}}"#,
            all.clone(),
            "error status 422 Invalid: The ConfigMap \"Not_A_Name\" is invalid",
        ),
        ("POST", "application/json", "{", all.clone(), "error status 400 BadRequest: "),
        ("GET", "", "", format!("{all}?labelSelector=,,"), "error status 400 BadRequest: "),
        (
            "PATCH",
            MERGE,
            "{}",
            format!("{all}/nobody"),
            "error status 404 NotFound: configmaps \"nobody\" not found",
        ),
        ("PATCH", MERGE, r#"{"metadata":{"name":"other"}}"#, format!("{all}/words"), "error status 4"),
        (
            "DELETE",
            "",
            "",
            format!("{all}/nobody"),
            "error status 404 NotFound: configmaps \"nobody\" not found",
        ),
    ] {
        let mut flags = vec!["--method", method];
        if !body.is_empty() {
            flags.extend(["--content-type", media_type, "--body", body]);
        }
        let outcome = place.ask(&flags).argument(&path).run();
        let last = lines(&outcome).pop().unwrap_or_default();
        assert!(last.starts_with(expected), "{method} {path}: expected {expected:?}, found {outcome:?}");
    }
}

/// A kubeconfig with the administrator, with somebody who may nothing, with somebody whom nobody knows, and two servers that are none.
fn contexts(place: &Place) {
    let (certificate, key) =
        cluster().client_certificate("ann", "people", Duration::from_secs(3600)).expect("a certificate");
    let [ca, certificate, key] = [cluster().ca_pem(), &certificate, &key].map(|text| STANDARD.encode(text));
    let (url, token) = (cluster().server_url(), cluster().admin_token());
    let text = format!(
        "clusters:
- {{name: good, cluster: {{server: '{url}', certificate-authority-data: {ca}}}}}
- {{name: stranger, cluster: {{server: '{url}'}}}}
- {{name: nobody, cluster: {{server: 'https://127.0.0.1:1', certificate-authority-data: {ca}}}}}
users:
- {{name: admin, user: {{token: {token}}}}}
- {{name: ann, user: {{client-certificate-data: {certificate}, client-key-data: {key}}}}}
- {{name: forged, user: {{token: forged}}}}
contexts:
- {{name: admin, context: {{cluster: good, user: admin}}}}
- {{name: ann, context: {{cluster: good, user: ann}}}}
- {{name: forged, context: {{cluster: good, user: forged}}}}
- {{name: stranger, context: {{cluster: stranger, user: admin}}}}
- {{name: nobody, context: {{cluster: nobody, user: admin}}}}
current-context: admin\n"
    );
    std::fs::write(place.path("config"), text).expect("write");
}

/// The host's choice goes before its own current one; a guest chooses by name among what kubectl has.
#[test]
fn a_context_is_somebody_somewhere() {
    let place = Place::new();
    contexts(&place);
    let path = "/api/v1/namespaces/kube-system/secrets";
    for (context, expected) in [
        ("", "done: 1 items"),
        ("admin", "done: 1 items"),
        ("ann", "error status 403 Forbidden: secrets is forbidden: User \"ann\" cannot list resource"),
        ("forged", "error unauthorized: "),
        ("stranger", "error tls: "),
        ("nobody", "error unreachable: "),
        ("missing", "error not-configured: "),
    ] {
        for by_host in [true, false] {
            let run = place.ask(&[path]).variable("KUBECONFIG", place.path("config"));
            let run = match (context, by_host) {
                ("", _) => run,
                (context, true) => run.flag(format!("--context={context}")),
                (context, false) => run.arguments(&["--context", context]),
            };
            let outcome = run.run();
            let last = lines(&outcome).pop().unwrap_or_default();
            assert!(last.starts_with(expected), "{context} {by_host}: {outcome:?}");
            let given = place.noted().pop().map(|noted| noted.arguments.join(" ")).unwrap_or_default();
            let chosen = if context.is_empty() { String::new() } else { format!("--context={context} ") };
            if expected.starts_with("done") || expected.contains("403") {
                assert_eq!(given, format!("{chosen}get --raw={path}"));
            }
        }
    }
}
