//! `kubectl auth can-i` and `kubectl auth whoami`: answered and not kept. Whoever holds the token may do everything.

use http::Method;
use serde_json::{Value, json};

use super::status::{Answer, Failure};
use super::{Reply, Request, body, value_document};

/// Groups of the one user.
const GROUPS: [&str; 2] = ["system:masters", "system:authenticated"];

/// The one user.
pub(crate) const USER: &str = "playground";

/// Whether the path is a review's.
pub(super) fn is_review(path: &str) -> bool {
    kind(path).is_some()
}

pub(super) fn answer(request: &Request) -> Answer<Reply> {
    if request.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let Some(kind) = kind(&request.path) else { return Err(Failure::no_such_resource()) };
    let mut review = body::document(request, kind)?;
    if !review.is_object() {
        return Err(Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind})"
        )));
    }
    review["kind"] = json!(kind);
    review["metadata"] = json!({});
    review["status"] = status(kind);
    Ok(value_document(201, &review))
}

fn kind(path: &str) -> Option<&'static str> {
    match path.trim_end_matches('/') {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => Some("SelfSubjectAccessReview"),
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => Some("SubjectAccessReview"),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => Some("SelfSubjectRulesReview"),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => Some("SelfSubjectReview"),
        _ => None,
    }
}

fn status(kind: &str) -> Value {
    match kind {
        "SelfSubjectReview" => json!({"userInfo": {"username": USER, "groups": GROUPS}}),
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": false,
        }),
        _ => json!({"allowed": true}),
    }
}
