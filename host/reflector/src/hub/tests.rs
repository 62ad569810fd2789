//! One store for many, over an upstream that a test feeds.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tidegate_kube::scan::Filter;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::{Event, Update};

/// An upstream that says what it is fed, and then nothing.
struct Fed(UnboundedReceiver<Vec<Event>>);

impl Upstream for Fed {
    fn next(&mut self) -> BoxFuture<'_, Vec<Event>> {
        Box::pin(async {
            match self.0.recv().await {
                Some(events) => events,
                None => std::future::pending().await,
            }
        })
    }
}

/// A hub whose upstreams are all fed by the test.
struct Bench {
    reflectors: Reflectors,
    connection: Identity,
    fed: Mutex<Vec<UnboundedSender<Vec<Event>>>>,
}

impl Bench {
    fn new(reflectors: Reflectors) -> Bench {
        Bench { reflectors, connection: Identity::of(&0_u8, "server"), fed: Mutex::default() }
    }

    fn follow(&self, shared: Shared, view: View) -> Reflector {
        self.reflectors.follow(Which::of(self.connection.clone(), shared), view, || {
            let (sender, receiver) = unbounded_channel();
            self.fed.lock().unwrap().push(sender);
            Fed(receiver)
        })
    }

    fn feed(&self, upstream: usize, events: Vec<Event>) {
        self.fed.lock().unwrap()[upstream].send(events).unwrap();
    }

    fn upstreams(&self) -> usize {
        self.fed.lock().unwrap().iter().filter(|sender| !sender.is_closed()).count()
    }
}

fn pods() -> Shared {
    Shared { path: "/api/v1/pods".into(), ..Shared::default() }
}

fn pod(name: &str, phase: &str) -> Bytes {
    format!(r#"{{"metadata":{{"name":"{name}","namespace":"n","uid":"u-{name}"}},"status":{{"phase":"{phase}"}}}}"#).into()
}

fn listed(items: impl IntoIterator<Item = Bytes>) -> Vec<Event> {
    let items = items.into_iter().map(Event::Item);
    let end = Event::Listed { version: "7".into() };
    std::iter::once(Event::Listing).chain(items).chain([end]).collect()
}

/// What is told, in short, until nothing more is.
async fn told(reflector: &mut Reflector) -> Vec<String> {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    let mut all = Vec::new();
    while let Some(updates) = reflector.next().now_or_never() {
        match updates {
            Ok(updates) => all.extend(updates.iter().map(short)),
            Err(error) => {
                all.push(format!("{}: {error}", error.code()));
                break;
            }
        }
    }
    all
}

fn short(update: &Update) -> String {
    let text = |object: &[u8]| {
        let object: serde_json::Value = serde_json::from_slice(object).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        name + object["status"]["phase"]
            .as_str()
            .map(|phase| format!("={phase}"))
            .unwrap_or_default()
            .as_str()
    };
    match update {
        Update::Added { object } => format!("+{}", text(object)),
        Update::Modified { object, previous: None } => format!("~{}", text(object)),
        Update::Modified { object, previous: Some(previous) } => {
            format!("~{}<{}", text(object), text(previous))
        }
        Update::Deleted { object } => format!("-{}", text(object)),
        Update::Synced => "synced".into(),
        Update::Desynced => "desynced".into(),
        Update::Reset => "reset".into(),
        Update::Error(why) => format!("error {why}"),
    }
}

#[test]
fn masks_keep_what_tells_objects_apart() {
    let sample = br#"{"metadata":{"name":"a","namespace":"b","uid":"c","labels":{"x":"y"}},"spec":{"z":1}}"#;
    for (paths, wanted) in [
        (&["spec.z"][..], r#"{"metadata":{"name":"a","namespace":"b","uid":"c"},"spec":{"z":1}}"#),
        (&["-spec"], r#"{"metadata":{"name":"a","namespace":"b","uid":"c","labels":{"x":"y"}}}"#),
        (&["metadata.name"], r#"{"metadata":{"name":"a","namespace":"b","uid":"c"}}"#),
        (&["-metadata"], "a reflector keeps"),
        (&["-metadata.uid"], "a reflector keeps"),
        (&["spec", "-metadata.name"], "the path `metadata.name` is kept and dropped"),
        (&["a["], "in the path `a[`"),
    ] {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        let shown = match mask(&paths) {
            Ok(mask) => {
                let mut out = Vec::new();
                mask.unwrap().apply(sample, &mut out).unwrap();
                String::from_utf8(out).unwrap()
            }
            Err(error) => error.to_string(),
        };
        assert!(shown.starts_with(wanted), "{paths:?}: {shown}");
    }
}

#[tokio::test]
async fn who_asks_for_the_same_shares_a_store_and_its_watch() {
    let bench = Bench::new(Reflectors::default());
    let masked = |mask: &[&str]| Shared { mask: mask.iter().map(ToString::to_string).collect(), ..pods() };
    let mut first = bench.follow(pods(), View::default());
    bench.feed(0, listed([pod("a", "Running"), pod("b", "Pending")]));
    assert_eq!(told(&mut first).await, ["+a=Running", "+b=Pending", "synced"]);
    // Who comes later gets it all at once.
    let mut second = bench.follow(pods(), View::default());
    assert!(second.is_synced());
    assert_eq!(told(&mut second).await, ["+a=Running", "+b=Pending", "synced"]);
    let third = bench.follow(masked(&["spec", "status.phase"]), View::default());
    let fourth = bench.follow(masked(&["status.phase", "spec", "spec"]), View::default());
    assert_eq!((bench.upstreams(), bench.reflectors.len()), (2, 2));
    let stranger = Identity::of(&1_u8, "server").within(&2_u8);
    let alien =
        bench.reflectors.follow(Which::of(stranger, pods()), View::default(), || Fed(unbounded_channel().1));
    assert_eq!(bench.reflectors.len(), 3);
    assert!(bench.reflectors.bytes() > 100);
    drop((first, third, alien));
    assert_eq!(bench.reflectors.len(), 2);
    drop((second, fourth));
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    assert_eq!((bench.upstreams(), bench.reflectors.len(), bench.reflectors.bytes()), (0, 0, 0));
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
async fn each_sees_what_its_view_shows() {
    let bench = Bench::new(Reflectors::default());
    let running = || Some(Filter::builder().fields("status.phase=Running").build().unwrap());
    let names = || Some(Mask::parse(["metadata.name"]).unwrap());
    let mut all = bench.follow(pods(), View { previous: true, ..View::default() });
    let mut runs = bench.follow(pods(), View { filter: running(), ..View::default() });
    let mut named = bench.follow(pods(), View { mask: names(), ..View::default() });
    bench.feed(0, listed([pod("a", "Running"), pod("b", "Pending"), pod("c", "Running")]));
    assert_eq!(told(&mut all).await, ["+a=Running", "+b=Pending", "+c=Running", "synced"]);
    assert_eq!(told(&mut runs).await, ["+a=Running", "+c=Running", "synced"]);
    assert_eq!(told(&mut named).await, ["+a", "+b", "+c", "synced"]);
    let events = vec![
        Event::Modified(pod("b", "Running")),
        Event::Modified(pod("a", "Failed")),
        Event::Modified(pod("a", "Gone")),
        Event::Deleted(pod("c", "Running")),
        Event::Added(pod("d", "Pending")),
    ];
    bench.feed(0, events);
    assert_eq!(
        told(&mut all).await,
        ["~b=Running<b=Pending", "~a=Failed<a=Running", "~a=Gone<a=Failed", "-c=Running", "+d=Pending"]
    );
    assert_eq!(told(&mut runs).await, ["+b=Running", "-a=Running", "-c=Running"]);
    assert_eq!(told(&mut named).await, ["-c", "+d"]);
    let text = |object: Vec<u8>| String::from_utf8(object).unwrap();
    assert_eq!(named.get("n", "d").unwrap().map(text).as_deref(), Some(r#"{"metadata":{"name":"d"}}"#));
    assert!(runs.get("n", "d").unwrap().is_none() && all.get("n", "c").unwrap().is_none());
    assert!(all.get("", "d").unwrap().is_none());
    assert_eq!((all.len(), runs.len(), all.resource_version().as_deref()), (3, 3, Some("7")));
    // A snapshot shows what there was.
    let mut snapshot = runs.list();
    bench.feed(0, vec![Event::Deleted(pod("b", "Running"))]);
    assert_eq!(told(&mut runs).await, ["-b=Running"]);
    assert_eq!(snapshot.next().await.unwrap().unwrap().len(), 1);
    assert!(snapshot.next().await.unwrap().is_none());
    assert!(runs.list().next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_watch_that_breaks_desyncs_and_a_list_tells_what_is_gone() {
    let bench = Bench::new(Reflectors::default());
    let mut reflector = bench.follow(pods(), View::default());
    assert!(!reflector.is_synced());
    bench.feed(0, listed([pod("a", "1"), pod("b", "1")]));
    assert_eq!(told(&mut reflector).await, ["+a=1", "+b=1", "synced"]);
    let why = || Error::new(Code::Unreachable, "away");
    let retry_in = Some(Duration::from_secs(1));
    bench.feed(0, vec![Event::Desynced { why: why(), retry_in }]);
    assert_eq!(told(&mut reflector).await, ["desynced", "error away"]);
    assert!(!reflector.is_synced() && reflector.get("n", "a").unwrap().is_some());
    bench.feed(0, listed([pod("b", "2"), pod("c", "1")]));
    assert_eq!(told(&mut reflector).await, ["~b=2", "+c=1", "-a=1", "synced"]);
    // One that goes on where it was, says so by a bookmark.
    bench.feed(0, vec![Event::Desynced { why: why(), retry_in }, Event::Bookmark { version: "9".into() }]);
    assert_eq!(told(&mut reflector).await, ["desynced", "error away", "synced"]);
    // What is no object, or has no name, harms nobody else.
    bench.feed(0, vec![Event::Added(Bytes::from_static(b"[]")), Event::Added(Bytes::from_static(b"{}"))]);
    assert_eq!(told(&mut reflector).await.len(), 3);
    assert_eq!(reflector.len(), 2);
    // And where nothing can help, there is an end, which the next to come does not share.
    bench.feed(0, vec![Event::Desynced { why: why(), retry_in: None }]);
    assert_eq!(told(&mut reflector).await, ["unreachable: away"]);
    assert_eq!(told(&mut reflector).await, ["closed: the reflector has ended with an error before"]);
    let other = bench.follow(pods(), View::default());
    assert_eq!((bench.fed.lock().unwrap().len(), other.len()), (2, 0));
}

#[tokio::test]
async fn the_slow_hold_nothing_and_end_with_what_there_is() {
    let limits = Limits { records: 64, graves: 1000, ..Limits::default() };
    let bench = Bench::new(Reflectors::with(1 << 20, limits));
    let mut slow = bench.follow(pods(), View { batch: 2, ..View::default() });
    let mut quick = bench.follow(pods(), View::default());
    bench.feed(0, listed((0..50).map(|number| pod(&format!("p{number:02}"), "0"))));
    assert_eq!(told(&mut quick).await.len(), 51);
    assert_eq!(slow.next().await.unwrap().len(), 2);
    for turn in 1..=100 {
        let changes = (0..50).map(|number| Event::Modified(pod(&format!("p{number:02}"), &turn.to_string())));
        bench.feed(
            0,
            changes.chain([Event::Deleted(pod("p07", "x")), Event::Added(pod("p07", "again"))]).collect(),
        );
        assert_eq!(told(&mut quick).await.len(), 52);
    }
    bench.feed(0, vec![Event::Deleted(pod("p00", "100")), Event::Deleted(pod("p49", "100"))]);
    // The store, and what the log remembers.
    assert!(bench.reflectors.bytes() < (50 + 64) * 100);
    let end = told(&mut slow).await;
    // The first two had been told; all others come as they are.
    assert!(end.contains(&"-p00".to_owned()) && end.contains(&"~p01=100".to_owned()), "{end:?}");
    assert!(end.contains(&"+p07=again".to_owned()) && end.contains(&"+p48=100".to_owned()), "{end:?}");
    assert!(!end.iter().any(|told| told.contains("p49") || told == "desynced" || told == "reset"), "{end:?}");
    assert_eq!((end.last().unwrap().as_str(), end.len()), ("synced", 50));
    // Once synced, it is told that it fell behind.
    for turn in 0..70 {
        bench.feed(0, vec![Event::Modified(pod("p01", &format!("late{turn}")))]);
    }
    assert_eq!(told(&mut slow).await, ["desynced", "~p01=late69", "synced"]);
}

#[tokio::test]
async fn so_far_behind_that_nobody_knows_what_went_all_comes_anew() {
    let limits = Limits { records: 4, graves: 3, ..Limits::default() };
    let bench = Bench::new(Reflectors::with(1 << 20, limits));
    let mut slow = bench.follow(pods(), View::default());
    bench.feed(0, listed((0..9).map(|number| pod(&format!("p{number}"), "0"))));
    assert_eq!(told(&mut slow).await.len(), 10);
    bench.feed(0, (0..7).map(|number| Event::Deleted(pod(&format!("p{number}"), "0"))).collect());
    assert_eq!(told(&mut slow).await, ["reset", "+p7=0", "+p8=0", "synced"]);
}

#[tokio::test]
async fn stores_hold_no_more_than_they_may() {
    let limits = Limits { snapshots: 1000, ..Limits::default() };
    let bench = Bench::new(Reflectors::with(4000, limits));
    let mut all = [bench.follow(pods(), View::default()), bench.follow(pods(), View::default())];
    bench.feed(0, listed([pod("a", &"x".repeat(300))]));
    for reflector in &mut all {
        assert_eq!(told(reflector).await.len(), 2);
    }
    let mut snapshot = all[0].list();
    for turn in 0..4 {
        bench.feed(0, vec![Event::Modified(pod("a", &turn.to_string().repeat(400)))]);
    }
    assert_eq!(told(&mut all[0]).await.len(), 4);
    let error = snapshot.next().await.unwrap_err();
    assert!(error.code() == Code::TooLarge && error.to_string().contains("snapshot cap"), "{error}");
    bench.feed(0, vec![Event::Added(pod("b", &"y".repeat(4000)))]);
    for reflector in &mut all {
        let told = told(reflector).await;
        let end = told.last().unwrap();
        assert!(end.starts_with("too-large: ") && end.contains("reflector memory of 4000 bytes"), "{told:?}");
    }
    assert_eq!(bench.reflectors.bytes(), 0);
}

#[tokio::test]
async fn a_filter_without_an_answer_ends_one_and_not_the_others() {
    let bench = Bench::new(Reflectors::default());
    let filter = Filter::builder().expression("object.spec.x == 1").build().unwrap();
    let mut strict = bench.follow(pods(), View { filter: Some(filter), ..View::default() });
    let mut other = bench.follow(pods(), View::default());
    bench.feed(0, listed([pod("a", "1")]));
    let told_to_strict = told(&mut strict).await;
    assert!(told_to_strict[0].starts_with("invalid-request: the filter has no answer"), "{told_to_strict:?}");
    assert_eq!(told(&mut other).await, ["+a=1", "synced"]);
}

#[test]
fn followers_are_told_where_the_runtime_that_fed_them_ends() {
    let bench = Bench::new(Reflectors::default());
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = runtime();
    let mut reflector = first.block_on(async { bench.follow(pods(), View::default()) });
    drop(first);
    let told = runtime().block_on(told(&mut reflector));
    assert_eq!(told, ["closed: what fed the reflector has ended"]);
}

#[tokio::test]
async fn what_was_taken_for_somebody_who_waits_no_more_is_not_lost() {
    let bench = Bench::new(Reflectors::default());
    let rare = Filter::builder().fields("status.phase=Rare").build().unwrap();
    let mut reflector = bench.follow(pods(), View { filter: Some(rare), ..View::default() });
    let pods = (0..5000)
        .map(|number| pod(&format!("p{number:04}"), if number % 100 == 0 { "Rare" } else { "Running" }));
    bench.feed(0, listed(pods));
    let mut all = Vec::new();
    for _ in 0..5000 {
        // As a guest's `try-next` does: a look, and no more.
        if let Some(updates) = reflector.next().now_or_never() {
            all.extend(updates.unwrap().iter().map(short));
        }
        tokio::task::yield_now().await;
        if all.last().is_some_and(|last| last == "synced") {
            break;
        }
    }
    assert_eq!(all.len(), 51, "{all:?}");
}

#[tokio::test]
async fn a_store_that_has_ended_says_so() {
    let bench = Bench::new(Reflectors::default());
    let mut reflector = bench.follow(pods(), View::default());
    bench.feed(0, listed([pod("a", "1")]));
    assert_eq!(told(&mut reflector).await.len(), 2);
    let mut held = reflector.list();
    bench.feed(0, vec![Event::Modified(pod("a", "2"))]);
    bench.feed(0, vec![Event::Desynced { why: Error::new(Code::PermissionDenied, "no"), retry_in: None }]);
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reflector.get("n", "a").unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(reflector.list().next().await.unwrap_err().code(), Code::PermissionDenied);
    // Nothing is held that nobody counts.
    assert_eq!(held.next().await.unwrap_err().code(), Code::TooLarge);
    assert_eq!(bench.reflectors.bytes(), 0);
}
