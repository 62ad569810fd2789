use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidegate_grants::{Denied, Limit};
use tidegate_kube::status::Status;
use tidegate_kube::text;

use crate::{Code, Failure, NoClient};

type Source = Arc<dyn StdError + Send + Sync>;

/// Why a request, a stream or a connection failed. Cheap to clone.
///
/// `Display` speaks for this level and leaves the rest to `source()`; [`report`](Error::report) is the whole chain on one line, for
/// guests and people. Neither ever holds a credential or the text of a file.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    code: Code,
    message: String,
    status: Option<Status>,
    missing: Vec<String>,
    limit: Option<Limit>,
    failures: Vec<Failure>,
    retry_after: Option<Duration>,
    source: Option<Source>,
    note: Note,
}

/// What detection must know of an error besides its code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Note {
    Nothing,
    /// The status came as an API server's own `Status`, not out of a proxy's HTML.
    Spoken,
    /// There is a configuration, and it is broken: falling through to another server must not go unnoticed.
    Broken,
}

impl Error {
    /// An error without a status, flags or a source.
    ///
    /// A message may tell what a peer, a file or a guest said: it becomes one line that does nothing to a terminal.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error::from_inner(Inner {
            code,
            message: text::on_one_line(&message.into()),
            status: None,
            missing: Vec::new(),
            limit: None,
            failures: Vec::new(),
            retry_after: None,
            source: None,
            note: Note::Nothing,
        })
    }

    /// The server's own words for anything but 2xx.
    pub fn from_status(status: Status) -> Error {
        let message = status.to_string();
        Error::new(Code::Status, message).change(|inner| inner.status = Some(status))
    }

    /// A refusal: the flags that would allow it.
    pub fn denied(message: impl Into<String>, missing: Vec<String>) -> Error {
        Error::new(Code::PermissionDenied, message).change(|inner| inner.missing = missing)
    }

    /// That a limit of a guest was reached, with what to do about it.
    pub fn limited(limit: Limit) -> Error {
        let text = format!("{limit}; {}", limit.cure());
        Error::new(Code::Limit, text).change(|inner| inner.limit = Some(limit))
    }

    /// The same error with what caused it.
    pub fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let source: Box<dyn StdError + Send + Sync> = source.into();
        self.change(|inner| inner.source = Some(Arc::from(source)))
    }

    /// What kind of failure this is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the server said, where the code is [`Code::Status`].
    pub fn status(&self) -> Option<&Status> {
        self.0.status.as_ref()
    }

    /// The flags to add, e.g. `--allow-net=10.0.0.1:6443`; empty unless something was not granted.
    pub fn missing(&self) -> &[String] {
        &self.0.missing
    }

    /// Which limit was reached, where the code is [`Code::Limit`].
    pub fn limit(&self) -> Option<Limit> {
        self.0.limit
    }

    /// Why each transport failed, where the code is [`Code::NoClient`].
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// How long the server asks to be left alone: its `Retry-After` header in seconds (RFC 9110, 10.2.3; a date there is not looked at, as in
    /// client-go), else `details.retryAfterSeconds` of its status. As it said it: whoever waits sets a cap.
    pub fn retry_after(&self) -> Option<Duration> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Details {
            retry_after_seconds: u64,
        }
        self.0.retry_after.or_else(|| {
            let details = self.status()?.details.as_deref()?;
            let details: Details = serde_json::from_str(details).ok()?;
            Some(Duration::from_secs(details.retry_after_seconds)).filter(|wait| !wait.is_zero())
        })
    }

    /// The same error, with what a header says about a second try.
    pub(crate) fn with_retry_after(self, wait: Option<Duration>) -> Error {
        self.change(|inner| inner.retry_after = wait)
    }

    /// This error and all that caused it, joined by `: `.
    pub fn report(&self) -> String {
        let mut report = self.0.message.clone();
        let mut next = self.source();
        while let Some(error) = next {
            report.push_str(": ");
            report.push_str(&text::on_one_line(&error.to_string()));
            next = error.source();
        }
        report
    }

    /// The same error, told by the API server itself.
    pub(crate) fn spoken(self) -> Error {
        self.change(|inner| inner.note = Note::Spoken)
    }

    /// The same error, being one of a configuration that is there.
    pub(crate) fn broken(self) -> Error {
        self.change(|inner| inner.note = Note::Broken)
    }

    pub(crate) fn is_spoken(&self) -> bool {
        self.0.note == Note::Spoken
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.note == Note::Broken
    }

    fn from_inner(inner: Inner) -> Error {
        Error(Arc::new(inner))
    }

    /// For the makers above, which hold the only reference.
    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Error {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {})", self.0.code, self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Error {
        let flags = denied.flags();
        Error::denied(denied.to_string(), flags)
    }
}

impl From<NoClient> for Error {
    fn from(none: NoClient) -> Error {
        let mut missing: Vec<String> = Vec::new();
        for flag in none.failures.iter().flat_map(|failure| &failure.missing) {
            if !missing.contains(flag) {
                missing.push(flag.clone());
            }
        }
        Error::new(Code::NoClient, "").change(|inner| {
            // Lines of ours, made of details that are one line each.
            inner.message = none.to_string();
            inner.missing = missing;
            inner.failures = none.failures;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_server_says_when_to_come_back() {
        let status = |details: &str| {
            let body = format!(r#"{{"kind":"Status","details":{details}}}"#);
            Error::from_status(tidegate_kube::status::from_response(429, None, body.as_bytes()))
        };
        let seconds = |error: Error| error.retry_after().map(|wait| wait.as_secs());
        for (error, expected) in [
            (status(r#"{"retryAfterSeconds":7}"#), Some(7)),
            (status(r#"{"retryAfterSeconds":7}"#).with_retry_after(Some(Duration::from_secs(2))), Some(2)),
            (status(r#"{"retryAfterSeconds":0}"#), None),
            (status(r#"{"retryAfterSeconds":-1}"#), None),
            (status(r#"{"retryAfterSeconds":"7"}"#), None),
            (status("{}"), None),
            (Error::new(Code::Unreachable, ""), None),
        ] {
            assert_eq!(seconds(error), expected);
        }
    }

    #[test]
    fn no_error_moves_a_terminal_or_forges_a_line() {
        let foreign = std::io::Error::other("not\u{9b}31m\n- InCluster Unreachable: forged");
        let error = Error::new(Code::Tls, "/home/\u{1b}]0;x\u{7}\r\n/key").because(foreign);
        let report = "/home/\u{fffd}]0;x\u{fffd}  /key: not\u{fffd}31m - InCluster Unreachable: forged";
        assert_eq!(error.report(), report);
        let failures = vec![Failure::of(Kind::KubeConfig, &error), Failure::of(Kind::KubectlRaw, &error)];
        let none = Error::from(NoClient { failures });
        assert_eq!(none.to_string().lines().count(), 3, "{none}");
        assert!(!none.to_string().chars().any(|c| c.is_control() && c != '\n'), "{none:?}");
    }
}
