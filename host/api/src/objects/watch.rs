use serde_json::Value;
use tidegate_kube::request::Method;
use tidegate_transport::{Body, Error, EventDecoder, WatchEvent};

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
    decoder: EventDecoder,
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
        Watch { body, decoder: EventDecoder::default(), ended: false }
    }

    /// The next event; none at the end, and for ever after it or after an error. Cancel-safe.
    ///
    /// Errors: what the server says in an ERROR event ([`Code::Status`](tidegate_transport::Code::Status); 410: begin with a new list), and of the stream itself.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        while !self.ended {
            if let Some(found) = self.decoder.next_event() {
                return Some(self.told(found));
            }
            match self.body.chunk().await {
                Some(Ok(chunk)) => self.decoder.push(chunk),
                Some(Err(error)) => return Some(self.told(Err(error))),
                None => {
                    let last = self.decoder.finish().map(|found| self.told(found));
                    self.ended = true;
                    return last;
                }
            }
        }
        None
    }

    fn told(&mut self, found: Result<WatchEvent, Error>) -> Result<Event, Error> {
        let told = found.and_then(event);
        self.ended |= told.is_err();
        told
    }
}

fn event(event: WatchEvent) -> Result<Event, Error> {
    match event.ty {
        EventType::Error => Err(event.failure()),
        event_type => Ok(Event { event_type, object: decode(&event.whole)? }),
    }
}
