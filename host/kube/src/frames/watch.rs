//! Watch events (`{"type": …, "object": …}`), read without building a tree.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{self, JsonLineError};

/// What happened to an object (`k8s.io/apimachinery/pkg/watch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// The object is new, or existed when the watch began.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone; its last state is carried.
    Deleted,
    /// Nothing changed; the object carries a resource version only.
    Bookmark,
    /// The watch failed; the object is a `Status`.
    Error,
}

impl EventType {
    /// The word on the wire: `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`, `ERROR`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
            Self::Bookmark => "BOOKMARK",
            Self::Error => "ERROR",
        }
    }

    /// None for a word that is no type.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Added, Self::Modified, Self::Deleted, Self::Bookmark, Self::Error]
            .into_iter()
            .find(|t| t.as_str() == word)
    }
}

/// One event, borrowed from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// What happened.
    pub ty: EventType,
    /// The object's JSON exactly as it was sent. Always an object (`{…}`).
    pub object: &'a str,
}

/// Why a line is no watch event. The line's text is not in the message.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The line is not one JSON object.
    #[error(transparent)]
    Line(#[from] JsonLineError),
    /// `type` or `object` is missing, twice there or of another JSON type.
    #[error(
        "line {line} of the watch is not an event: it must have one `type` (a string) and one `object` (an object)"
    )]
    NotAnEvent {
        /// Which line, counted from 1.
        line: u64,
    },
    /// `type` is a word that Kubernetes does not have.
    #[error("line {line} of the watch has an unknown event type")]
    UnknownType {
        /// Which line, counted from 1.
        line: u64,
    },
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    ty: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// Reads one line of a watch. `number` is what an error calls the line.
///
/// A BOOKMARK without a resource version is passed on: whether that matters is for whoever keeps the version.
///
/// ```
/// use tidegate_kube::frames::watch::{EventType, parse};
/// let event = parse(br#"{"type":"ADDED","object":{"kind":"Pod"}}"#, 1)?;
/// assert_eq!((event.ty, event.object), (EventType::Added, r#"{"kind":"Pod"}"#));
/// # Ok::<(), tidegate_kube::frames::watch::EventError>(())
/// ```
pub fn parse(line: &[u8], number: u64) -> Result<EventRef<'_>, EventError> {
    let text = json::object_text(line, number)?;
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => EventError::NotAnEvent { line: number },
        _ => json::not_an_object(number, &error).into(),
    })?;
    let ty = EventType::parse(&wire.ty).ok_or(EventError::UnknownType { line: number })?;
    let object = wire.object.get();
    if !object.starts_with('{') {
        return Err(EventError::NotAnEvent { line: number });
    }
    Ok(EventRef { ty, object })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events() {
        for (line, expected) in [
            (r#"{"type":"ADDED","object":{"a": 1}}"#, Ok((EventType::Added, r#"{"a": 1}"#))),
            (r#" {"object" : {}, "type":"DELETED", "more":[1]} "#, Ok((EventType::Deleted, "{}"))),
            (r#"{"type":"BOOKMARK","object":{}}"#, Ok((EventType::Bookmark, "{}"))),
            (r#"{"type":"ERROR","object":{"code":410}}"#, Ok((EventType::Error, r#"{"code":410}"#))),
            (r#"{"type":"MODI\u0046IED","object":{}}"#, Ok((EventType::Modified, "{}"))),
            (r#"{"type":"RENAMED","object":{}}"#, Err("line 7 of the watch has an unknown event type")),
            (r#"{"type":"added","object":{}}"#, Err("line 7 of the watch has an unknown event type")),
            (r#"{"type":"ADDED"}"#, Err(NO_EVENT)),
            (r#"{"type":1,"object":{}}"#, Err(NO_EVENT)),
            (r#"{"type":"ADDED","object":[]}"#, Err(NO_EVENT)),
            (r#"{"type":"ADDED","type":"DELETED","object":{}}"#, Err(NO_EVENT)),
            (
                r#"{"type":"ADDED","object":{}"#,
                Err("line 7 of the stream is not one JSON object (column 27)"),
            ),
            ("", Err("line 7 of the stream is not one JSON object (column 1)")),
        ] {
            let parsed = parse(line.as_bytes(), 7)
                .map(|event| (event.ty, event.object))
                .map_err(|error| error.to_string());
            assert_eq!(parsed, expected.map_err(str::to_owned), "{line}");
        }
    }

    const NO_EVENT: &str = "line 7 of the watch is not an event: it must have one `type` (a string) and one `object` (an object)";

    proptest! {
        #[test]
        fn never_panics(line: Vec<u8>) {
            let _ = parse(&line, 1);
        }
    }
}
