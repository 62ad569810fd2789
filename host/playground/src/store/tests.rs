use serde_json::{Map, Value, json};

use super::*;

fn pods() -> TableId {
    TableId::new("", "pods")
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn put(store: &mut Store, namespace: &str, name: &str, extra: Value) -> u64 {
    let value = json!({"metadata": {"name": name, "namespace": namespace, "uid": format!("u-{name}")}, "spec": extra});
    let indexed = [Indexed::new("spec.nodeName", ""), Indexed::new("spec.hostNetwork", "false")];
    store.put(&pods(), Key::new(Some(namespace), name), map(value), &indexed).revision
}

fn names(snapshot: &Snapshot<'_>, namespace: Option<&str>, start: Option<&str>) -> Vec<String> {
    snapshot.after(namespace, start).map(|object| object.key.as_str().to_owned()).collect()
}

#[test]
fn a_snapshot_shows_the_table_as_it_was() {
    let mut store = Store::new(1 << 20);
    put(&mut store, "a", "one", json!({}));
    put(&mut store, "a-b", "two", json!({}));
    let then = put(&mut store, "a", "three", json!({"n": 1}));
    put(&mut store, "a", "three", json!({"n": 2}));
    put(&mut store, "a", "four", json!({}));
    store.remove(&pods(), &Key::new(Some("a"), "one"), None, &[]);

    let now = store.snapshot(&pods(), None).unwrap();
    assert_eq!(names(&now, None, None), ["a-b/two", "a/four", "a/three"]);
    let past = store.snapshot(&pods(), Some(then)).unwrap();
    assert_eq!(names(&past, None, None), ["a-b/two", "a/one", "a/three"]);
    assert_eq!(names(&past, Some("a"), None), ["a/one", "a/three"]);
    assert_eq!(names(&past, Some("a"), Some("a/one")), ["a/three"]);
    assert_eq!(past.after(Some("a"), Some("a/one")).next().unwrap().value()["spec"]["n"], 1);
}

#[test]
fn compaction_and_the_future_are_refused() {
    let mut store = Store::new(1 << 20);
    let first = put(&mut store, "a", "one", json!({}));
    let second = put(&mut store, "a", "two", json!({}));
    assert_eq!(store.events_after(&pods(), first, 10).unwrap().len(), 1);
    store.compact(second);
    assert_eq!(store.events_after(&pods(), first, 10).err(), Some(Refused::Compacted { oldest: second }));
    assert_eq!(store.snapshot(&pods(), Some(first)).err(), Some(Refused::Compacted { oldest: second }));
    assert!(store.events_after(&pods(), second, 10).unwrap().is_empty());
    assert_eq!(store.snapshot(&pods(), Some(99)).err(), Some(Refused::Future { current: second }));
}

#[test]
fn history_is_bounded_by_bytes() {
    let mut store = Store::new(300);
    for turn in 0..10 {
        put(&mut store, "a", "one", json!({ "turn": turn }));
    }
    assert!(store.events_after(&pods(), 2, 100).is_err());
    assert!(store.events_after(&pods(), store.revision() - 1, 100).is_ok());
}

#[test]
fn a_removed_object_carries_the_revision_of_its_removal() {
    let mut store = Store::new(1 << 20);
    put(&mut store, "a", "one", json!({"nodeName": "n", "hostNetwork": true}));
    let gone = store.remove(&pods(), &Key::new(Some("a"), "one"), None, &[]).unwrap();
    assert_eq!(gone.value()["metadata"]["resourceVersion"], store.revision().to_string());
    let events = store.events_after(&pods(), 0, 10).unwrap();
    assert_eq!(events.iter().map(|event| event.change).collect::<Vec<_>>(), [Change::Added, Change::Deleted]);
    let before = events[1].previous.as_ref().unwrap();
    assert_eq!((before.field("spec.nodeName"), before.field("spec.hostNetwork")), (Some("n"), Some("true")));
    assert_eq!(before.field("spec.other"), None);
    assert!(store.place_of("u-one").is_none());
}

#[test]
fn the_body_serves_every_version() {
    let mut store = Store::new(1 << 20);
    put(&mut store, "a", "one", json!({"n": 1}));
    let object = store.get(&pods(), &Key::new(Some("a"), "one")).unwrap();
    let body = String::from_utf8(object.body.to_vec()).unwrap();
    assert!(body.starts_with("\"metadata\":{"), "{body}");
    assert!(body.ends_with("\"spec\":{\"n\":1}"), "{body}");
}
