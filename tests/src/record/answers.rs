//! Enough of the API for `kubectl get pods` and for a guest.

use crate::http::Asked;

/// The token that is refused.
const REFUSED: &str = "Bearer hush-refused";

const VERSIONS: &str = r#"{"kind":"APIVersions","versions":["v1"]}"#;
const GROUPS: &str = r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#;
const RESOURCES: &str = r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[
{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list","watch"],"shortNames":["po"]},
{"name":"namespaces","singularName":"namespace","namespaced":false,"kind":"Namespace","verbs":["get","list","watch"]}]}"#;
const VERSION: &str = r#"{"major":"1","minor":"36","gitVersion":"v1.36.3"}"#;
const PODS: &str = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#;
const NAMESPACES: &str =
    r#"{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#;
const TABLE: &str = r#"{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1"},
"columnDefinitions":[{"name":"Name","type":"string","format":"name","description":"","priority":0}],"rows":[]}"#;
const UNAUTHORIZED: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;
const NOT_FOUND: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","code":404}"#;

pub(super) fn answer(asked: &Asked) -> Vec<u8> {
    let (code, body) = match route(&asked.target) {
        _ if asked.header("authorization") == Some(REFUSED) => ("401 Unauthorized", UNAUTHORIZED),
        Some(TABLE_OF_PODS) if is_for_people(asked) => ("200 OK", TABLE),
        Some(TABLE_OF_PODS) => ("200 OK", PODS),
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", NOT_FOUND),
    };
    let head = format!(
        "HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Stands for pods until the form is known.
const TABLE_OF_PODS: &str = "pods";

fn is_for_people(asked: &Asked) -> bool {
    asked.header("accept").is_some_and(|accept| accept.contains("as=Table"))
}

/// By how the path ends: whatever prefix is before it is the server's.
fn route(target: &str) -> Option<&'static str> {
    let path = target.split('?').next().unwrap_or_default().trim_end_matches('/');
    let ends = [
        ("/api", VERSIONS),
        ("/apis", GROUPS),
        ("/api/v1", RESOURCES),
        ("/version", VERSION),
        ("/namespaces", NAMESPACES),
        ("/pods", TABLE_OF_PODS),
    ];
    ends.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, body)| body)
}
