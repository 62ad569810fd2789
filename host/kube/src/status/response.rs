//! A status from an HTTP response.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::protobuf;
use super::reason::{message_for, reason_for};
use super::{MAX_DETAILS, MAX_MESSAGE, Status};
use crate::text;

/// The fields that count, each read leniently: a field of another type is as good as absent.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// Reads a response that is no success, whatever it is: a `Status` (JSON or protobuf), HTML from a proxy, half a JSON document, nothing.
///
/// The HTTP code counts, not the body's. Where the body is no `Status`, `reason` and `message` come from the code, and what
/// text there is (not HTML) is added. Never fails.
pub fn from_response(code: u16, content_type: Option<&str>, body: &[u8]) -> Status {
    if let Some(status) = from_status_object(code, body) {
        return status;
    }
    let mut message = message_for(code);
    if is_text(content_type, body) {
        let shown = text::bytes_for_people(body, MAX_MESSAGE - message.len() - 2);
        if !shown.is_empty() {
            message = format!("{message}: {shown}");
        }
    }
    Status { code, reason: reason_for(code).to_owned(), message, details: None, continue_token: None }
}

fn from_status_object(code: u16, body: &[u8]) -> Option<Status> {
    let (reason, message, details, token) = match protobuf::read(body) {
        Some(wire) => (Some(wire.reason), Some(wire.message), wire.details, None),
        None => from_json(body)?,
    };
    let reason = reason.map(|r| text::for_people(&r, 256)).filter(|r| !r.is_empty());
    let message = message.map(|m| text::for_people(&m, MAX_MESSAGE)).filter(|m| !m.is_empty());
    Some(Status {
        code,
        reason: reason.unwrap_or_else(|| reason_for(code).to_owned()),
        message: message.unwrap_or_else(|| message_for(code)),
        details: details.filter(|d| d.len() <= MAX_DETAILS),
        continue_token: token.filter(|token| !token.is_empty() && token.len() <= MAX_DETAILS),
    })
}

type Fields = (Option<String>, Option<String>, Option<String>, Option<String>);

fn from_json(body: &[u8]) -> Option<Fields> {
    let wire: Wire<'_> = serde_json::from_slice(body).ok()?;
    if wire.kind.as_deref() != Some("Status") {
        return None;
    }
    let details = wire.details.map(RawValue::get).filter(|d| d.starts_with('{') && d.len() <= MAX_DETAILS);
    let token =
        wire.metadata.and_then(|raw| serde_json::from_str::<Meta>(raw.get()).ok()).map(|meta| meta.token);
    Some((string(wire.reason), string(wire.message), details.map(str::to_owned), token))
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "continue", default)]
    token: String,
}

fn string(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// Whether the body is text for people: not HTML, and not what calls itself something else.
fn is_text(content_type: Option<&str>, body: &[u8]) -> bool {
    let essence = content_type
        .unwrap_or("text/plain")
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    matches!(essence.as_str(), "text/plain" | "application/json" | "")
        && !body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JSON: Option<&str> = Some("application/json");

    #[test]
    fn a_status_object_is_taken_over() {
        for (body, reason, message, details) in [
            (
                r#"{"kind":"Status","reason":"NotFound","message":"pods \"x\" not found","details":{"name":"x"},"code":404}"#,
                "NotFound",
                "pods \"x\" not found",
                Some(r#"{"name":"x"}"#),
            ),
            ("{\"kind\":\"Status\",\"message\":\"m\"}\n", "NotFound", "m", None),
            (r#"{"kind":"Status"}"#, "NotFound", "the server could not find the requested resource", None),
            (
                r#"{"kind":"Status","reason":7,"message":[],"details":"d"}"#,
                "NotFound",
                "the server could not find the requested resource",
                None,
            ),
            (
                r#"{"kind":"Status","message":"\u001b[2Jgone\u0007"}"#,
                "NotFound",
                "\u{fffd}[2Jgone\u{fffd}",
                None,
            ),
        ] {
            let status = from_response(404, JSON, body.as_bytes());
            let expected = Status {
                code: 404,
                reason: reason.into(),
                message: message.into(),
                details: details.map(Into::into),
                continue_token: None,
            };
            assert_eq!(status, expected, "{body}");
        }
    }

    #[test]
    fn a_protobuf_status_is_taken_over() {
        let body = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x10\x1a\x04gone\x22\x08NotFound";
        let status = from_response(404, Some("application/vnd.kubernetes.protobuf"), body);
        assert_eq!(
            (status.reason.as_str(), status.message.as_str(), status.details),
            ("NotFound", "gone", None)
        );
    }

    #[test]
    fn anything_else_gets_a_reason_from_its_code() {
        for (code, content_type, body, reason, message) in [
            (
                404,
                Some("text/plain; charset=utf-8"),
                "404 page not found\n",
                "NotFound",
                "the server could not find the requested resource: 404 page not found",
            ),
            (
                502,
                Some("text/html"),
                "<html>bad gateway</html>",
                "InternalError",
                "the server responded with the status code 502 but did not return more information",
            ),
            (
                503,
                None,
                "<html>",
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            (401, JSON, "", "Unauthorized", "the server has asked for the client to provide credentials"),
            (
                500,
                JSON,
                "{\"kind\":\"Stat",
                "InternalError",
                "the server responded with the status code 500 but did not return more information: {\"kind\":\"Stat",
            ),
            (
                302,
                Some("text/html"),
                "",
                "Unknown",
                "the server answered with a redirect (302), which is not followed",
            ),
            (
                418,
                Some("image/png"),
                "\u{1b}[0m",
                "Unknown",
                "the server responded with the status code 418 but did not return more information",
            ),
        ] {
            let status = from_response(code, content_type, body.as_bytes());
            assert_eq!(
                (status.code, status.reason.as_str(), status.message.as_str()),
                (code, reason, message),
                "{body}"
            );
        }
    }

    #[test]
    fn huge_texts_are_cut() {
        for body in
            ["ä".repeat(1 << 20), format!(r#"{{"kind":"Status","message":"{}"}}"#, "ä".repeat(1 << 20))]
        {
            let status = from_response(500, None, body.as_bytes());
            assert!(status.message.ends_with('…') && status.message.len() <= MAX_MESSAGE + '…'.len_utf8());
        }
        let body = format!(r#"{{"kind":"Status","details":{{"x":"{}"}}}}"#, "y".repeat(MAX_DETAILS));
        assert_eq!(from_response(500, None, body.as_bytes()).details, None);
    }

    proptest! {
        #[test]
        fn never_panics(code: u16, content_type in proptest::option::of(".{0,30}"), body: Vec<u8>) {
            let status = from_response(code, content_type.as_deref(), &body);
            prop_assert_eq!(status.code, code);
            prop_assert!(!status.message.is_empty() && !status.message.contains(char::is_control));
        }
    }
}
