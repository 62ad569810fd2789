//! What cases share: verdicts, namespaces of their own, objects, waiting with an end.

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate::k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use tidegate::prelude::*;
use tidegate::{Status, Watch};

/// One case: ends with `Ok` where all is as it must be.
pub(crate) type Case = fn(&Suite) -> Verdict;

/// What comes of a case.
pub(crate) type Verdict<T = ()> = Result<T, Stop>;

/// Why a case ended early.
pub(crate) enum Stop {
    /// The transport says that it cannot.
    Skip(String),
    /// Something is not as it must be.
    Fail(String),
}

impl From<tidegate::Error> for Stop {
    fn from(error: tidegate::Error) -> Self {
        Self::Fail(format!("unexpected error `{}`: {error}", error.code()))
    }
}

/// How long anything may take that a server does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// All that a case needs.
pub(crate) struct Suite {
    /// The transport under test.
    pub(crate) client: Client,
    /// Begins the name of everything that is made outside a namespace.
    pub(crate) prefix: String,
    /// How long to wait until a server has forgotten its history.
    pub(crate) expire_within: Duration,
}

impl Suite {
    /// A fresh namespace, deleted when dropped.
    pub(crate) fn namespace(&self, case: &str) -> Verdict<Scratch> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let name = format!("{}-{case}", self.prefix);
        api.create(&PostParams::default(), &from_json(json!({ "metadata": { "name": name } }))?)?;
        Ok(Scratch { client: self.client.clone(), name })
    }

    /// Ends the case as skipped unless the transport says that it can do this.
    pub(crate) fn needs(&self, feature: &str) -> Verdict {
        if self.client.supports(feature) {
            return Ok(());
        }
        Err(Stop::Skip(format!("{} does not support `{feature}`", self.client.kind())))
    }
}

/// A namespace for one case.
pub(crate) struct Scratch {
    client: Client,
    /// Its name.
    pub(crate) name: String,
}

impl Scratch {
    /// Its ConfigMaps. A real cluster puts one of its own into every namespace: list with [`ours`].
    pub(crate) fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Its Secrets. There are none but what a case makes.
    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// The path of its ConfigMaps.
    pub(crate) fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.name)
    }

    /// Makes a ConfigMap with one datum and the label that [`ours`] selects.
    pub(crate) fn make(&self, name: &str) -> Verdict<ConfigMap> {
        Ok(self.maps().create(&PostParams::default(), &map(name, "1"))?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of a failed case is seen in the cluster, not here.
        _ = Api::<Namespace>::all(self.client.clone()).delete(&self.name, &DeleteParams::default());
    }
}

/// Selects what the suite made.
pub(crate) const OURS: &str = "suite=conformance";

/// Lists what the suite made.
pub(crate) fn ours() -> ListParams {
    ListParams::default().labels(OURS)
}

/// Watches what the suite made, without bookmarks.
pub(crate) fn ours_watched() -> WatchParams {
    WatchParams::default().labels(OURS).disable_bookmarks()
}

/// A ConfigMap with `data.value` and the label that [`ours`] selects.
pub(crate) fn map(name: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([("suite".to_owned(), "conformance".to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("value".to_owned(), value.to_owned())])),
        ..ConfigMap::default()
    }
}

/// `data.value`.
pub(crate) fn value(map: &ConfigMap) -> Option<&str> {
    map.data.as_ref()?.get("value").map(String::as_str)
}

/// Decodes what a case wrote as JSON.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> Verdict<T> {
    serde_json::from_value(value).map_err(|error| Stop::Fail(format!("the case itself is wrong: {error}")))
}

/// The names of objects, sorted.
pub(crate) fn names<K: ResourceExt>(objects: &[K]) -> Vec<String> {
    let mut names: Vec<String> = objects.iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

/// The version of an object or list: never empty.
pub(crate) fn version(version: Option<impl Into<String>>) -> Verdict<String> {
    match version.map(Into::into) {
        Some(version) if !version.is_empty() => Ok(version),
        _ => fail("there is no resourceVersion"),
    }
}

/// Fails with `why`.
pub(crate) fn fail<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Stop::Fail(why.into()))
}

/// Fails unless both are equal.
pub(crate) fn same<A: PartialEq<B> + std::fmt::Debug, B: std::fmt::Debug>(
    what: &str,
    got: A,
    want: B,
) -> Verdict {
    if got == want { Ok(()) } else { fail(format!("{what}: {got:?}, want {want:?}")) }
}

/// Fails unless it holds.
pub(crate) fn holds(what: &str, it: bool) -> Verdict {
    if it { Ok(()) } else { fail(format!("not so: {what}")) }
}

/// The status that something must have been refused with.
pub(crate) fn refused<T>(what: &str, got: tidegate::Result<T>, code: u16, reason: &str) -> Verdict<Status> {
    let Err(error) = got else { return fail(format!("{what}: accepted, want {code} {reason}")) };
    let Some(status) = error.status() else {
        return fail(format!("{what}: error `{}` ({error}), want the status {code} {reason}", error.code()));
    };
    same(
        &format!("{what}: code and reason of {error}"),
        (status.code, status.reason.as_str()),
        (code, reason),
    )?;
    holds(&format!("{what}: the status has a message"), !status.message.is_empty())?;
    Ok(status.clone())
}

/// The next event of a watch, waiting no longer than [`PATIENCE`].
pub(crate) fn next<K: serde::de::DeserializeOwned>(watch: &mut Watch<K>) -> Verdict<WatchEvent<K>> {
    let (ready, end) = (watch.subscribe(), tidegate::after(PATIENCE));
    loop {
        match watch.try_next() {
            Poll::Ready(Some(event)) => return Ok(event?),
            Poll::Ready(None) => return fail("the watch ended"),
            Poll::Pending if end.ready() => return fail("no event in 30 s"),
            Poll::Pending => _ = tidegate::poll(&[&ready, &end]),
        }
    }
}

/// `ADDED name`, …; bookmarks and errors by their own words.
pub(crate) fn described<K: ResourceExt>(event: &WatchEvent<K>) -> String {
    match event {
        WatchEvent::Added(object) => format!("ADDED {}", object.name_any()),
        WatchEvent::Modified(object) => format!("MODIFIED {}", object.name_any()),
        WatchEvent::Deleted(object) => format!("DELETED {}", object.name_any()),
        WatchEvent::Bookmark(_) => "BOOKMARK".to_owned(),
        WatchEvent::Error(status) => format!("ERROR {} {}", status.code, status.reason),
    }
}
