//! Watching: order, where it begins, what it selects, bookmarks, silence.

use std::time::Duration;

use serde_json::json;
use tidegate::prelude::*;

use crate::suite::{
    OURS, Suite, Verdict, described, fail, holds, map, next, ours, ours_watched, same, value, version,
};

pub(crate) fn in_order(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("watch")?;
    let maps = scratch.maps();
    let start = version(maps.list(&ours())?.metadata.resource_version)?;
    let mut watch = maps.watch(&ours_watched(), &start)?;
    scratch.make("one")?;
    let change = Patch::Merge(json!({ "data": { "value": "2" } }));
    maps.patch("one", &PatchParams::default(), &change)?;
    scratch.make("two")?;
    maps.delete("one", &DeleteParams::default())?;
    let mut last = 0;
    for (want, held) in [("ADDED one", "1"), ("MODIFIED one", "2"), ("ADDED two", "1"), ("DELETED one", "2")]
    {
        let event = next(&mut watch)?;
        same("event", described(&event).as_str(), want)?;
        let (WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) = event
        else {
            return fail("an event without an object");
        };
        same(want, value(&object), Some(held))?;
        let now = number(&version(object.resource_version())?);
        holds("versions grow", now > last)?;
        last = now;
    }
    Ok(())
}

pub(crate) fn from_a_version(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("watch-from")?;
    scratch.make("one")?;
    let second = version(scratch.make("two")?.resource_version())?;
    scratch.make("three")?;
    let mut watch = scratch.maps().watch(&ours_watched(), &second)?;
    same("the first after that version", described(&next(&mut watch)?).as_str(), "ADDED three")?;
    let mut all = scratch.maps().watch(&ours_watched(), "0")?;
    let mut seen =
        vec![described(&next(&mut all)?), described(&next(&mut all)?), described(&next(&mut all)?)];
    seen.sort();
    same("from 0, what there is", seen, ["ADDED one", "ADDED three", "ADDED two"])
}

pub(crate) fn selected(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("watch-selected")?;
    let maps = scratch.maps();
    let start = version(maps.list(&ours())?.metadata.resource_version)?;
    let named = WatchParams::default().fields("metadata.name=two").disable_bookmarks();
    let (mut named, mut labelled) = (maps.watch(&named, &start)?, maps.watch(&ours_watched(), &start)?);
    scratch.make("one")?;
    scratch.make("two")?;
    let unlabel = Patch::Merge(json!({ "metadata": { "labels": { "suite": null } } }));
    maps.patch("one", &PatchParams::default(), &unlabel)?;
    same("by field", described(&next(&mut named)?).as_str(), "ADDED two")?;
    same("by label", described(&next(&mut labelled)?).as_str(), "ADDED one")?;
    same("by label", described(&next(&mut labelled)?).as_str(), "ADDED two")?;
    same("what ceases to match", described(&next(&mut labelled)?).as_str(), "DELETED one")
}

pub(crate) fn bookmarks(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("bookmarks")?;
    let start = version(scratch.maps().list(&ours())?.metadata.resource_version)?;
    // A server sends one about once a minute, and shortly before the end that was asked for if it has looked at something since.
    let mut watch = scratch.maps().watch(&WatchParams::default().labels(OURS).timeout(6), &start)?;
    let mut unlabelled = map("unlabelled", "1");
    unlabelled.metadata.labels = None;
    scratch.maps().create(&PostParams::default(), &unlabelled)?;
    let WatchEvent::Bookmark(bookmark) = next(&mut watch)? else {
        return fail("an event that is no bookmark, of a watch that selects nothing");
    };
    same("its kind", bookmark.types.kind.as_str(), "ConfigMap")?;
    let marked = version(Some(bookmark.metadata.resource_version))?;
    holds("it is past where the watch began", number(&marked) > number(&start))?;
    scratch.make("one")?;
    let mut after = scratch.maps().watch(&ours_watched(), &marked)?;
    same("a watch begins there", described(&next(&mut after)?).as_str(), "ADDED one")?;
    for event in watch {
        event?;
    }
    Ok(())
}

pub(crate) fn streaming_list(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("streaming-list")?;
    scratch.make("one")?;
    scratch.make("two")?;
    let request = tidegate::Request::get(scratch.path())
        .query("watch", "true")
        .query("labelSelector", OURS)
        .query("allowWatchBookmarks", "true")
        .query("sendInitialEvents", "true")
        .query("resourceVersionMatch", "NotOlderThan")
        .query("timeoutSeconds", "30");
    let mut events = suite.client.open_events(request)?;
    let mut added = 0;
    loop {
        let Some(event) = events.next().transpose()? else {
            return fail("the watch ended before its bookmark");
        };
        let object: serde_json::Value = event.json()?;
        match event.event_type {
            tidegate::EventType::Added => added += 1,
            tidegate::EventType::Bookmark => {
                same("objects before the bookmark", added, 2)?;
                let end = &object["metadata"]["annotations"]["k8s.io/initial-events-end"];
                return same("annotation of the bookmark", end, "true");
            }
            other => return fail(format!("{other:?} among the initial events")),
        }
    }
}

pub(crate) fn deadline(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("watch-deadline")?;
    let start = version(scratch.maps().list(&ours())?.metadata.resource_version)?;
    let request = tidegate::Request::get(scratch.path())
        .query("watch", "true")
        .query("labelSelector", OURS)
        .query("resourceVersion", start)
        .idle_deadline(Duration::from_millis(800));
    let mut events = suite.client.open_events(request)?;
    scratch.maps().create(&PostParams::default(), &map("one", "1"))?;
    holds("an event in time", matches!(events.next(), Some(Ok(_))))?;
    match events.next() {
        Some(Err(error)) => same("the silence is an error", error.code(), "timeout")?,
        Some(Ok(_)) => return fail("an event of nothing"),
        None => return fail("the silence was taken for the end"),
    }
    holds("after an error the stream has ended", events.next().is_none())
}

/// Versions of one kind can be compared since Kubernetes 1.35 (KEP-5504).
fn number(version: &str) -> u64 {
    version.parse().unwrap_or_default()
}
