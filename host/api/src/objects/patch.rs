use serde_json::Value;

/// What is changed, and how it is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// `application/merge-patch+json`: members replace, null removes, lists are replaced whole (RFC 7386).
    Merge(Value),
    /// `application/strategic-merge-patch+json`: lists are merged by their keys. Built-in kinds only.
    Strategic(Value),
    /// `application/json-patch+json`: a list of operations (RFC 6902).
    Json(Value),
    /// `application/apply-patch+yaml`: server-side apply of what one manager wants.
    Apply(Value, Apply),
}

/// Whose apply it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apply {
    /// The owner of the fields that are applied. Required by the server.
    pub field_manager: String,
    /// Takes fields from other managers; without it they are a conflict (409).
    pub force: bool,
}

impl Patch {
    pub(super) fn media_type(&self) -> &'static str {
        match self {
            Patch::Merge(_) => "application/merge-patch+json",
            Patch::Strategic(_) => "application/strategic-merge-patch+json",
            Patch::Json(_) => "application/json-patch+json",
            Patch::Apply(..) => "application/apply-patch+yaml",
        }
    }

    pub(super) fn body(&self) -> &Value {
        match self {
            Patch::Merge(body) | Patch::Strategic(body) | Patch::Json(body) | Patch::Apply(body, _) => body,
        }
    }
}
