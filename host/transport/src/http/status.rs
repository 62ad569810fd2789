use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use tidegate_kube::status;
use tokio::time::{Instant, timeout_at};

use super::incoming::Incoming;
use crate::body::Body;
use crate::{Code, Error};

/// How much of a response that is no success is read.
const CAP: usize = 1024 * 1024;

/// How long its body may take: the code is known already, and its words are not worth a long wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a response that is not 2xx says. Whatever came of its body in time and within the cap is used.
pub(super) async fn read(head: &http::response::Parts, incoming: Incoming, deadline: Instant) -> Error {
    let code = head.status.as_u16();
    if head.status.is_redirection()
        && let Some(location) = head.headers.get(LOCATION)
    {
        return redirect(code, location.as_bytes());
    }
    let until = deadline.min(Instant::now() + PATIENCE);
    let mut body = Body::http(incoming, until, PATIENCE);
    let mut text = Vec::new();
    while text.len() < CAP
        && let Ok(Some(Ok(chunk))) = timeout_at(until, body.chunk()).await
    {
        let room = CAP - text.len();
        text.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| seconds(value.as_bytes()));
    let error = Error::from_status(status::from_response(code, content_type, &text));
    let error = error.with_retry_after(retry_after);
    if is_status(&text) { error.spoken() } else { error }
}

/// A `Retry-After` in seconds.
fn seconds(value: &[u8]) -> Option<Duration> {
    let seconds = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|wait| !wait.is_zero())
}

/// Whether the API server itself speaks, rather than something in front of it.
fn is_status(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    serde_json::from_slice::<Kind<'_>>(body).is_ok_and(|body| body.kind == "Status")
}

/// Where to, without what may hold a credential: the query and a user.
fn redirect(code: u16, location: &[u8]) -> Error {
    let location = String::from_utf8_lossy(location);
    let bare = location.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("//").unwrap_or(("", bare));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let slashes = if bare.contains("//") { "//" } else { "" };
    let shown: String = format!("{scheme}{slashes}{host}{path}").chars().take(200).collect();
    Error::new(
        Code::Redirect,
        format!(
            "the server answered {code}, a redirect to {shown:?}; redirects are never followed, so use the server's final URL"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::{redirect, seconds};

    #[test]
    fn only_seconds_are_a_retry_after() {
        for (value, expected) in [
            ("1", Some(1)),
            (" 120 ", Some(120)),
            ("0", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("99999999999999999999", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            assert_eq!(seconds(value.as_bytes()).map(|wait| wait.as_secs()), expected, "{value:?}");
        }
    }

    #[test]
    fn a_redirect_shows_no_credential() {
        for (location, shown) in [
            ("https://login.corp/start?token=abc#x", "https://login.corp/start"),
            ("https://user:secret@login.corp/", "https://login.corp/"),
            ("//user:secret@host", "//host"),
            ("/ui/?next=1", "/ui/"),
            ("http://host\u{1b}[31m", "http://host\\u{1b}[31m"),
        ] {
            let error = redirect(302, location.as_bytes()).to_string();
            assert!(error.contains(&format!("{shown}\"")), "{error}");
            assert!(!error.contains("secret") && !error.contains("abc"), "{error}");
        }
    }
}
