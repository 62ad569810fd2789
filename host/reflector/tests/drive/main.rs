//! The driver over servers that do what a script says, however wrong, on a clock that only moves where all wait.

mod faults;
mod script;

use std::sync::Arc;
use std::time::Duration;

use script::{Act, Script, event, list, page, status};
use tidegate_kube::scan::{Filter, Mask};
use tidegate_reflector::{Event, Spec, Watcher};
use tidegate_transport::{Code, ListOptions, ListSource};
use tokio::time::{Instant, timeout};

fn say(text: impl Into<String>) -> Act {
    Act::Say(text.into())
}

/// Names alone, and a silence that is soon too long.
fn spec() -> Spec {
    let mask = Some(Mask::parse(["metadata.name"]).unwrap());
    Spec { mask, idle: Duration::from_secs(20), ..Spec::new("/api/v1/pods") }
}

/// Runs until `wanted` lines were logged: what was asked, and what was told.
async fn check(
    what: &str,
    spec: Spec,
    answers: impl IntoIterator<Item = Vec<Act>>,
    wanted: &[&str],
) -> Script {
    let script = Script::new(answers);
    let mut watcher = Watcher::start(script.transport(), spec);
    let end = Instant::now() + Duration::from_secs(600);
    while script.logged().len() < wanted.len() && Instant::now() < end {
        let Ok(batch) = timeout(Duration::from_millis(100), watcher.next()).await else { continue };
        assert!(batch.len() <= 256, "{what}: {} in a batch", batch.len());
        let desynced = |event: &Event| matches!(event, Event::Desynced { .. });
        assert!(!batch.iter().rev().skip(1).any(desynced), "{what}: a batch goes on behind {batch:?}");
        if batch.is_empty() {
            script.log("over".to_owned());
            assert!(watcher.next().await.is_empty(), "{what}: it is over for ever");
        }
        batch.iter().for_each(|event| script.log(show(event)));
    }
    // A batch is told after whatever could be asked before: each of the two has its order.
    for is_asked in [true, false] {
        let only = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().filter(|line| line.starts_with(char::is_uppercase) == is_asked).collect()
        };
        let wanted = wanted.iter().map(|line| line.to_string()).collect();
        assert_eq!(only(script.logged()), only(wanted), "{what}");
    }
    drop(watcher);
    assert_eq!(script.open(), 0, "{what}: dropped, it closes what it has open");
    script
}

fn show(event: &Event) -> String {
    let name = |object: &[u8]| match serde_json::from_slice::<serde_json::Value>(object) {
        Ok(object) => object["metadata"]["name"].as_str().unwrap_or("nameless").to_owned(),
        Err(error) => error.to_string(),
    };
    match event {
        Event::Listing => "listing".into(),
        Event::Item(object) => format!("item {}", name(object)),
        Event::Listed { version } => format!("listed {version}"),
        Event::Added(object) => format!("added {}", name(object)),
        Event::Modified(object) => format!("modified {}", name(object)),
        Event::Deleted(object) => format!("deleted {}", name(object)),
        Event::Bookmark { version } => format!("bookmark {version}"),
        Event::Desynced { why, retry_in: Some(_) } => match why.status() {
            Some(status) => format!("desynced: {}", status.code),
            None => format!("desynced: {}", why.code()),
        },
        Event::Desynced { why, retry_in: None } => format!("desynced for ever: {}", why.code()),
    }
}

#[tokio::test(start_paused = true)]
async fn lists_watches_and_goes_on() {
    check(
        "pages, events, the regular end",
        spec(),
        [
            vec![say(page("7", "x", &["a", "b"]))],
            vec![say(page("7", "", &["c"]))],
            vec![
                say(event("MODIFIED", "a", "8")),
                Act::Wait(15),
                say(event("DELETED", "b", "9") + &event("BOOKMARK", "", "12")),
            ],
            vec![Act::Wait(2), say(event("ADDED", "b", "13")), Act::Stall],
        ],
        &[
            "LIST 500",
            "LIST 500 at x",
            "listing",
            "item a",
            "item b",
            "item c",
            "listed 7",
            "WATCH 7",
            "modified a",
            "deleted b",
            "bookmark 12",
            "WATCH 12",
            "added b",
        ],
    )
    .await;
    check(
        "bytes in any pieces, and a last line without its end",
        spec(),
        [
            list("7", &["a"]).chars().map(String::from).map(Act::Say).collect(),
            event("ADDED", "b", "8")
                .chars()
                .map(String::from)
                .map(Act::Say)
                .chain([Act::Wait(2), say(event("ADDED", "c", "9").trim_end())])
                .collect(),
            vec![Act::Stall],
        ],
        &["LIST 500", "listing", "item a", "listed 7", "WATCH 7", "added b", "added c", "WATCH 9"],
    )
    .await;
    let script = check(
        "what the server selects, and how",
        Spec {
            label_selector: Some("app=a".into()),
            field_selector: Some("spec.nodeName=n".into()),
            metadata_only: true,
            source: ListSource::Whole,
            ..spec()
        },
        [vec![say(list("7", &[]))], vec![Act::Stall]],
        &[
            "LIST WHOLE -l app=a -f spec.nodeName=n METADATA",
            "listing",
            "listed 7",
            "WATCH 7 -l app=a -f spec.nodeName=n METADATA",
            "PROBE -l app=a -f spec.nodeName=n METADATA",
        ],
    )
    .await;
    assert_eq!(script.gaps(), [Duration::ZERO, Duration::from_secs(20)]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_list_falls_back_to_pages() {
    let end = r#"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
    let spec = || Spec { source: ListSource::WatchList, ..spec() };
    check(
        "offered",
        spec(),
        [vec![say(event("ADDED", "a", "3") + end + "\n"), Act::Stall], vec![Act::Stall]],
        &["WATCH LIST", "listing", "item a", "listed 7", "WATCH 7"],
    )
    .await;
    check(
        "changes before the end, as servers before Kubernetes 1.32 tell them: a list is what there was before the first deletion",
        spec(),
        [
            vec![
                say(event("ADDED", "a", "3")
                    + &event("ADDED", "b", "2")
                    + &event("MODIFIED", "a", "8")
                    + &event("DELETED", "b", "10")
                    + &event("ADDED", "c", "11")
                    + end
                    + "\n"),
                Act::Stall,
            ],
            vec![say(event("DELETED", "b", "10") + &event("ADDED", "c", "11")), Act::Stall],
        ],
        &[
            "WATCH LIST", "listing", "item a", "item b", "item a", "listed 9", "WATCH 9", "deleted b", "added c",
        ],
    )
    .await;
    check(
        "not offered",
        spec(),
        [vec![Act::Refuse(422, status(422, "Invalid"))], vec![say(list("7", &["a"]))], vec![Act::Stall]],
        &["WATCH LIST", "LIST 500", "listing", "item a", "listed 7", "WATCH 7"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_leaves_out_and_the_version_goes_on() {
    let filter = |builder: tidegate_kube::scan::FilterBuilder| Some(Arc::new(builder.build().unwrap()));
    check(
        "by labels",
        Spec { filter: filter(Filter::builder().labels("app=a")), ..spec() },
        [
            vec![say(list("7", &["a", "b"]))],
            vec![
                say(event("ADDED", "b", "8") + &event("MODIFIED", "b", "9") + &event("ADDED", "b", "10")),
                Act::Wait(3),
            ],
            vec![Act::Stall],
        ],
        &["LIST 500", "listing", "item a", "listed 7", "WATCH 7", "deleted b", "WATCH 10"],
    )
    .await;
    check(
        "an expression that has no answer ends it: the next list would have none either",
        Spec { filter: filter(Filter::builder().expression("object.spec.no > 1")), ..spec() },
        [vec![say(list("7", &["a"]))]],
        &["LIST 500", "listing", "desynced for ever: invalid-request", "over"],
    )
    .await;
}

/// A batch is what is there, and no more is read than fits one.
#[tokio::test(start_paused = true)]
async fn batches_are_bounded_and_nothing_is_read_ahead() {
    let names: Vec<String> = (0..600).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let events: String = (0..1000).map(|number| event("MODIFIED", "a", &(8 + number).to_string())).collect();
    let large =
        event("MODIFIED", "a", "2000").replace("\"a\"", &format!("\"{}\"", "a".repeat(200 << 10))).repeat(3);
    let script =
        Script::new([vec![say(list("7", &names))], vec![say(events), Act::Wait(1), say(large), Act::Stall]]);
    let mut watcher = Watcher::start(script.transport(), spec());
    let mut batches = Vec::new();
    for _ in 0..9 {
        let batch = watcher.next().await;
        let bytes: usize = batch
            .iter()
            .map(|event| match event {
                Event::Item(object) | Event::Modified(object) => object.len(),
                _ => 0,
            })
            .sum();
        batches.push((batch.len(), bytes >> 10));
    }
    let counts: Vec<usize> = batches.iter().map(|batch| batch.0).collect();
    assert_eq!(counts.iter().sum::<usize>(), 1 + 600 + 1 + 1000 + 3, "{batches:?}");
    assert!(counts.iter().all(|count| *count <= 256), "{batches:?}");
    // The second large one makes it full.
    assert_eq!(batches.last(), Some(&(1, 200)), "{batches:?}");
}

/// Waiting can be given up at any moment: nothing is lost, nothing asked twice.
#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_loses_nothing() {
    let script = Script::new([
        vec![Act::Wait(3), say(list("7", &["a"])), Act::Wait(1)],
        vec![Act::Wait(2), say(event("ADDED", "b", "8")), Act::Wait(5), Act::Cut],
        vec![Act::Wait(1), say(event("ADDED", "c", "9")), Act::Stall],
    ]);
    let mut watcher = Watcher::start(script.transport(), spec());
    while script.logged().len() < 10 {
        if let Ok(batch) = timeout(Duration::from_millis(70), watcher.next()).await {
            batch.iter().for_each(|event| script.log(show(event)));
        }
        let _ = timeout(Duration::from_millis(70), watcher.ready()).await;
    }
    assert_eq!(
        script.logged(),
        [
            "LIST 500",
            "listing",
            "item a",
            "WATCH 7",
            "listed 7",
            "added b",
            "desynced: protocol",
            "WATCH 8",
            "bookmark 8",
            "added c"
        ]
    );
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let version = |version: &str, rule: Option<&str>| ListOptions {
        resource_version: Some((version.into(), rule.map(str::to_owned))),
        ..ListOptions::default()
    };
    let idle =
        |seconds| ListOptions { idle_deadline: Some(Duration::from_secs(seconds)), ..ListOptions::default() };
    for (options, refused) in [
        (version("7", None), None),
        (version("7", Some("Exact")), Some("a watcher goes on from a version: it takes no rule")),
        (version("0", None), Some("a watcher goes on from the version of a list or an event")),
        (version("", None), Some("a watcher goes on from the version of a list or an event")),
        (ListOptions { label_selector: Some("a".repeat(64 << 10)), ..ListOptions::default() }, None),
        (
            ListOptions { field_selector: Some("a".repeat((64 << 10) + 1)), ..ListOptions::default() },
            Some("the path and the selectors of a watcher have at most 64 KiB"),
        ),
        (idle(1), None),
        (idle(12 * 3600), None),
        (idle(0), Some("the idle deadline of a watcher is")),
        (idle(12 * 3600 + 1), Some("the idle deadline of a watcher is")),
    ] {
        let found = Spec::of("/api/v1/pods", options).map(drop);
        match (found, refused) {
            (Ok(()), None) => {}
            (Err(error), Some(text)) => {
                assert_eq!(error.code(), Code::InvalidRequest);
                assert!(error.to_string().starts_with(text), "{error}");
            }
            (found, refused) => panic!("{found:?}, not {refused:?}"),
        }
    }
}
