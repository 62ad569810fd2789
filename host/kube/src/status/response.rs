//! A status from an HTTP response.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

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
}

/// Reads a response that is no success, whatever it is: a `Status`, HTML from a proxy, half a JSON document, nothing.
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
    Status { code, reason: reason_for(code).to_owned(), message, details: None }
}

fn from_status_object(code: u16, body: &[u8]) -> Option<Status> {
    let wire: Wire<'_> = serde_json::from_slice(body).ok()?;
    if wire.kind.as_deref() != Some("Status") {
        return None;
    }
    let reason = string(wire.reason).map(|r| text::for_people(&r, 256)).filter(|r| !r.is_empty());
    let message = string(wire.message).map(|m| text::for_people(&m, MAX_MESSAGE)).filter(|m| !m.is_empty());
    let details = wire.details.map(RawValue::get).filter(|d| d.starts_with('{') && d.len() <= MAX_DETAILS);
    Some(Status {
        code,
        reason: reason.unwrap_or_else(|| reason_for(code).to_owned()),
        message: message.unwrap_or_else(|| message_for(code)),
        details: details.map(str::to_owned),
    })
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
