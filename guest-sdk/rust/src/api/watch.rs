//! Watching.

use std::fmt;
use std::marker::PhantomData;
use std::task::Poll;

use kube_core::params::WatchParams;
use kube_core::{PartialObjectMeta, WatchEvent};
use serde::de::DeserializeOwned;

use super::{Api, Form};
use crate::{Event, EventStream, EventType, Pollable, Result};

impl<K: DeserializeOwned> Api<K> {
    /// What happens after `version`: the `resource_version` of a list, or `"0"` to begin with what there is.
    ///
    /// The server ends it after `wp.timeout` seconds (290 unless set); begin the next one at the last version that was seen, a
    /// bookmark's included. `WatchEvent::Error` with the code 410 says that it must begin with a new list.
    pub fn watch(&self, wp: &WatchParams, version: &str) -> Result<Watch<K>> {
        Ok(Watch::new(self.client.open_events(match self.form {
            Form::Whole => self.request.watch(wp, version),
            Form::Metadata => self.request.watch_metadata(wp, version),
        }?)?))
    }

    /// The same for metadata alone. Needs a transport that [`supports`](crate::Client::supports) `accept`.
    pub fn watch_metadata(&self, wp: &WatchParams, version: &str) -> Result<Watch<PartialObjectMeta<K>>> {
        Ok(Watch::new(self.client.open_events(self.request.watch_metadata(wp, version)?)?))
    }
}

/// The events of a watch: an iterator that waits for the next, and ends after an error. Dropped, it closes the watch.
pub struct Watch<K> {
    events: EventStream,
    kind: PhantomData<fn() -> K>,
}

impl<K: DeserializeOwned> Watch<K> {
    /// The next event if it is there already; `Poll::Ready(None)` is the end.
    pub fn try_next(&mut self) -> Poll<Option<Result<WatchEvent<K>>>> {
        self.events.try_next().map(|event| event.map(|event| decode(&event?)))
    }

    /// Ready when there is a batch of events, or the end. See [`crate::Stream::subscribe`].
    pub fn subscribe(&self) -> Pollable {
        self.events.subscribe()
    }

    fn new(events: EventStream) -> Self {
        Self { events, kind: PhantomData }
    }
}

impl<K: DeserializeOwned> Iterator for Watch<K> {
    type Item = Result<WatchEvent<K>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.events.next().map(|event| decode(&event?))
    }
}

impl<K> fmt::Debug for Watch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("events", &self.events).finish()
    }
}

fn decode<K: DeserializeOwned>(event: &Event) -> Result<WatchEvent<K>> {
    Ok(match event.event_type {
        EventType::Added => WatchEvent::Added(event.json()?),
        EventType::Modified => WatchEvent::Modified(event.json()?),
        EventType::Deleted => WatchEvent::Deleted(event.json()?),
        EventType::Bookmark => WatchEvent::Bookmark(event.json()?),
        EventType::Error => WatchEvent::Error(event.json()?),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube_core::ResourceExt;

    use super::*;

    #[test]
    fn events_carry_what_their_type_says() {
        let object = |text: &str| text.as_bytes().to_vec();
        let pod = r#"{"metadata":{"name":"a"}}"#;
        for (event_type, text, expected) in [
            (EventType::Added, pod, "added a"),
            (EventType::Modified, pod, "modified a"),
            (EventType::Deleted, pod, "deleted a"),
            (
                EventType::Bookmark,
                r#"{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"7"}}"#,
                "bookmark 7",
            ),
            (
                EventType::Error,
                r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#,
                "error 410",
            ),
            (EventType::Added, r#"{"metadata":7}"#, "json"),
            (EventType::Error, "7", "json"),
        ] {
            let found = match decode::<Pod>(&Event { event_type, object: object(text) }) {
                Ok(WatchEvent::Added(pod)) => format!("added {}", pod.name_any()),
                Ok(WatchEvent::Modified(pod)) => format!("modified {}", pod.name_any()),
                Ok(WatchEvent::Deleted(pod)) => format!("deleted {}", pod.name_any()),
                Ok(WatchEvent::Bookmark(bookmark)) => {
                    format!("bookmark {}", bookmark.metadata.resource_version)
                }
                Ok(WatchEvent::Error(status)) => format!("error {}", status.code),
                Err(error) => error.code().to_owned(),
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
