//! A server that does all that a reflector must live through, word by word.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Asked, Peer, eventually};

use super::{at, lines_to};

fn pod(name: &str, version: u32) -> String {
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"n","uid":"u-{name}","resourceVersion":"{version}"}},"x":{version}}}"#
    )
}

fn list(version: u32, token: &str, pods: &[String]) -> Vec<Act> {
    let metadata = format!(r#"{{"resourceVersion":"{version}","continue":"{token}"}}"#);
    vec![Act::json(&format!(r#"{{"kind":"PodList","metadata":{metadata},"items":[{}]}}"#, pods.join(",")))]
}

fn event(ty: &str, object: &str) -> Act {
    Act::chunk(&format!("{{\"type\":\"{ty}\",\"object\":{object}}}\n"))
}

fn watch(events: Vec<Act>, end: Act) -> Vec<Act> {
    [vec![Act::chunked_head()], events, vec![end]].concat()
}

fn expired() -> String {
    r#"{"kind":"Status","status":"Failure","code":410,"reason":"Expired","message":"too old"}"#.to_owned()
}

/// Names and versions of what lines tell.
fn brief(line: &str) -> String {
    let word = line.split(' ').next().unwrap_or_default();
    let name = |text: &str| {
        let name = text.split(r#""name":""#).nth(1)?.split('"').next()?.to_owned();
        let version = text.rsplit(r#""x":"#).next()?.split('}').next()?.to_owned();
        Some(format!(" {name}{version}"))
    };
    let mut parts = line.split(" WAS ").filter_map(name);
    let object = parts.next().unwrap_or_default();
    word.to_owned() + &object + &parts.next().map(|before| format!(" was{before}")).unwrap_or_default()
}

/// The parts of a request's query that matter here.
fn asked(asked: &Asked) -> String {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let known = ["watch", "resourceVersion", "continue", "limit", "allowWatchBookmarks"];
    let pairs: Vec<&str> = query
        .split('&')
        .filter(|pair| pair.split('=').next().is_some_and(|name| known.contains(&name)))
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

/// Pages, bookmarks, ends, both forms of 410, and a gap in which something was deleted.
#[test]
fn pages_bookmarks_ends_and_a_gap() {
    let turn = Mutex::new(0);
    let peer = Peer::answering(move |asked| {
        asked.or_api(|| {
            let mut turn = turn.lock().unwrap();
            *turn += 1;
            match *turn {
                1 => list(10, "second", &[pod("a", 1), pod("b", 2)]),
                2 => list(10, "", &[pod("c", 3)]),
                3 => {
                    let bookmark = r#"{"kind":"Pod","metadata":{"resourceVersion":"20"}}"#;
                    let events = vec![event("MODIFIED", &pod("b", 11)), event("BOOKMARK", bookmark)];
                    watch(events, Act::Pause(Duration::from_millis(1200)))
                        .into_iter()
                        .chain([Act::say("0\r\n\r\n")])
                        .collect()
                }
                4 => vec![Act::respond("410 Gone", "application/json", &expired())],
                5 => list(30, "", &[pod("a", 25), pod("d", 26)]),
                6 => watch(
                    vec![event("ADDED", &pod("b", 31)), event("ERROR", &expired())],
                    Act::say("0\r\n\r\n"),
                ),
                7 => list(40, "", &[pod("a", 25), pod("b", 31)]),
                _ => watch(vec![event("ADDED", &pod("end", 41))], Act::Hang),
            }
        })
    });
    let outcome = at(&peer, &["--previous", "yes", "--until", "end"]).run().expect_code(0);
    let told: Vec<String> = outcome
        .stdout
        .lines()
        .filter(|line| !line.starts_with("FAILED") && !line.starts_with("stored"))
        .map(brief)
        .collect();
    assert_eq!(
        told,
        [
            "ADDED a1",
            "ADDED b2",
            "ADDED c3",
            "SYNCED",
            "MODIFIED b11 was b2",
            "DESYNCED",
            "MODIFIED a25 was a1",
            "ADDED d26",
            "DELETED b11",
            "DELETED c3",
            "SYNCED",
            "ADDED b31",
            "DESYNCED",
            "DELETED d26",
            "SYNCED",
            "ADDED end41",
            "done:",
        ],
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.ends_with("done: 3 stored, 3 seen, synced true, told 6/2/3, faults 0\n"),
        "{}",
        outcome.stdout
    );
    let seen: Vec<String> = peer.seen().iter().filter(|asked| asked.target != "/api").map(asked).collect();
    assert_eq!(seen[0], "/api/v1/pods?limit=500");
    assert_eq!(seen[1], "/api/v1/pods?limit=500&continue=second");
    assert_eq!(seen[2], "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=10");
    assert_eq!(seen[3], "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=20");
    assert_eq!(seen[5], "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=30");
    assert!(seen.len() == 8, "{seen:?}");
}

/// A server that refuses is asked less and less often, and that it does is told.
#[test]
fn a_server_that_refuses_is_left_alone_for_a_while() {
    let times = std::sync::Arc::new(Mutex::new(Vec::new()));
    let own = times.clone();
    let peer = Peer::answering(move |asked| {
        asked.or_api(|| {
            let mut times = own.lock().unwrap();
            times.push(Instant::now());
            match times.len() {
                1..=3 => vec![Act::respond("500 Oops", "text/plain", "no")],
                4 => list(7, "", &[pod("a", 1)]),
                _ => vec![Act::Hang],
            }
        })
    });
    let outcome = at(&peer, &["--until-synced", "yes"]).run().expect_code(0);
    assert_eq!(
        outcome.stdout.lines().filter(|line| line.starts_with("FAILED status: ")).count(),
        3,
        "{}",
        outcome.stdout
    );
    let times = times.lock().unwrap();
    let waits: Vec<f32> = times.windows(2).take(3).map(|pair| (pair[1] - pair[0]).as_secs_f32()).collect();
    for (wait, shortest) in waits.iter().zip([0.79, 1.59, 3.19]) {
        assert!((shortest..shortest * 2.0 + 1.5).contains(wait), "{waits:?}");
    }
}

/// A silent watch is asked for a sign of life, and begins anew where it was; a stopped one leaves nothing open.
#[test]
fn silence_is_noticed_and_a_stop_is_clean() {
    let peer = Peer::answering(|asked| {
        asked.or_api(|| {
            let is_second = asked.target.contains("resourceVersion=9");
            match (asked.target.contains("watch=true"), asked.target.contains("limit=1")) {
                (true, _) if is_second => watch(vec![event("ADDED", &pod("end", 12))], Act::Hang),
                (true, _) => watch(vec![event("ADDED", &pod("b", 9))], Act::Hang),
                (false, true) => list(11, "", &[]),
                (false, false) => list(8, "", &[pod("a", 1)]),
            }
        })
    });
    let flags = ["--idle-deadline", "700", "--until", "end", "--linger", "20000"];
    let mut live = at(&peer, &flags).live();
    let told: Vec<String> = lines_to(&mut live, "stopped").iter().map(|line| brief(line)).collect();
    for wanted in ["ADDED a1", "ADDED b9", "ADDED end12"] {
        assert!(told.contains(&wanted.to_owned()), "{told:?}");
    }
    assert!(
        peer.seen().iter().any(|asked| asked.target.contains("limit=1")),
        "no sign of life was asked for"
    );
    eventually("no connection is left", || peer.open() == 0);
}
