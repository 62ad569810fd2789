//! The events of a watch as bytes arrive, narrowed to what was asked for.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tidegate_kube::frames::watch::{self, EventError, EventType};
use tidegate_kube::frames::{JsonLineError, LineSplitter, LineTooLong};
use tidegate_kube::scan::{Filter, FilterFailed, Mask, NotAnObject, checked_object, find_event};
use tidegate_kube::status::from_response;

use crate::{Code, Error};

/// Cuts the body of a watch into events, whose objects a filter lets pass and a mask narrows. A fresh one does neither.
///
/// The filter keeps nothing in mind: a MODIFIED object that it does not let pass becomes DELETED, whether it passed before or not.
#[derive(Debug, Default)]
pub struct EventDecoder {
    lines: LineSplitter,
    mask: Option<Mask>,
    filter: Option<Arc<Filter>>,
    over: bool,
}

/// One event of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// What happened.
    pub ty: EventType,
    /// Whether the filter lets it pass. DELETED ones, bookmarks and errors always do.
    pub wanted: Wanted,
    /// The object as it came: one JSON object in UTF-8 where there is no mask. Where there is one, that was checked for what the mask made
    /// of it, and here no more than that brackets match; but for bookmarks and errors, which no mask narrows.
    pub whole: Bytes,
    /// What the mask makes of it, where there is one and the object passes.
    pub masked: Option<Vec<u8>>,
}

/// Whether a filter lets an event pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It does.
    Yes,
    /// It does not.
    No,
}

impl WatchEvent {
    /// The object, narrowed.
    pub fn into_object(self) -> Bytes {
        self.masked.map_or(self.whole, Bytes::from)
    }

    /// The same, in memory of its own.
    pub fn into_vec(self) -> Vec<u8> {
        self.masked.unwrap_or_else(|| self.whole.to_vec())
    }

    /// What the server says in an event of the type ERROR. What has no code is the server's own failure, 500.
    pub fn failure(&self) -> Error {
        failure(&self.whole)
    }
}

impl EventDecoder {
    /// Events of the objects that a filter lets pass, narrowed by a mask.
    pub fn narrowed(mask: Option<Mask>, filter: Option<Arc<Filter>>) -> Self {
        Self { mask, filter, ..Self::default() }
    }

    /// Adds what arrived; to be called where [`next_event`](Self::next_event) has nothing more.
    pub fn push(&mut self, chunk: Bytes) {
        self.lines.push(chunk);
    }

    /// The next event of what was pushed, wanted or not; none after an event of the type ERROR.
    ///
    /// Errors: [`Code::TooLarge`] for a line past 16 MiB, [`Code::Protocol`] for one that is no event, [`Code::InvalidRequest`] where the
    /// filter has no answer.
    pub fn next_event(&mut self) -> Option<Result<WatchEvent, Error>> {
        while !self.over {
            let number = self.lines.line_number();
            match self.lines.next_line()? {
                Ok(line) if line.trim_ascii().is_empty() => {}
                Ok(line) => return Some(self.event(&line, number)),
                Err(error) => return Some(Err(line_error(error))),
            }
        }
        None
    }

    /// The event that only the end of the body completes.
    pub fn finish(&mut self) -> Option<Result<WatchEvent, Error>> {
        let number = self.lines.line_number();
        let line = std::mem::take(&mut self.lines).finish()?;
        if self.over || line.trim_ascii().is_empty() {
            return None;
        }
        Some(self.event(&line, number))
    }

    /// Whether there was an event of the type ERROR, after which nothing counts.
    pub fn is_over(&self) -> bool {
        self.over
    }

    fn event(&mut self, line: &Bytes, number: u64) -> Result<WatchEvent, Error> {
        let (ty, whole) = self.read(line, number)?;
        self.over = ty == EventType::Error;
        if matches!(ty, EventType::Bookmark | EventType::Error) {
            return Ok(WatchEvent { ty, wanted: Wanted::Yes, whole, masked: None });
        }
        let (ty, wanted) = match (self.passes(&whole, number)?, ty) {
            (true, ty) | (false, ty @ EventType::Deleted) => (ty, Wanted::Yes),
            (false, ty @ EventType::Added) => (ty, Wanted::No),
            // It may have passed before.
            (false, _) => (EventType::Deleted, Wanted::Yes),
        };
        let masked = match &self.mask {
            Some(mask) if wanted == Wanted::Yes => {
                let mut out = Vec::with_capacity(256);
                mask.apply(&whole, &mut out).map_err(|error| narrow_error(number, error))?;
                Some(out)
            }
            _ => None,
        };
        Ok(WatchEvent { ty, wanted, whole, masked })
    }

    /// Type and object. Of what a mask leaves out no more is looked at than its brackets and strings.
    fn read(&self, line: &Bytes, number: u64) -> Result<(EventType, Bytes), Error> {
        if self.mask.is_none() {
            let event = watch::parse(line, number).map_err(event_error)?;
            return Ok((event.ty, line.slice_ref(event.object.as_bytes())));
        }
        let event = find_event(line, number).map_err(event_error)?;
        if matches!(event.ty, EventType::Bookmark | EventType::Error) {
            checked_object(event.object).map_err(|error| narrow_error(number, error))?;
        }
        Ok((event.ty, line.slice_ref(event.object)))
    }

    fn passes(&self, object: &[u8], number: u64) -> Result<bool, Error> {
        let Some(filter) = &self.filter else { return Ok(true) };
        filter.matches(object).map_err(|error| match error {
            FilterFailed::NotAnObject(error) => narrow_error(number, error),
            FilterFailed::Expression(_) => {
                let text = format!("the filter has no answer for line {number} of the watch");
                Error::new(Code::InvalidRequest, text).because(error)
            }
        })
    }
}

/// What the `Status` in an ERROR event says.
pub(crate) fn failure(status: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Wire {
        code: u16,
    }
    let code = serde_json::from_slice::<Wire>(status).map_or(0, |wire| wire.code);
    let code = if (300..600).contains(&code) { code } else { 500 };
    Error::from_status(from_response(code, None, status))
}

fn narrow_error(number: u64, error: NotAnObject) -> Error {
    Error::new(Code::Protocol, format!("the object in line {number} of the watch is refused")).because(error)
}

fn line_error(error: LineTooLong) -> Error {
    Error::new(Code::TooLarge, error.to_string())
}

fn event_error(error: EventError) -> Error {
    let code = match error {
        EventError::Line(JsonLineError::TooLong(_)) => Code::TooLarge,
        _ => Code::Protocol,
    };
    Error::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(mask: &[&str], labels: &str, chunks: &[&str]) -> Vec<String> {
        let mask = (!mask.is_empty()).then(|| Mask::parse(mask).expect("a mask"));
        let filter = Filter::builder().labels(labels).build().expect("a filter");
        let mut decoder = EventDecoder::narrowed(mask, Some(Arc::new(filter)));
        let mut shown = Vec::new();
        let mut show = |event: Result<WatchEvent, Error>| {
            shown.push(match event {
                Ok(event) if event.wanted == Wanted::No => "left out".to_owned(),
                Ok(event) if event.ty == EventType::Error => event.failure().to_string(),
                Ok(event) => {
                    format!("{} {}", event.ty.as_str(), String::from_utf8_lossy(&event.into_object()))
                }
                Err(error) => format!("{}: {}", error.code(), error.report()),
            });
        };
        for chunk in chunks {
            decoder.push(Bytes::copy_from_slice(chunk.as_bytes()));
            while let Some(event) = decoder.next_event() {
                show(event);
            }
        }
        if let Some(event) = decoder.finish() {
            show(event);
        }
        shown
    }

    const WEB: &str = r#"{"metadata":{"name":"a","labels":{"app":"web"}}}"#;
    const API: &str = r#"{"metadata":{"name":"b","labels":{"app":"api"}}}"#;

    #[test]
    fn events_are_cut_filtered_and_masked() {
        let line = |ty: &str, object: &str| format!("{{\"type\":\"{ty}\",\"object\":{object}}}\n");
        let masked = r#"{"metadata":{"name":"a"}}"#;
        for (chunks, expected) in [
            (vec![line("ADDED", WEB)], vec![format!("ADDED {masked}")]),
            (vec![line("ADDED", API)], vec!["left out".to_owned()]),
            (vec![line("MODIFIED", API)], vec![r#"DELETED {"metadata":{"name":"b"}}"#.to_owned()]),
            (vec![line("DELETED", API)], vec![r#"DELETED {"metadata":{"name":"b"}}"#.to_owned()]),
            (vec![line("BOOKMARK", "{}")], vec!["BOOKMARK {}".to_owned()]),
            // An unterminated last line counts, blank ones do not.
            (
                vec!["\n\r\n".into(), line("ADDED", WEB).trim_end().into()],
                vec![format!("ADDED {masked}")],
            ),
            // Nothing counts behind an ERROR.
            (
                vec![line("ERROR", r#"{"kind":"Status","code":410,"reason":"Expired","message":"old"}"#)
                    + &line("ADDED", WEB)],
                vec!["old (410 Expired)".to_owned()],
            ),
            (
                vec![line("ERROR", "{}")],
                vec!["the server responded with the status code 500 but did not return more information: {} (500 InternalError)".to_owned()],
            ),
            (
                vec!["{\"type\":\"ADDED\"}\n".into()],
                vec!["protocol: line 1 of the watch is not an event: it must have one `type` (a string) and one `object` (an object)".to_owned()],
            ),
            (
                vec!["{\"type\":\"ADDED\",\"obj".into()],
                vec!["protocol: line 1 of the stream is not one JSON object (column 17)".to_owned()],
            ),
            // What is left out is not looked into, what is handed out is.
            (
                vec![line("ADDED", r#"{"metadata":{"labels":{"app":"web"},"name":"a"},"spec":[tru,]}"#)],
                vec![format!("ADDED {masked}")],
            ),
            (
                vec![line("ADDED", r#"{"metadata":{"labels":{"app":"web"},"name":nil}}"#)],
                vec!["protocol: the object in line 1 of the watch is refused: it is not one JSON object in UTF-8 (byte 21)".to_owned()],
            ),
            (
                vec![line("BOOKMARK", r#"{"metadata":nil}"#)],
                vec!["protocol: the object in line 1 of the watch is refused: it is not one JSON object in UTF-8 (byte 13)".to_owned()],
            ),
        ] {
            let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
            assert_eq!(decoded(&["metadata.name"], "app=web", &chunks), expected, "{chunks:?}");
        }
    }
}
