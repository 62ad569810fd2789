//! Events of a watch, found without reading their objects.

use super::cursor::{Cursor, Malformed, unescape};
use crate::frames::JsonLineError;
use crate::frames::watch::{EventError, EventType};

/// One event, borrowed from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundEvent<'a> {
    /// What happened.
    pub ty: EventType,
    /// The object exactly as it was sent. It begins with `{`, ends with `}` and has as many closing brackets as opening ones; all else is for
    /// whoever looks into it, with [`checked_object`](super::checked_object) or a [`Mask`](super::Mask).
    pub object: &'a [u8],
}

/// Finds type and object in one line of a watch, which is a tenth of the work of [`watch::parse`](crate::frames::watch::parse): of the
/// object no more is looked at than brackets and strings. `number` is what an error calls the line.
///
/// ```
/// use tidegate_kube::frames::watch::EventType;
/// use tidegate_kube::scan::find_event;
/// let event = find_event(br#"{"type":"ADDED","object":{"kind":"Pod"}}"#, 1)?;
/// assert_eq!((event.ty, event.object), (EventType::Added, br#"{"kind":"Pod"}"#.as_slice()));
/// # Ok::<(), tidegate_kube::frames::watch::EventError>(())
/// ```
///
/// Errors: as `watch::parse`, as far as the line was looked at.
pub fn find_event(line: &[u8], number: u64) -> Result<FoundEvent<'_>, EventError> {
    let malformed =
        |Malformed { at }| EventError::Line(JsonLineError::NotAnObject { line: number, column: at + 1 });
    let members = Members::of(line).map_err(malformed)?;
    let no_event = EventError::NotAnEvent { line: number };
    let (Once::Found(word), Once::Found(object)) = (members.ty, members.object) else { return Err(no_event) };
    let Some(word) = word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")) else {
        return Err(no_event);
    };
    let ty = unescape(word)
        .and_then(|word| EventType::parse(&word))
        .ok_or(EventError::UnknownType { line: number })?;
    if !object.starts_with(b"{") || !object.ends_with(b"}") {
        return Err(no_event);
    }
    Ok(FoundEvent { ty, object })
}

/// The members that an event has.
#[derive(Default)]
struct Members<'a> {
    ty: Once<'a>,
    object: Once<'a>,
}

/// A member that must be there, and not twice.
#[derive(Default)]
enum Once<'a> {
    #[default]
    Missing,
    Found(&'a [u8]),
    Twice,
}

impl<'a> Members<'a> {
    fn of(line: &'a [u8]) -> Result<Members<'a>, Malformed> {
        let (mut cursor, mut members) = (Cursor::new(line), Members::default());
        cursor.expect(b'{')?;
        let mut first = true;
        while let Some(name) = cursor.member(first)? {
            first = false;
            let value = cursor.value()?;
            if name.is("type") {
                members.ty.add(value);
            } else if name.is("object") {
                members.object.add(value);
            }
        }
        cursor.end()?;
        Ok(members)
    }
}

impl<'a> Once<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Once::Missing => Once::Found(value),
            Once::Found(_) | Once::Twice => Once::Twice,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frames::watch;

    /// What both ways say of a line: the type and the object, or what is wrong.
    fn both(line: &[u8]) -> [Result<(EventType, Vec<u8>), String>; 2] {
        let found = find_event(line, 7).map(|event| (event.ty, event.object.to_vec()));
        let parsed = watch::parse(line, 7).map(|event| (event.ty, event.object.as_bytes().to_vec()));
        [found.map_err(|error| error.to_string()), parsed.map_err(|error| error.to_string())]
    }

    #[test]
    fn events_are_found_as_they_are_parsed() {
        for line in [
            r#"{"type":"ADDED","object":{"a": 1}}"#,
            r#" {"object" : {"b":[{}]}, "type":"DELETED", "more":[1,"}"]} "#,
            r#"{"type":"BOOKMARK","object":{}}"#,
            r#"{"type":"MODI\u0046IED","object":{"a":"\"}"}}"#,
            r#"{"t\u0079pe":"ERROR","object":{"code":410}}"#,
            "{\"type\":\"ADDED\",\"object\":{}}\r",
            r#"{"type":"RENAMED","object":{}}"#,
            r#"{"type":"added","object":{}}"#,
            r#"{"type":"ADDED"}"#,
            r#"{"object":{}}"#,
            r#"{"type":1,"object":{}}"#,
            r#"{"type":"ADDED","object":[]}"#,
            r#"{"type":"ADDED","object":null}"#,
            r#"{"type":"ADDED","type":"DELETED","object":{}}"#,
            r#"{"type":"ADDED","object":{},"object":{}}"#,
        ] {
            let [found, parsed] = both(line.as_bytes());
            assert_eq!(found, parsed, "{line}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for line in [
            "",
            "[]",
            "null",
            r#"{"type":"ADDED","object":{}"#,
            r#"{"type":"ADDED","object":{}}{}"#,
            r#"{"type":"ADDED","object":{}} x"#,
            r#"{"type":"ADDED" "object":{}}"#,
            r#"{"type":"ADDED","object":{]}"#,
            r#"{"type":"ADDED","object"{}}"#,
            r#"{"type":"ADDED,"object":{}}"#,
        ] {
            let [found, parsed] = both(line.as_bytes());
            assert!(found.is_err() && parsed.is_err(), "{line}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(line: Vec<u8>) {
            let _ = find_event(&line, 1);
        }

        /// What is parsed is found: only what is not looked at may be found besides.
        #[test]
        fn nothing_is_lost(text in r#"(\{|\}|\[|\]|"type"|"object"|:|,|"ADDED"|"|\\| |1|\{\}){0,12}"#) {
            if let [found, Ok(parsed)] = both(text.as_bytes()) {
                prop_assert_eq!(found, Ok(parsed));
            }
        }
    }
}
