//! exec and attach: which channel is what, and how a process ended.

use serde::Deserialize;

use crate::status::{self, Status};

/// What clients and servers call their protocols, the best first.
pub const PROTOCOLS: &[&str] = &[V5, V4];

/// The protocol that can end standard input.
pub const V5: &str = "v5.channel.k8s.io";

/// The one before it (Kubernetes up to 1.29).
pub const V4: &str = "v4.channel.k8s.io";

/// The process's standard input.
pub const STDIN: u8 = 0;
/// Its standard output.
pub const STDOUT: u8 = 1;
/// Its standard error.
pub const STDERR: u8 = 2;
/// One JSON `Status`, once the process has ended.
pub const STATUS: u8 = 3;
/// The size of its terminal: [`resize`].
pub const RESIZE: u8 = 4;
/// The channel that its one byte names is over ([`V5`]).
pub const CLOSE: u8 = 255;

/// The largest `Status` that is kept.
pub const STATUS_CAP: usize = 1024 * 1024;

/// What tells a terminal its size, in characters, on [`RESIZE`].
pub fn resize(width: u16, height: u16) -> String {
    format!("{{\"Width\":{width},\"Height\":{height}}}")
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ran, and ended with this code.
    Code(i32),
    /// It did not run, or nobody knows how it ended: what the server says.
    Failed(Status),
}

/// What came on [`STATUS`] is no `Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tunnel's last word is no Status")]
pub struct NoStatus;

/// Reads what came on [`STATUS`].
///
/// A failure of the reason `NonZeroExitCode` holds the code as a cause (`k8s.io/client-go/tools/remotecommand/v4.go`).
///
/// ```
/// use tidegate_kube::channels::process::{Ended, ended};
/// assert_eq!(ended(br#"{"kind":"Status","status":"Success"}"#), Ok(Ended::Code(0)));
/// ```
pub fn ended(json: &[u8]) -> Result<Ended, NoStatus> {
    let wire: Wire = serde_json::from_slice(json).map_err(|_| NoStatus)?;
    match wire.status.as_str() {
        "Success" => return Ok(Ended::Code(0)),
        "Failure" => {}
        _ => return Err(NoStatus),
    }
    if wire.reason == "NonZeroExitCode" {
        let mut causes = wire.details.into_iter().flat_map(|details| details.causes);
        let code =
            causes.find(|cause| cause.reason == "ExitCode").and_then(|cause| cause.message.parse().ok());
        return code.map(Ended::Code).ok_or(NoStatus);
    }
    let code = match wire.code {
        400..=599 => wire.code,
        _ => status::code_for(&wire.reason).unwrap_or(500),
    };
    Ok(Ended::Failed(status::from_response(code, Some("application/json"), json)))
}

#[derive(Deserialize)]
struct Wire {
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    code: u16,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_how_a_process_ended() {
        let failed = |code, reason: &str, message: &str| {
            let (reason, message) = (reason.to_owned(), message.to_owned());
            Ok(Ended::Failed(Status { code, reason, message, details: None, continue_token: None }))
        };
        let exit = |causes: &str| {
            format!(
                r#"{{"metadata":{{}},"status":"Failure","message":"command terminated with non-zero exit code","reason":"NonZeroExitCode","details":{{"causes":{causes}}}}}"#
            )
        };
        for (json, expected) in [
            (r#"{"metadata":{},"status":"Success"}"#.to_owned(), Ok(Ended::Code(0))),
            (exit(r#"[{"reason":"ExitCode","message":"7"}]"#), Ok(Ended::Code(7))),
            (exit(r#"[{"reason":"Other"},{"reason":"ExitCode","message":"-1"}]"#), Ok(Ended::Code(-1))),
            (exit(r#"[{"reason":"ExitCode","message":"many"}]"#), Err(NoStatus)),
            (exit("[]"), Err(NoStatus)),
            (
                r#"{"kind":"Status","status":"Failure","message":"no such container","reason":"NotFound","code":404}"#.into(),
                failed(404, "NotFound", "no such container"),
            ),
            (
                r#"{"kind":"Status","status":"Failure","message":"broken","reason":"InternalError"}"#.into(),
                failed(500, "InternalError", "broken"),
            ),
            (r#"{"kind":"Status","status":"Failure","code":7}"#.into(), failed(500, "InternalError", "the server failed")),
            (r#"{"kind":"Status"}"#.into(), Err(NoStatus)),
            (r#"{"status":"Perhaps"}"#.into(), Err(NoStatus)),
            (r#"{"status":"Success""#.into(), Err(NoStatus)),
            ("[]".into(), Err(NoStatus)),
            (String::new(), Err(NoStatus)),
        ] {
            let found = ended(json.as_bytes());
            match (&found, &expected) {
                // The words for a code are the status module's.
                (Ok(Ended::Failed(found)), Ok(Ended::Failed(expected))) => {
                    assert_eq!((found.code, &found.reason), (expected.code, &expected.reason), "{json}");
                }
                _ => assert_eq!(found, expected, "{json}"),
            }
        }
    }

    #[test]
    fn a_size_is_what_the_kubelet_reads() {
        assert_eq!(resize(80, 24), r#"{"Width":80,"Height":24}"#);
    }
}
