//! The whole grammar, for what is handed out.

use serde::de::IgnoredAny;

/// The bytes are not one JSON object in UTF-8. Their text is not in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not one JSON object in UTF-8 (byte {at})")]
pub struct NotAnObject {
    /// Where that shows, in bytes from 0.
    pub at: usize,
}

/// Checks that the bytes are one JSON object in UTF-8.
///
/// ```
/// use tidegate_kube::scan::checked_object;
/// assert!(checked_object(br#"{"kind":"Pod"}"#).is_ok());
/// assert_eq!(checked_object(b"{]}").unwrap_err().at, 1);
/// ```
pub fn checked_object(bytes: &[u8]) -> Result<(), NotAnObject> {
    let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
        return Err(NotAnObject {
            at: std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len),
        });
    };
    if !text.starts_with('{') {
        return Err(NotAnObject { at: 0 });
    }
    serde_json::from_str::<IgnoredAny>(text)
        .map(drop)
        .map_err(|error| NotAnObject { at: offset(text, error.line(), error.column()) })
}

/// Lines are counted from 1, and a column is the number of bytes of its line that were read.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column).saturating_sub(1).min(text.len())
}
