//! Lines that are JSON objects.

use bytes::Bytes;

use super::lines::{LineSplitter, LineTooLong};

/// Why a line of a JSON stream was refused. The line's text is not in the message.
#[derive(Debug, thiserror::Error)]
pub enum JsonLineError {
    /// The line is longer than the cap.
    #[error(transparent)]
    TooLong(#[from] LineTooLong),
    /// The line is no UTF-8.
    #[error("line {line} of the stream is not UTF-8")]
    NotUtf8 {
        /// Which line, counted from 1.
        line: u64,
    },
    /// The line is no JSON object: it is broken, of another type, or something follows it.
    #[error("line {line} of the stream is not one JSON object (column {column})")]
    NotAnObject {
        /// Which line, counted from 1.
        line: u64,
        /// Where, counted in bytes from 1.
        column: usize,
    },
}

/// Cuts a stream into JSON objects, one a line. Empty lines are skipped.
///
/// Each line is checked (UTF-8, JSON, one object) and handed on as the bytes that arrived.
#[derive(Debug, Default)]
pub struct JsonLines {
    lines: LineSplitter,
}

impl JsonLines {
    /// With the default line cap.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a line cap in bytes.
    pub fn with_cap(cap: usize) -> Self {
        Self { lines: LineSplitter::with_cap(cap) }
    }

    /// As [`LineSplitter::push`].
    pub fn push(&mut self, chunk: Bytes) {
        self.lines.push(chunk);
    }

    /// The next object, or `None` until more is pushed. After an error of one line the next lines can still be had, but
    /// for [`JsonLineError::TooLong`].
    pub fn next_object(&mut self) -> Option<Result<Bytes, JsonLineError>> {
        loop {
            let number = self.lines.line_number();
            match self.lines.next_line()? {
                Ok(line) if is_blank(&line) => continue,
                Ok(line) => return Some(checked(line, number)),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    /// The last object where the stream ended without a line end.
    pub fn finish(self) -> Option<Result<Bytes, JsonLineError>> {
        let number = self.lines.line_number();
        let line = self.lines.finish()?;
        if is_blank(&line) {
            return None;
        }
        Some(checked(line, number))
    }
}

/// Checks that `line` is one JSON object. `number` is what an error calls the line.
fn checked(line: Bytes, number: u64) -> Result<Bytes, JsonLineError> {
    let text = object_text(&line, number)?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|e| not_an_object(number, &e))?;
    Ok(line)
}

/// Checks that `line` is UTF-8 and begins as an object does.
pub(super) fn object_text(line: &[u8], number: u64) -> Result<&str, JsonLineError> {
    let text = simdutf8::basic::from_utf8(line).map_err(|_| JsonLineError::NotUtf8 { line: number })?;
    let begin = text.find(|c| !matches!(c, ' ' | '\t' | '\r')).unwrap_or(0);
    if text.as_bytes().get(begin) != Some(&b'{') {
        return Err(JsonLineError::NotAnObject { line: number, column: begin + 1 });
    }
    Ok(text)
}

pub(super) fn not_an_object(line: u64, error: &serde_json::Error) -> JsonLineError {
    JsonLineError::NotAnObject { line, column: error.column() }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_a_line() {
        let stream = b"{\"a\":1}\r\n\n [1]\n{\"b\"\n{} {}\n{\"c\":\"\xff\"}\n null\n{\"d\":{}}".to_vec();
        let mut lines = JsonLines::new();
        lines.push(stream.into());
        let mut seen: Vec<String> = std::iter::from_fn(|| lines.next_object()).map(show).collect();
        seen.extend(lines.finish().map(show));
        assert_eq!(
            seen,
            [
                "{\"a\":1}",
                "line 3 of the stream is not one JSON object (column 2)",
                "line 4 of the stream is not one JSON object (column 4)",
                "line 5 of the stream is not one JSON object (column 4)",
                "line 6 of the stream is not UTF-8",
                "line 7 of the stream is not one JSON object (column 2)",
                "{\"d\":{}}",
            ]
        );
    }

    fn show(next: Result<Bytes, JsonLineError>) -> String {
        next.map_or_else(|error| error.to_string(), |line| String::from_utf8_lossy(&line).into_owned())
    }
}
