use tidegate_kube::request::{Request, StreamedBody};

use super::*;

fn arguments(
    method: Method,
    path: &str,
    content_type: Option<&str>,
    body: Option<&str>,
) -> Result<String, Error> {
    let mut request = Request::new(method, path);
    request.content_type = content_type.map(str::to_owned);
    request.body = body.map(|text| text.to_owned().into());
    let checked = request.check(StreamedBody::Absent).expect("request");
    let input = if body.is_some() { Input::Body } else { Input::Nothing };
    let options = KubectlOptions { cache: Some("/cache".into()), ..KubectlOptions::default() };
    let invocation = invocation(&checked, &options, input)?;
    let stdin = if invocation.input == Input::Body { " <" } else { "" };
    let line = line("kubectl", &invocation.arguments);
    Ok(format!("{}{stdin}", line.strip_prefix("kubectl --cache-dir=/cache ").expect("cache")))
}

fn patch(kind: &str, path: &str, body: &str) -> Result<String, Error> {
    arguments(Method::Patch, path, Some(&format!("application/{kind}")), Some(body))
}

#[test]
fn raw_requests() {
    for (method, path, body, line) in [
        (Method::Get, "/api", None, "get --raw=/api"),
        (Method::Get, "/api/v1/pods?watch=true", None, "get '--raw=/api/v1/pods?watch=true'"),
        (
            Method::Post,
            "/api/v1/namespaces/a/pods",
            Some("{}"),
            "create --raw=/api/v1/namespaces/a/pods -f - <",
        ),
        (Method::Post, "/x", None, "create --raw=/x -f - <"),
        (Method::Put, "/api/v1/nodes/n", Some("{}"), "replace --raw=/api/v1/nodes/n -f - <"),
        (Method::Delete, "/api/v1/nodes/n", None, "delete --raw=/api/v1/nodes/n"),
        (Method::Delete, "/api/v1/nodes/n", Some("{}"), "delete --raw=/api/v1/nodes/n -f - <"),
    ] {
        assert_eq!(arguments(method, path, None, body).expect(line), line);
    }
}

#[test]
fn patches_name_their_object() {
    let tail = "--patch-file=/dev/stdin --output=json --show-managed-fields=true";
    for (kind, path, line) in [
        (
            "merge-patch+json",
            "/api/v1/namespaces/a/pods/p",
            format!("patch --type=merge {tail} --namespace=a pods.v1./p <"),
        ),
        (
            "json-patch+json",
            "/apis/apps/v1/namespaces/a/deployments/d/scale?fieldManager=me&dryRun=All",
            format!(
                "patch --type=json {tail} --namespace=a --subresource=scale --field-manager=me --dry-run=server \
                 deployments.v1.apps/d <"
            ),
        ),
        (
            "strategic-merge-patch+json",
            "/api/v1/namespaces/a",
            format!("patch --type=strategic {tail} --namespace=- namespaces.v1./a <"),
        ),
        (
            "merge-patch+json",
            "/api/v1/namespaces/a/status?fieldValidation=Warn",
            format!("patch --type=merge {tail} --namespace=- --subresource=status namespaces.v1./a <"),
        ),
        (
            "merge-patch+json",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x",
            format!(
                "patch --type=merge {tail} --namespace=- clusterroles.v1.rbac.authorization.k8s.io/system:x <"
            ),
        ),
        (
            // Never in the namespace of kubectl's context: as for the server, there is no such object.
            "merge-patch+json",
            "/api/v1/configmaps/c",
            format!("patch --type=merge {tail} --namespace=- configmaps.v1./c <"),
        ),
        (
            "merge-patch+json",
            "/api/v1/namespaces/a/pods/-A?fieldManager=--kubeconfig",
            format!("patch --type=merge {tail} --namespace=a --field-manager=--kubeconfig pods.v1./-A <"),
        ),
    ] {
        assert_eq!(patch(kind, path, "{}").expect(path), line);
    }
}

#[test]
fn patches_that_kubectl_would_misunderstand_are_refused() {
    for (kind, path) in [
        ("merge-patch+json", "/api/v1/namespaces/a/pods"),
        ("merge-patch+json", "/api/v1/pods"),
        ("merge-patch+json", "/apis/apps/v1"),
        ("merge-patch+json", "/version"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p/ephemeralcontainers"),
        ("merge-patch+json", "/api/v1/namespaces/a/finalize"),
        ("merge-patch+json", "/api/v1/namespaces/a/-f/p"),
        ("merge-patch+json", "/api/v1/namespaces/--kubeconfig=x/pods/p"),
        ("merge-patch+json", "/api/v1/namespaces/a/secret/p"),
        ("merge-patch+json", "/api/v1/namespaces/a/cm/p"),
        ("merge-patch+json", "/apis/apps/v1/namespaces/a/sts/p"),
        ("merge-patch+json", "/apis/networking.k8s.io/v1/namespaces/a/ingress/p"),
        ("merge-patch+json", "/apis/apiextensions.k8s.io/v1/crds/p"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods,secrets/p"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p,q"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p%20q"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p%2Fq%2Fr"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p?force=true"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p?pretty=true"),
        ("merge-patch+json", "/api/v1/namespaces/a/pods/p?fieldValidation=Strict"),
        ("json", "/api/v1/namespaces/a/pods/p"),
        ("apply-patch+cbor", "/api/v1/namespaces/a/pods/p"),
    ] {
        let error = patch(kind, path, "{}").expect_err(path);
        assert_eq!(error.code(), Code::Unsupported, "{path}: {error:?}");
    }
}

#[test]
fn apply_takes_the_object_that_the_path_names() {
    let body =
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","namespace":"a"},"spec":{}}"#;
    let path = "/apis/apps/v1/namespaces/a/deployments/d?fieldManager=me&force=true";
    assert_eq!(
        patch("apply-patch+yaml", path, body).expect("apply"),
        "apply --server-side --filename=- --output=json --show-managed-fields=true --namespace=a \
         --field-manager=me --force-conflicts --validate=false <"
    );
    let status = "/apis/apps/v1/namespaces/a/deployments/d/status?fieldManager=me&fieldValidation=Strict";
    assert_eq!(
        patch("apply-patch+yaml", status, body).expect("apply"),
        "apply --server-side --filename=- --output=json --show-managed-fields=true --namespace=a \
         --subresource=status --field-manager=me --validate=strict <"
    );
    // A scale is of another kind, which kubectl does not find.
    let scale = "/apis/apps/v1/namespaces/a/deployments/d/scale?fieldManager=me";
    let scaled = r#"{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"d"}}"#;
    for body in [body, scaled] {
        let error = patch("apply-patch+yaml", scale, body).expect_err("no scale");
        assert_eq!(error.code(), Code::Unsupported);
    }
    for (kind, plural) in [
        ("NetworkPolicy", "networkpolicies"),
        ("Ingress", "ingresses"),
        ("Gateway", "gateways"),
        ("Endpoints", "endpoints"),
    ] {
        let body = format!(r#"{{"apiVersion":"g/v1","kind":"{kind}","metadata":{{"name":"x"}}}}"#);
        assert!(
            patch("apply-patch+yaml", &format!("/apis/g/v1/namespaces/a/{plural}/x"), &body).is_ok(),
            "{kind}"
        );
    }
}

#[test]
fn apply_by_a_kind_in_the_path_is_refused() {
    let body = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"p"}}"#;
    let error = patch("apply-patch+yaml", "/api/v1/namespaces/a/secret/p", body).expect_err("no plural");
    assert_eq!(error.code(), Code::Unsupported);
    assert!(patch("apply-patch+yaml", "/api/v1/namespaces/a/secrets/p", body).is_ok());
}

#[test]
fn apply_of_another_object_is_refused() {
    for body in [
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"p"}}"#,
        r#"{"apiVersion":"v2","kind":"Pod","metadata":{"name":"p"}}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"q"}}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"b"}}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"kind":"Secret"}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","name":"q"}}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}} {"apiVersion":"v1","kind":"Secret"}"#,
        r#"{"apiVersion":"v1","kind":"List","metadata":{"name":"p"},"items":[]}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"items":[{"apiVersion":"v1","kind":"Secret"}]}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"ite\u006ds":null}"#,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"Itemſ":[]}"#,
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n",
        "",
    ] {
        let error = patch("apply-patch+yaml", "/api/v1/namespaces/a/pods/p", body).expect_err(body);
        assert_eq!(error.code(), Code::Unsupported, "{body}");
    }
}

#[test]
fn what_kubectl_cannot_do_is_refused_beforehand() {
    for (method, content_type) in [
        (Method::Head, None),
        (Method::Options, None),
        (Method::Post, Some("application/vnd.kubernetes.protobuf")),
        (Method::Put, Some("application/yaml")),
    ] {
        let body = content_type.map(|_| "x");
        assert_eq!(
            arguments(method, "/api", content_type, body).expect_err("refused").code(),
            Code::Unsupported
        );
    }
    assert_eq!(
        arguments(Method::Patch, "/api/v1/nodes/n", None, None).expect_err("refused").code(),
        Code::InvalidRequest
    );
    let mut table = Request::new(Method::Get, "/api/v1/pods");
    table.accept = Some("application/json;as=Table;v=v1;g=meta.k8s.io".to_owned());
    let checked = table.check(StreamedBody::Absent).expect("request");
    let refused = invocation(&checked, &KubectlOptions::default(), Input::Nothing).expect_err("refused");
    assert_eq!(refused.code(), Code::Unsupported);
}

#[test]
fn a_query_of_many_names_is_refused_at_once() {
    let names: Vec<String> = (0..12_000).map(|number| format!("{number:x}")).collect();
    let path = format!("/api/v1/namespaces/a/pods/p?fieldManager=me&{}", names.join("&"));
    let started = std::time::Instant::now();
    assert_eq!(patch("merge-patch+json", &path, "{}").expect_err("unknown").code(), Code::Unsupported);
    let same = format!("/api/v1/namespaces/a/pods/p?fieldManager=me{}", "&fieldManager".repeat(4_000));
    assert!(patch("merge-patch+json", &same, "{}").expect("known").contains("--field-manager=me "));
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_command_line_for_people_writes_to_no_terminal() {
    for (word, shown) in [
        ("plain", "plain"),
        ("two words", "'two words'"),
        ("it's", r"'it'\''s'"),
        ("\u{1b}[31m", r"$'\x1b[31m'"),
        ("a\n'b\\", r"$'a\x0a\'b\\'"),
        ("\u{9b}\u{202e}ä", r"$'\xc2\x9b\xe2\x80\xae\xc3\xa4'"),
        ("ä", "'ä'"),
    ] {
        assert_eq!(line("kubectl", &[word.to_owned()]), format!("kubectl {shown}"));
    }
}

#[test]
fn a_cache_that_no_argument_can_name_is_none() {
    use std::os::unix::ffi::OsStringExt;
    let folder = std::ffi::OsString::from_vec(b"/cache-\xff".to_vec());
    for (folder, named) in
        [(Some("/c d".into()), "/c d"), (Some(folder.into()), "/dev/null"), (None, "/dev/null")]
    {
        let options = KubectlOptions { cache: folder, ..KubectlOptions::default() };
        let checked = Request::new(Method::Get, "/api").check(StreamedBody::Absent).expect("request");
        let invocation = invocation(&checked, &options, Input::Nothing).expect("invocation");
        assert_eq!(invocation.arguments[0], format!("--cache-dir={named}"));
    }
}

#[test]
fn a_context_is_never_a_flag() {
    let checked = Request::new(Method::Get, "/api").check(StreamedBody::Absent).expect("request");
    let options =
        KubectlOptions { context: Some("--kubeconfig=/x y".to_owned()), ..KubectlOptions::default() };
    let invocation = invocation(&checked, &options, Input::Nothing).expect("invocation");
    assert_eq!(
        line("kubectl", &invocation.arguments),
        "kubectl --cache-dir=/dev/null '--context=--kubeconfig=/x y' get --raw=/api"
    );
}
