//! What can go wrong, and what the API server said about it.

use std::fmt;

use crate::wit::tidegate::host::types as wit;

/// [`std::result::Result`] with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not work.
///
/// `Debug` prints what `Display` prints, so that `fn main() -> tidegate::Result<()>` ends with text for people: the
/// flags to add, or a line for each transport that was tried.
///
/// A program that ends with a `permission-denied` error it did not handle exits with 126 instead of 1.
pub struct Error(Box<Inner>);

struct Inner {
    code: String,
    message: String,
    status: Option<Status>,
    missing: Vec<String>,
    failures: Vec<Failure>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// One of the codes of `tidegate:host/types.error` (`permission-denied`, `status`, `no-client`, `invalid-request`, `unsupported`,
    /// `not-configured`, `unreachable`, `tls`, `unauthorized`, `forbidden`, `not-kubernetes`, `timeout`, `too-large`, `protocol`,
    /// `redirect`, `closed`, `unsupported-resource`, `halted`, `unavailable`, `limit`), or of this crate: `json` where something could not be
    /// encoded or decoded, `guest` for [`Error::other`]. The set may grow.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// For people: what, where and the cure. Never holds a credential.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the API server answered, where the code is `status`.
    pub fn status(&self) -> Option<&Status> {
        self.0.status.as_ref()
    }

    /// The flags to add, e.g. `--allow-net=10.0.0.1:6443`; empty where nothing was refused.
    pub fn missing(&self) -> &[String] {
        &self.0.missing
    }

    /// Why each transport failed, in the order that they were tried; empty unless the code is `no-client`.
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// The person who started tidegate did not grant what this needs: see [`Error::missing`].
    pub fn is_permission_denied(&self) -> bool {
        self.code() == "permission-denied"
    }

    /// This transport, or this host, cannot do that.
    pub fn is_unsupported(&self) -> bool {
        self.code() == "unsupported"
    }

    /// The server has no resource of the name that was looked up; the message names those that are like it.
    pub fn is_unsupported_resource(&self) -> bool {
        self.code() == "unsupported-resource"
    }

    /// A deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.code() == "timeout"
    }

    /// The object does not exist: 404.
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    /// An object of that name exists: 409 `AlreadyExists`.
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(Status::is_already_exists)
    }

    /// The object was changed since it was read, or fields are managed by somebody else: 409 `Conflict`.
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(Status::is_conflict)
    }

    /// The resource version or continue token is too old: 410. A list must begin anew.
    pub fn is_gone(&self) -> bool {
        self.status().is_some_and(Status::is_gone)
    }

    /// The object is not valid: 422.
    pub fn is_invalid(&self) -> bool {
        self.status().is_some_and(Status::is_invalid)
    }

    /// The cluster's RBAC says no: a 403 `Status`.
    pub fn is_forbidden(&self) -> bool {
        self.status().is_some_and(Status::is_forbidden)
    }

    /// An error of the guest's own, with the code `guest`: lets a program end with its own words through `?`.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new("guest", message.into(), None)
    }

    #[cfg(feature = "kube")]
    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new("invalid-request", message.into(), None)
    }

    pub(crate) fn json(what: &str, source: serde_json::Error) -> Self {
        Self::new("json", format!("{what}: {source}"), Some(Box::new(source)))
    }

    pub(crate) fn new(
        code: &str,
        message: String,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (missing, failures) = Default::default();
        Self(Box::new(Inner { code: code.to_owned(), message, status: None, missing, failures, source }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        Self(Box::new(Inner {
            code: error.code(),
            message: error.message(),
            status: error.status().map(Status::from),
            missing: error.missing(),
            failures: error.failures().into_iter().map(Failure::from).collect(),
            source: None,
        }))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::json("JSON", error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new("guest", error.to_string(), Some(Box::new(error)))
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(feature = "kube")]
impl From<kube_core::request::Error> for Error {
    fn from(error: kube_core::request::Error) -> Self {
        Self::new("invalid-request", error.to_string(), Some(Box::new(error)))
    }
}

/// Why one transport could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// `InCluster`, `KubeConfig`, `KubectlProxy`, `KubectlRaw`. The set may grow.
    pub transport: String,
    /// `permission-denied`, `not-configured`, `unreachable`, `tls`, `unauthorized`, `forbidden`, `not-kubernetes`, `timeout`,
    /// `unsupported`. The set may grow.
    pub reason: String,
    /// For people: what was tried and what came of it.
    pub detail: String,
    /// The flags to add; empty unless `permission-denied`.
    pub missing: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.transport, self.reason, self.detail)
    }
}

impl From<wit::Failure> for Failure {
    fn from(wit::Failure { transport, reason, detail, missing }: wit::Failure) -> Self {
        Self { transport, reason, detail, missing }
    }
}

/// What an API server said went wrong: `kind: Status` of apimachinery, or what its answer amounts to where it was none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The HTTP code, 300 to 599.
    pub code: u16,
    /// Kubernetes' word for it: `NotFound`, `AlreadyExists`, `Conflict`, `Expired`, …; may be empty.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The `details` member as JSON text, or empty. See [`Status::details_as`].
    pub details: String,
}

impl Status {
    /// The `details` member, decoded: `serde_json::Value`, `StatusDetails` of k8s-openapi or a type of your own; `None` where the
    /// server gave none. Errors: `json`.
    pub fn details_as<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        if self.details.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&self.details).map(Some).map_err(|error| Error::json("status details", error))
    }

    /// 404 `NotFound`.
    pub fn is_not_found(&self) -> bool {
        self.is("NotFound", 404)
    }

    /// 409 `AlreadyExists`.
    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    /// 409 `Conflict`.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// 410 `Gone` or `Expired`.
    pub fn is_gone(&self) -> bool {
        self.is("Expired", 410)
    }

    /// 422 `Invalid`.
    pub fn is_invalid(&self) -> bool {
        self.is("Invalid", 422)
    }

    /// 403 `Forbidden`.
    pub fn is_forbidden(&self) -> bool {
        self.is("Forbidden", 403)
    }

    fn is(&self, reason: &str, code: u16) -> bool {
        self.reason == reason || self.code == code
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl From<wit::Status> for Status {
    fn from(wit::Status { code, reason, message, details }: wit::Status) -> Self {
        Self { code, reason, message, details }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str) -> Status {
        Status { code, reason: reason.to_owned(), message: "said so".to_owned(), details: String::new() }
    }

    /// By Kubernetes' word, and by the code where something else answered; the two meanings of 409 only by the word.
    #[test]
    fn statuses_are_told_apart() {
        type Is = fn(&Status) -> bool;
        let all: [(&str, Is); 6] = [
            ("not found", Status::is_not_found),
            ("already exists", Status::is_already_exists),
            ("conflict", Status::is_conflict),
            ("gone", Status::is_gone),
            ("invalid", Status::is_invalid),
            ("forbidden", Status::is_forbidden),
        ];
        for (code, reason, expected) in [
            (404, "NotFound", &["not found"][..]),
            (404, "", &["not found"]),
            (409, "AlreadyExists", &["already exists"]),
            (409, "Conflict", &["conflict"]),
            (409, "", &[]),
            (410, "Gone", &["gone"]),
            (410, "Expired", &["gone"]),
            (422, "Invalid", &["invalid"]),
            (403, "Forbidden", &["forbidden"]),
            (500, "InternalError", &[]),
        ] {
            let status = status(code, reason);
            let found: Vec<&str> = all.iter().filter(|row| row.1(&status)).map(|row| row.0).collect();
            assert_eq!(found, expected, "{status}");
        }
    }

    #[test]
    fn details_are_none_or_json() {
        let with = |details: &str| Status { details: details.to_owned(), ..status(422, "Invalid") };
        type Value = serde_json::Value;
        assert_eq!(with("").details_as::<Value>().unwrap(), None);
        assert_eq!(with(r#"{"name":"x"}"#).details_as::<Value>().unwrap().unwrap()["name"], "x");
        assert_eq!(with("{").details_as::<Value>().unwrap_err().code(), "json");
    }

    /// `fn main() -> tidegate::Result<()>` ends with what people can read.
    #[test]
    fn an_error_reads_the_same_for_people_and_in_a_panic() {
        let source = serde_json::from_str::<u8>("x").unwrap_err();
        for (error, code, has_source) in [
            (Error::other("no such thing"), "guest", false),
            (Error::from(std::io::Error::other("no such file")), "guest", true),
            (Error::from(source), "json", true),
        ] {
            assert_eq!(error.code(), code);
            assert_eq!(
                (format!("{error}"), format!("{error:?}")),
                (error.message().to_owned(), error.message().to_owned())
            );
            assert_eq!(std::error::Error::source(&error).is_some(), has_source, "{error}");
            assert!(error.status().is_none() && error.missing().is_empty() && error.failures().is_empty());
        }
    }
}
