//! A status from what kubectl wrote to stderr (`k8s.io/kubectl/pkg/cmd/util/helpers.go`).

use super::reason::{self, code_for, reason_for};
use super::{MAX_MESSAGE, Status};
use crate::text;

/// What kubectl wrote to stderr, taken apart. No text in it holds control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubectlOutput {
    /// The server's warnings (`Warning: …`), without that word.
    pub warnings: Vec<String>,
    /// What went wrong; `None` where kubectl wrote nothing else.
    pub error: Option<KubectlError>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubectlError {
    /// The server answered.
    Status(Status),
    /// The server could not be reached.
    Unreachable(String),
    /// The server's certificate was refused, or there is no TLS.
    Tls(String),
    /// A deadline passed.
    Timeout(String),
    /// kubectl's own credential plugin failed.
    Credentials(String),
    /// kubectl has no usable configuration.
    NotConfigured(String),
    /// Anything else, in kubectl's words.
    Other(String),
}

/// The status in what kubectl wrote to stderr, if there is one.
pub fn from_kubectl_stderr(stderr: &str) -> Option<Status> {
    match read_kubectl_stderr(stderr).error? {
        KubectlError::Status(status) => Some(status),
        _ => None,
    }
}

/// Takes apart what kubectl wrote to stderr.
///
/// ```
/// use tidegate_kube::status::read_kubectl_stderr;
/// let read = read_kubectl_stderr("Warning: v1 is old\nError from server (NotFound): pods \"x\" not found\n");
/// assert_eq!(read.warnings, ["v1 is old"]);
/// ```
pub fn read_kubectl_stderr(stderr: &str) -> KubectlOutput {
    let mut warnings = Vec::new();
    let (mut lines, mut logged) = (Vec::new(), Vec::new());
    for line in stderr.lines() {
        if let Some(warning) = line.strip_prefix("Warning: ") {
            warnings.push(text::for_people(warning, MAX_MESSAGE));
        } else if let Some(message) = after_log_header(line) {
            logged.push(message);
        } else if !line.trim().is_empty() {
            lines.push(line);
        }
    }
    // What kubectl logs counts only where it says nothing else.
    let lines = if lines.is_empty() { logged } else { lines };
    KubectlOutput { warnings, error: error(&lines) }
}

/// The first line that is known decides, with all that follows it.
fn error(lines: &[&str]) -> Option<KubectlError> {
    // Joined once: there may be as many lines as bytes.
    let all = lines.join("\n");
    let mut first = 0;
    let known = lines.iter().find_map(|line| {
        let rest = &all[first..];
        first += line.len() + 1;
        classify(line, rest)
    });
    known.or_else(|| (!lines.is_empty()).then(|| KubectlError::Other(people(&all))))
}

fn classify(line: &str, all: &str) -> Option<KubectlError> {
    server_status(all)
        .or_else(|| invalid(all))
        .map(KubectlError::Status)
        .or_else(|| unreachable(all))
        .or_else(|| is_about_configuration(line).then(|| KubectlError::NotConfigured(people(all))))
}

/// `Error from server (NotFound): …`, `Error from server: …`, and what kubectl says in its own words.
fn server_status(all: &str) -> Option<Status> {
    if let Some(rest) = all.strip_prefix("Error from server (") {
        let (reason, message) = rest.split_once("): ").or_else(|| rest.split_once(')'))?;
        return Some(status(code_for(reason).unwrap_or(500), reason, message));
    }
    if let Some(message) = all.strip_prefix("Error from server: ") {
        let code = code_within(message).unwrap_or(500);
        return Some(status(code, reason_for(code), message));
    }
    let own = all.strip_prefix("error: ").unwrap_or(all);
    if let Some(message) = own.strip_prefix("You must be logged in to the server (") {
        return Some(status(401, "Unauthorized", message.trim_end().trim_end_matches(')')));
    }
    if own.starts_with("Apply failed with ") {
        return Some(status(409, "Conflict", own));
    }
    let line = own.lines().next().unwrap_or_default();
    if line.contains(" is not supported by ") && line.contains("accepted media types include: ") {
        return Some(status(415, "UnsupportedMediaType", own));
    }
    // kubectl looks the resource up before it asks for it: to the caller it is the server's 404.
    let no_such_kind =
        ["the server doesn't have a resource type", "no matches for kind ", "unable to recognize "];
    no_such_kind.iter().any(|words| own.starts_with(words)).then(|| status(404, "NotFound", own))
}

/// `The Pod "x" is invalid: …`, `The request is invalid: …`.
fn invalid(all: &str) -> Option<Status> {
    let subject = all.lines().next()?.strip_prefix("The ")?;
    let (subject, _) = subject.split_once(" is invalid")?;
    let is_one = subject == "request" || subject.ends_with('"');
    is_one.then(|| status(422, "Invalid", all))
}

fn unreachable(all: &str) -> Option<KubectlError> {
    if all.starts_with("The connection to the server ") {
        return Some(KubectlError::Unreachable(people(all)));
    }
    let reason = all.strip_prefix("Unable to connect to the server: ")?;
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let make = if says(&["getting credentials"]) {
        KubectlError::Credentials
    } else if says(&["timeout", "deadline exceeded", "Timeout exceeded"]) {
        KubectlError::Timeout
    } else if says(&["x509:", "tls:", "certificate", "HTTP response to HTTPS client"]) {
        KubectlError::Tls
    } else {
        KubectlError::Unreachable
    };
    Some(make(people(reason)))
}

fn is_about_configuration(line: &str) -> bool {
    let own = line.strip_prefix("error: ").unwrap_or(line);
    let named = ["context ", "cluster ", "auth info "].iter().any(|what| own.starts_with(what));
    (named && own.ends_with(" does not exist"))
        || own.starts_with("Error in configuration:")
        || own.starts_with("invalid configuration:")
        || own.starts_with("no configuration has been provided")
        || own.starts_with("error loading config file ")
        || own.starts_with("stat ") && own.ends_with(": no such file or directory")
}

fn status(code: u16, reason: &str, message: &str) -> Status {
    let message = people(message);
    Status {
        code,
        reason: text::for_people(reason, 256),
        message: if message.is_empty() { reason::message_for(code) } else { message },
        details: None,
        continue_token: None,
    }
}

/// The code in `the server responded with the status code 418 but …`.
fn code_within(message: &str) -> Option<u16> {
    let (_, rest) = message.split_once("status code ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|code| (300..600).contains(code))
}

/// What follows klog's header (`E1121 10:00:00.123456   12345 memcache.go:265] …`), where the line has one.
fn after_log_header(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let has_date = matches!(bytes.first()?, b'I' | b'W' | b'E' | b'F')
        && bytes.get(1..5)?.iter().all(u8::is_ascii_digit)
        && bytes.get(5) == Some(&b' ');
    let (header, message) = line.split_once("] ")?;
    (has_date && header.contains(".go:")).then_some(message)
}

fn people(message: &str) -> String {
    text::for_people(message.strip_prefix("error: ").unwrap_or(message), MAX_MESSAGE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statuses() {
        for (stderr, code, reason, message) in [
            ("Error from server (NotFound): pods \"x\" not found\n", 404, "NotFound", "pods \"x\" not found"),
            (
                "Error from server (AlreadyExists): pods \"x\" already exists",
                409,
                "AlreadyExists",
                "pods \"x\" already exists",
            ),
            (
                "Error from server (Conflict): Operation cannot be fulfilled",
                409,
                "Conflict",
                "Operation cannot be fulfilled",
            ),
            (
                "Error from server (Expired): too old resource version",
                410,
                "Expired",
                "too old resource version",
            ),
            (
                "Error from server (Forbidden): pods is forbidden: User \"u\" cannot list (yet): no",
                403,
                "Forbidden",
                "pods is forbidden: User \"u\" cannot list (yet): no",
            ),
            ("Error from server (Odd): hm", 500, "Odd", "hm"),
            (
                "Error from server (NotFound)",
                404,
                "NotFound",
                "the server could not find the requested resource",
            ),
            (
                "Error from server: the server responded with the status code 418 but did not return more information",
                418,
                "Unknown",
                "the server responded with the status code 418 but did not return more information",
            ),
            ("Error from server: etcd is sad", 500, "InternalError", "etcd is sad"),
            (
                "error: application/strategic-merge-patch+json is not supported by a/v1, Kind=W: the body of the request was in an \
                 unknown format - accepted media types include: application/merge-patch+json",
                415,
                "UnsupportedMediaType",
                "application/strategic-merge-patch+json is not supported by a/v1, Kind=W: the body of the request was in an \
                 unknown format - accepted media types include: application/merge-patch+json",
            ),
            (
                "error: You must be logged in to the server (Unauthorized)\n",
                401,
                "Unauthorized",
                "Unauthorized",
            ),
            (
                "The Pod \"x\" is invalid: spec.containers: Required value\n",
                422,
                "Invalid",
                "The Pod \"x\" is invalid: spec.containers: Required value",
            ),
            (
                "The ConfigMap \"x\" is invalid: \n* a: Bad\n* b: Bad\n",
                422,
                "Invalid",
                "The ConfigMap \"x\" is invalid: * a: Bad * b: Bad",
            ),
            (
                "The request is invalid: patch is broken",
                422,
                "Invalid",
                "The request is invalid: patch is broken",
            ),
            (
                "error: the server doesn't have a resource type \"foos\"",
                404,
                "NotFound",
                "the server doesn't have a resource type \"foos\"",
            ),
            (
                "error: Apply failed with 1 conflict: conflict with \"kubectl\": .data.a\nPlease review",
                409,
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"kubectl\": .data.a Please review",
            ),
            (
                "E1121 10:00:00.123456   12345 memcache.go:265] \"Unhandled\"\nError from server (Gone): g",
                410,
                "Gone",
                "g",
            ),
            ("noise first\nError from server (NotFound): n", 404, "NotFound", "n"),
            (
                "Error from server (Not\u{1b}[31mFound): \u{1b}]0;title\u{7}x",
                500,
                "Not\u{fffd}[31mFound",
                "\u{fffd}]0;title\u{fffd}x",
            ),
        ] {
            let expected = Status {
                code,
                reason: reason.into(),
                message: message.into(),
                details: None,
                continue_token: None,
            };
            assert_eq!(from_kubectl_stderr(stderr), Some(expected), "{stderr:?}");
        }
    }

    #[test]
    fn what_is_no_status() {
        use KubectlError::*;
        for (stderr, error) in [
            ("", None),
            ("\n \n", None),
            ("Warning: only that\n", None),
            (
                "Unable to connect to the server: dial tcp: lookup nowhere: no such host",
                Some(Unreachable("dial tcp: lookup nowhere: no such host".into())),
            ),
            (
                "The connection to the server h:1 was refused - did you specify the right host or port?",
                Some(Unreachable(
                    "The connection to the server h:1 was refused - did you specify the right host or port?"
                        .into(),
                )),
            ),
            (
                "Unable to connect to the server: net/http: TLS handshake timeout",
                Some(Timeout("net/http: TLS handshake timeout".into())),
            ),
            (
                "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Some(Tls(
                    "tls: failed to verify certificate: x509: certificate signed by unknown authority".into()
                )),
            ),
            (
                "Unable to connect to the server: getting credentials: exec: executable x not found",
                Some(Credentials("getting credentials: exec: executable x not found".into())),
            ),
            (
                "error: context \"x\" does not exist",
                Some(NotConfigured("context \"x\" does not exist".into())),
            ),
            (
                "error: stat /x: no such file or directory",
                Some(NotConfigured("stat /x: no such file or directory".into())),
            ),
            ("error: unknown flag: --x\nSee help", Some(Other("unknown flag: --x See help".into()))),
            ("E1121 10:00:00.1 1 a.go:1] oops", Some(Other("oops".into()))),
        ] {
            let read = read_kubectl_stderr(stderr);
            assert_eq!(read.error, error, "{stderr:?}");
        }
        assert_eq!(read_kubectl_stderr("Warning: a\nx\nWarning: b").warnings, ["a", "b"]);
    }

    #[test]
    fn many_lines_are_gone_through_once() {
        // Gone through anew for each line, this would take days.
        let noise = "x\n".repeat(1 << 20);
        assert!(matches!(read_kubectl_stderr(&noise).error, Some(KubectlError::Other(_))));
        let status = from_kubectl_stderr(&format!("{noise}Error from server (NotFound): n")).expect("status");
        assert_eq!((status.code, status.message.as_str()), (404, "n"));
    }

    proptest! {
        #[test]
        fn never_panics_nor_reaches_the_terminal(stderr in "(Error from server \\(|The |error: |Warning: |E1121 )?\\PC{0,40}.{0,200}") {
            let read = read_kubectl_stderr(&stderr);
            prop_assert!(!read.warnings.iter().any(|warning| warning.contains(char::is_control)));
            if let Some(status) = from_kubectl_stderr(&stderr) {
                prop_assert!(!status.message.is_empty() && !status.message.contains(char::is_control));
                prop_assert!(!status.reason.contains(char::is_control));
            }
        }
    }
}
