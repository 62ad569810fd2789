//! Failures as the `Status` objects that the real server answers, in its words
//! (`k8s.io/apimachinery/pkg/api/errors`).

use serde_json::{Map, Value, json};

use crate::kinds::{Resource, Violation};

/// A refusal on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// The HTTP code.
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    details: Option<Value>,
    metadata: Map<String, Value>,
}

/// What a request answers: a reply, or a refusal. Boxed: refusals are rare and large.
pub(crate) type Answer<T> = Result<T, Box<Failure>>;

impl Failure {
    /// A refusal with no details.
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Box<Failure> {
        Box::new(Failure { code, reason, message: message.into(), details: None, metadata: Map::new() })
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Box<Failure> {
        Failure::new(400, "BadRequest", message)
    }

    /// 401.
    pub(crate) fn unauthorized() -> Box<Failure> {
        Failure::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403 with what was refused and why.
    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Box<Failure> {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        Failure::about(403, "Forbidden", message, resource, name)
    }

    /// 404 for an object.
    pub(crate) fn not_found(resource: &Resource, name: &str) -> Box<Failure> {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Failure::about(404, "NotFound", message, resource, name)
    }

    /// 404 for a path below a known group.
    pub(crate) fn no_such_resource() -> Box<Failure> {
        let message = "the server could not find the requested resource";
        Failure::new(404, "NotFound", message).with_details(json!({}))
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Box<Failure> {
        let message = "the server does not allow this method on the requested resource";
        Failure::new(405, "MethodNotAllowed", message).with_details(json!({}))
    }

    /// 406 with the types that would do.
    pub(crate) fn not_acceptable() -> Box<Failure> {
        let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/json;stream=watch";
        Failure::new(406, "NotAcceptable", message).with_details(json!({}))
    }

    /// 409: the name is taken.
    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Box<Failure> {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Failure::about(409, "AlreadyExists", message, resource, name)
    }

    /// 409: it cannot be done to this object as it is.
    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Box<Failure> {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Failure::about(409, "Conflict", message, resource, name)
    }

    /// 409: somebody else wrote in between.
    pub(crate) fn modified(resource: &Resource, name: &str) -> Box<Failure> {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Failure::conflict(resource, name, why)
    }

    /// 410.
    pub(crate) fn expired(message: impl Into<String>) -> Box<Failure> {
        Failure::new(410, "Expired", message)
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Box<Failure> {
        Failure::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// 415 with the types that would do.
    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Box<Failure> {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Failure::new(415, "UnsupportedMediaType", message)
    }

    /// 422 for an object of `resource`.
    pub(crate) fn invalid(resource: &Resource, name: &str, violations: &[Violation]) -> Box<Failure> {
        Failure::invalid_kind(&resource.group, &resource.kind, &resource.qualified_kind(), name, violations)
    }

    /// 422 for the options of a request: `ListOptions`, `CreateOptions`, …
    pub(crate) fn invalid_options(kind: &str, violations: &[Violation]) -> Box<Failure> {
        Failure::invalid_kind("meta.k8s.io", kind, &format!("{kind}.meta.k8s.io"), "", violations)
    }

    /// 422 for an update that has to say which revision it replaces; the real server names the resource here.
    pub(crate) fn revision_missing(resource: &Resource, name: &str) -> Box<Failure> {
        let why = "must be specified for an update";
        let violation = Violation::invalid("metadata.resourceVersion", &json!(0), why);
        Failure::invalid_kind(&resource.group, &resource.plural, resource.qualified(), name, &[violation])
    }

    /// 409 for a precondition of a delete; the real server names the kind here.
    pub(crate) fn precondition(resource: &Resource, name: &str, why: &str) -> Box<Failure> {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified_kind());
        Failure::new(409, "Conflict", message).with_details(details(&resource.group, &resource.kind, name))
    }

    /// 504: the revision lies ahead.
    pub(crate) fn too_large_revision(asked: u64, current: u64) -> Box<Failure> {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Failure::new(504, "Timeout", message).with_details(json!({"causes": [cause], "retryAfterSeconds": 1}))
    }

    /// The same message as an error that the real server did not expect: 500 without a reason.
    pub(crate) fn internal(mut self: Box<Self>) -> Box<Failure> {
        (self.code, self.reason) = (500, "");
        self
    }

    /// The same refusal with something said before its message.
    pub(crate) fn prefixed(mut self: Box<Self>, before: &str) -> Box<Failure> {
        self.message.insert_str(0, before);
        self
    }

    /// The same refusal with these details.
    pub(crate) fn with_details(mut self: Box<Self>, details: Value) -> Box<Failure> {
        self.details = Some(details);
        self
    }

    /// The same refusal with these causes in its details.
    pub(crate) fn with_causes(mut self: Box<Self>, causes: Vec<Value>) -> Box<Failure> {
        let details = self.details.get_or_insert_with(|| json!({}));
        details["causes"] = Value::Array(causes);
        self
    }

    /// The same refusal with a token to go on with.
    pub(crate) fn with_continue(mut self: Box<Self>, token: String) -> Box<Failure> {
        self.metadata.insert("continue".into(), Value::String(token));
        self
    }

    /// As the `Status` object that is sent.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }

    fn about(
        code: u16,
        reason: &'static str,
        message: String,
        resource: &Resource,
        name: &str,
    ) -> Box<Failure> {
        Failure::new(code, reason, message).with_details(details(&resource.group, &resource.plural, name))
    }

    fn invalid_kind(
        group: &str,
        kind: &str,
        qualified: &str,
        name: &str,
        found: &[Violation],
    ) -> Box<Failure> {
        let mut texts: Vec<String> = found.iter().map(Violation::text).collect();
        texts.dedup();
        let text = if texts.len() == 1 { texts.remove(0) } else { format!("[{}]", texts.join(", ")) };
        let message = format!("{qualified} \"{name}\" is invalid: {text}");
        Failure::new(422, "Invalid", message)
            .with_details(details(group, kind, name))
            .with_causes(found.iter().map(Violation::cause).collect())
    }
}

/// `details` of a Status: empty members are left out.
pub(crate) fn details(group: &str, kind: &str, name: &str) -> Value {
    let members = [("name", name), ("group", group), ("kind", kind)];
    Value::Object(
        members.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.into(), json!(v))).collect(),
    )
}
