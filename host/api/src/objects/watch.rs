use serde_json::Value;
use tidegate_kube::frames::watch::{self, EventError};
use tidegate_kube::frames::{JsonLineError, LineSplitter};
use tidegate_kube::request::Method;
use tidegate_kube::status::Status;
use tidegate_transport::{Body, Code, Error};

use super::{List, Objects, decode};

pub use tidegate_kube::frames::watch::EventType;

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened; never [`EventType::Error`], which is an error of the watch.
    pub event_type: EventType,
    /// The object; of a bookmark only its kind and version.
    pub object: Value,
}

/// The events of a watch as they arrive. Dropped, it closes the watch.
#[derive(Debug)]
pub struct Watch {
    body: Body,
    lines: LineSplitter,
    ended: bool,
}

impl Objects {
    /// What happens to what is selected, after `list.resource_version`; without it, it begins with what there is. With bookmarks.
    ///
    /// The server ends a watch after some minutes; begin the next one at the last version that was seen.
    pub async fn watch(&self, list: &List) -> Result<Watch, Error> {
        let mut request = self.all(Method::Get)?;
        list.apply(&mut request);
        request.query.push(("watch".to_owned(), "true".to_owned()));
        request.query.push(("allowWatchBookmarks".to_owned(), "true".to_owned()));
        Ok(Watch::of(self.send(request).await?.body))
    }
}

impl Watch {
    /// The events that a body holds.
    pub(crate) fn of(body: Body) -> Watch {
        Watch { body, lines: LineSplitter::default(), ended: false }
    }

    /// The next event; none at the end, and for ever after it or after an error. Cancel-safe.
    ///
    /// Errors: what the server says in an ERROR event ([`Code::Status`]; 410: begin with a new list), and of the stream itself.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        while !self.ended {
            match self.buffered() {
                Some(Ok(event)) => return Some(Ok(event)),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {}
            }
            match self.body.chunk().await {
                Some(Ok(chunk)) => self.lines.push(chunk),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    let number = self.lines.line_number();
                    let last = std::mem::take(&mut self.lines).finish()?;
                    return (!last.trim_ascii().is_empty()).then(|| event(&last, number));
                }
            }
        }
        None
    }

    /// The next event of what has arrived.
    fn buffered(&mut self) -> Option<Result<Event, Error>> {
        loop {
            let number = self.lines.line_number();
            match self.lines.next_line()? {
                Ok(line) if line.trim_ascii().is_empty() => {}
                Ok(line) => return Some(event(&line, number)),
                Err(error) => return Some(Err(Error::new(Code::TooLarge, error.to_string()))),
            }
        }
    }
}

fn event(line: &[u8], number: u64) -> Result<Event, Error> {
    let event = watch::parse(line, number).map_err(|error| {
        let code = match &error {
            EventError::Line(JsonLineError::TooLong(_)) => Code::TooLarge,
            _ => Code::Protocol,
        };
        Error::new(code, error.to_string())
    })?;
    let object: Value = decode(event.object.as_bytes())?;
    match event.ty {
        EventType::Error => Err(failure(&object)),
        event_type => Ok(Event { event_type, object }),
    }
}

fn failure(status: &Value) -> Error {
    let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
    let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
    let message = match text("message") {
        message if message.is_empty() => "the watch failed".to_owned(),
        message => tidegate_kube::text::for_people(&message, tidegate_kube::status::MAX_MESSAGE),
    };
    let reason = tidegate_kube::text::for_people(&text("reason"), 128);
    Error::from_status(Status { code, reason, message, details: None, continue_token: None })
}
