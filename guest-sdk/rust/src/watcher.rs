//! Watches that go on for ever, in kube-rs' words: the host lists, watches from there, resumes where a watch ended, lists again where the
//! server has forgotten that place, and waits where the server is away.

use std::fmt;
use std::marker::PhantomData;
use std::task::Poll;
use std::time::Duration;
use std::vec;

use serde::de::DeserializeOwned;

use crate::poll::Pollable;
use crate::wit::tidegate::host::watches as wit;
use crate::{Client, Error, ListRequest, Result};

/// What a watcher tells: [kube-rs' `watcher::Event`](https://docs.rs/kube/latest/kube/runtime/watcher/enum.Event.html).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<K> {
    /// An object was added or changed.
    Apply(K),
    /// An object was deleted, or is none any more that the filters let pass. It may be one that was never told.
    Delete(K),
    /// A list begins: what follows up to [`Event::InitDone`] replaces all that was told before. It may begin again before it is done.
    Init,
    /// An object of the list.
    InitApply(K),
    /// The list is done: what was known before and was not in it is gone.
    InitDone,
}

/// What is watched, and how: [kube-rs' `watcher::Config`](https://docs.rs/kube/latest/kube/runtime/watcher/struct.Config.html), and what this
/// host can besides.
#[derive(Clone, Debug, Default)]
pub struct Config(ListRequest);

/// The events of a watcher: an iterator that waits for the next. Dropped, it ends its requests.
///
/// An error is told and got over, as in kube-rs: what follows, a list or the rest of the watch, makes up for all that was missed.
/// The iterator ends behind an error that waiting does not cure, because it is this side that refuses: `permission-denied`, `invalid-request`,
/// `unsupported`. Errors `json` are of single objects that are not what `K` says.
///
/// It goes on while the guest waits for it, and no further: a guest that takes nothing holds its server back.
pub struct Watcher<K> {
    source: wit::Watcher,
    batch: vec::IntoIter<wit::Event>,
    ended: bool,
    kind: PhantomData<fn() -> K>,
}

impl Config {
    /// What the server selects by labels.
    #[must_use]
    pub fn labels(self, selector: &str) -> Self {
        Self(self.0.labels(selector))
    }

    /// What the server selects by the few fields that it knows.
    #[must_use]
    pub fn fields(self, selector: &str) -> Self {
        Self(self.0.fields(selector))
    }

    /// How many items a page of a list has; 500 unless set.
    #[must_use]
    pub fn page_size(self, items: u32) -> Self {
        Self(self.0.limit(items))
    }

    /// Lists come as the beginning of a watch, where the server offers that.
    #[must_use]
    pub fn streaming_lists(self) -> Self {
        Self(self.0.source(crate::ListSource::WatchList))
    }

    /// The fields to hand over. See [`ListRequest`].
    #[must_use]
    pub fn mask<T: Into<String>>(self, paths: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.mask(paths))
    }

    /// Objects to hand over, by an expression in CEL over `object`; the host looks.
    #[must_use]
    pub fn filter(self, expression: impl Into<String>) -> Self {
        Self(self.0.filter(expression))
    }

    /// How long a watch may be silent before the server is asked for a sign of life; 90 seconds unless set.
    #[must_use]
    pub fn idle_deadline(self, deadline: Duration) -> Self {
        Self(self.0.idle_deadline(deadline))
    }

    /// The version to go on from, instead of beginning with a list. Where the server has forgotten it, there is a list.
    #[must_use]
    pub fn from_version(self, version: &str) -> Self {
        Self(self.0.resource_version(version, None))
    }
}

/// All that a request for a list can say, of which the path is passed over.
impl From<ListRequest> for Config {
    fn from(request: ListRequest) -> Self {
        Self(request)
    }
}

/// Watches the objects of an `Api` for ever.
///
/// ```no_run
/// use tidegate::prelude::*;
/// use tidegate::k8s_openapi::api::core::v1::Pod;
/// use tidegate::watcher::{self, Event, watcher};
///
/// fn main() -> tidegate::Result<()> {
///     let client = tidegate::auto_detect_client()?;
///     let config = watcher::Config::default().labels("app=web").mask(["metadata.name", "status.phase"]);
///     for event in watcher(Api::<Pod>::all(client), config)? {
///         match event {
///             Ok(Event::Apply(pod) | Event::InitApply(pod)) => println!("{}", pod.name_any()),
///             Ok(Event::Delete(pod)) => println!("{} is gone", pod.name_any()),
///             Ok(Event::Init | Event::InitDone) => {}
///             Err(error) => eprintln!("{error}"),
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// Errors: as [`Client::watcher`].
#[cfg(feature = "kube")]
pub fn watcher<K: DeserializeOwned>(api: crate::Api<K>, config: Config) -> Result<Watcher<K>> {
    let request = api.narrowed(config.0);
    api.into_client().watcher(&request)
}

impl Client {
    /// Lists and watches what a request names, for ever, without waiting for anything.
    ///
    /// [`ListRequest::resource_version`] is the version to go on from instead of beginning with a list, and takes no rule;
    /// [`ListRequest::idle_deadline`] is when the server is asked for a sign of life.
    ///
    /// Errors: `invalid-request` for what makes no sense. What the server says is told by the watcher.
    pub fn watcher<K: DeserializeOwned>(&self, request: &ListRequest) -> Result<Watcher<K>> {
        let source = wit::open(self.as_wit(), request.path(), request.options())?;
        Ok(Watcher { source, batch: Vec::new().into_iter(), ended: false, kind: PhantomData })
    }
}

impl<K: DeserializeOwned> Watcher<K> {
    /// The next event if it is there already; `Poll::Ready(None)` is the end.
    pub fn try_next(&mut self) -> Poll<Option<Result<Event<K>>>> {
        loop {
            if let Some(told) = self.told() {
                return Poll::Ready(Some(told));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(batch) = self.source.try_next() else { return Poll::Pending };
            self.refill(batch);
        }
    }

    /// Ready when there is a batch of events, or the end. What came with the last batch is not counted: call [`Watcher::try_next`] until it
    /// is pending, then wait.
    pub fn subscribe(&self) -> Pollable {
        self.source.subscribe().into()
    }

    /// The objects as they are after they were listed, added or changed.
    pub fn applied_objects(self) -> impl Iterator<Item = Result<K>> {
        self.filter_map(|event| match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Some(Ok(object)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The same, and the last state of those that were deleted.
    pub fn touched_objects(self) -> impl Iterator<Item = Result<K>> {
        self.filter_map(|event| match event {
            Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => Some(Ok(object)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The next of the batch that means something to kube-rs.
    fn told(&mut self) -> Option<Result<Event<K>>> {
        self.batch.by_ref().find_map(told)
    }

    fn refill(&mut self, batch: Vec<wit::Event>) {
        self.ended = batch.is_empty();
        self.batch = batch.into_iter();
    }
}

impl<K: DeserializeOwned> Iterator for Watcher<K> {
    type Item = Result<Event<K>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(told) = self.told() {
                return Some(told);
            }
            if self.ended {
                return None;
            }
            let batch = self.source.next();
            self.refill(batch);
        }
    }
}

impl<K: DeserializeOwned> std::iter::FusedIterator for Watcher<K> {}

impl<K> fmt::Debug for Watcher<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("ended", &self.ended).finish_non_exhaustive()
    }
}

fn told<K: DeserializeOwned>(event: wit::Event) -> Option<Result<Event<K>>> {
    let decode = |object: Vec<u8>| {
        serde_json::from_slice(&object).map_err(|error| Error::json("object of a watcher", error))
    };
    Some(match event {
        wit::Event::Listing => Ok(Event::Init),
        wit::Event::Item(object) => decode(object).map(Event::InitApply),
        wit::Event::Listed(_) => Ok(Event::InitDone),
        wit::Event::Added(object) | wit::Event::Modified(object) => decode(object).map(Event::Apply),
        wit::Event::Deleted(object) => decode(object).map(Event::Delete),
        wit::Event::Bookmark(_) => return None,
        wit::Event::Desynced(desync) => Err(Error::from(desync.why)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_kube_rs_words() {
        let object = || b"[7]".to_vec();
        for (event, expected) in [
            (wit::Event::Listing, Some(Event::Init)),
            (wit::Event::Item(object()), Some(Event::InitApply([7]))),
            (wit::Event::Listed("9".into()), Some(Event::InitDone)),
            (wit::Event::Added(object()), Some(Event::Apply([7]))),
            (wit::Event::Modified(object()), Some(Event::Apply([7]))),
            (wit::Event::Deleted(object()), Some(Event::Delete([7]))),
            (wit::Event::Bookmark("9".into()), None),
        ] {
            assert_eq!(told::<[u8; 1]>(event).transpose().unwrap(), expected);
        }
        let error = told::<[u8; 1]>(wit::Event::Added(b"{}".to_vec())).unwrap().unwrap_err();
        assert_eq!(error.code(), "json");
    }
}
