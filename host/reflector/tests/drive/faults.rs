//! Servers that forget, break off, refuse, are away or say nothing.

use std::time::Duration;

use tidegate_transport::Code;

use crate::script::{Act, error, event, list, page, status};
use crate::{check, say, spec};
use tidegate_reflector::Spec;

#[tokio::test(start_paused = true)]
async fn whatever_a_watch_says_of_history_there_is_a_list() {
    let again = || [vec![say(list("20", &["b"]))], vec![Act::Stall]];
    let forgotten = ["desynced: 410", "LIST 500", "listing", "item b", "listed 20", "WATCH 20"];
    for (what, answer, told) in [
        ("410 in the status", vec![Act::Refuse(410, status(410, "Expired"))], &[][..]),
        ("410 in the stream", vec![say(event("ADDED", "b", "8") + &error(410, "Expired"))], &["added b"]),
        ("410 by its word", vec![say(error(500, "Expired"))], &[]),
        (
            "what comes behind it does not count",
            vec![say(error(410, "Gone") + &event("ADDED", "c", "9"))],
            &[],
        ),
    ] {
        let answers = [vec![say(list("7", &["a"]))], answer].into_iter().chain(again());
        let begin = ["LIST 500", "listing", "item a", "listed 7", "WATCH 7"];
        let mut wanted = [&begin, told, &forgotten].concat();
        if what.contains("word") {
            wanted[5] = "desynced: 500";
        }
        check(what, spec(), answers, &wanted).await;
    }
    check(
        "from a version, which was forgotten",
        Spec { from: Some("1".into()), ..spec() },
        [vec![say(error(410, "Expired"))]].into_iter().chain(again()),
        &["WATCH 1", "desynced: 410", "LIST 500", "listing", "item b", "listed 20", "WATCH 20"],
    )
    .await;
    check(
        "between two pages: what was told of the list is replaced by a whole one",
        spec(),
        [
            vec![say(page("7", "x", &["a"]))],
            vec![Act::Refuse(410, status(410, "Expired"))],
            vec![say(list("9", &["b"]))],
            vec![Act::Stall],
        ],
        &[
            "LIST 500",
            "LIST 500 at x",
            "listing",
            "item a",
            "desynced: 410",
            "LIST WHOLE",
            "listing",
            "item b",
            "listed 9",
            "WATCH 9",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn whatever_breaks_the_rest_of_the_watch_makes_up_for_it() {
    let begin = ["LIST 500", "listing", "listed 7", "WATCH 7"];
    for (what, answer, told) in [
        (
            "cut",
            vec![say(event("ADDED", "a", "8")), Act::Wait(1), Act::Cut],
            &["added a", "desynced: protocol"][..],
        ),
        (
            "cut within an event",
            vec![say(event("ADDED", "a", "8") + "{\"type\":\"ADD"), Act::Cut],
            &["added a", "desynced: protocol"],
        ),
        (
            "ended within an event",
            vec![say(event("ADDED", "a", "8") + "{\"type\":\"ADD")],
            &["added a", "desynced: protocol"],
        ),
        ("no event", vec![say(event("ADDED", "a", "8") + "[]\n")], &["added a", "desynced: protocol"]),
        (
            "an unknown type",
            vec![say(event("ADDED", "a", "8") + &event("MOVED", "a", "9"))],
            &["added a", "desynced: protocol"],
        ),
        (
            "no version",
            vec![say(event("ADDED", "a", "8") + "{\"type\":\"ADDED\",\"object\":{}}\n")],
            &["added a", "desynced: protocol"],
        ),
        (
            "a version that is no text",
            vec![say(event("ADDED", "a", "8")
                + "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":9}}}\n")],
            &["added a", "desynced: protocol"],
        ),
        (
            "a line without end",
            vec![say(event("ADDED", "a", "8")), say("x".repeat(17 << 20))],
            &["added a", "desynced: too-large"],
        ),
        (
            "an ERROR of another kind",
            vec![say(event("ADDED", "a", "8") + &error(500, "InternalError"))],
            &["added a", "desynced: 500"],
        ),
        ("ended at once", vec![say(event("ADDED", "a", "8"))], &["added a", "desynced: protocol"]),
    ] {
        let answers = [vec![say(list("7", &[]))], answer, vec![say(event("ADDED", "b", "9")), Act::Stall]];
        check(what, spec(), answers, &[&begin, told, &["WATCH 8", "bookmark 8", "added b"]].concat()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_waited_for() {
    let script = check(
        "for long",
        spec(),
        [
            vec![Act::Fail(Code::Unreachable)],
            vec![Act::Refuse(429, r#"{"kind":"Status","details":{"retryAfterSeconds":9}}"#.into())],
            vec![Act::Refuse(503, String::new())],
            vec![say(list("7", &[]))],
            vec![Act::Fail(Code::Tls)],
            vec![Act::Refuse(403, status(403, "Forbidden"))],
            vec![Act::Stall],
        ],
        &[
            "LIST 500",
            "desynced: unreachable",
            "LIST 500",
            "desynced: 429",
            "LIST 500",
            "desynced: 503",
            "LIST 500",
            "listing",
            "listed 7",
            "WATCH 7",
            "desynced: tls",
            "WATCH 7",
            "desynced: 403",
            "WATCH 7",
            "bookmark 7",
        ],
    )
    .await;
    let seconds: Vec<f64> = script.gaps().iter().map(Duration::as_secs_f64).collect();
    let bounds = [(0.8, 1.6), (9.0, 9.0), (3.2, 6.4), (0.0, 0.0), (6.4, 12.8), (12.8, 25.6)];
    for (gap, (least, most)) in seconds.iter().zip(bounds) {
        assert!((least..=most + 0.002).contains(gap), "{seconds:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_begins_anew() {
    let good = || [vec![say(list("9", &["b"]))], vec![Act::Stall]];
    let rest = ["LIST 500", "listing", "item b", "listed 9", "WATCH 9"];
    for (what, text) in [
        ("cut", list("7", &["a"]).trim_end_matches("]}").to_owned()),
        ("not a list", r#"{"kind":"Status"}"#.into()),
        ("no version", list("", &["a"])),
        ("version 0", list("0", &["a"])),
        (
            "an item that is none",
            r#"{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[7]}"#.into(),
        ),
    ] {
        let items = if text.contains("\"a\"") { &["item a"][..] } else { &[] };
        let wanted = [&["LIST 500", "listing"], items, &["desynced: protocol"], &rest].concat();
        check(what, spec(), [vec![say(text)]].into_iter().chain(good()), &wanted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_asked_about() {
    let begin = ["LIST 500", "listing", "listed 7", "WATCH 7", "PROBE METADATA"];
    for (what, probe, told) in [
        (
            "there: a new watch from the same version",
            vec![say(list("30", &["z"]))],
            &["WATCH 7", "added b"][..],
        ),
        ("there, and forbids", vec![Act::Refuse(403, String::new())], &["WATCH 7", "added b"]),
        (
            "away",
            vec![Act::Fail(Code::Unreachable)],
            &["desynced: unreachable", "WATCH 7", "bookmark 7", "added b"],
        ),
        ("silent too", vec![Act::Wait(999)], &["desynced: timeout", "WATCH 7", "bookmark 7", "added b"]),
        (
            "silent within its answer",
            vec![say("{\"kind\":"), Act::Stall],
            &["desynced: timeout", "WATCH 7", "bookmark 7", "added b"],
        ),
        ("something else", vec![say("<html>")], &["desynced: protocol", "WATCH 7", "bookmark 7", "added b"]),
    ] {
        let answers = [
            vec![say(list("7", &[]))],
            vec![Act::Stall],
            probe,
            vec![say(event("ADDED", "b", "8")), Act::Stall],
        ];
        check(what, spec(), answers, &[&begin, told].concat()).await;
    }
    check(
        "restored to an earlier state: a list",
        spec(),
        [
            vec![say(list("7", &["a"]))],
            vec![Act::Stall],
            vec![say(list("5", &["z"]))],
            vec![say(list("5", &["z"]))],
            vec![Act::Stall],
        ],
        &[
            "LIST 500",
            "listing",
            "item a",
            "listed 7",
            "WATCH 7",
            "PROBE METADATA",
            "desynced: protocol",
            "LIST 500",
            "listing",
            "item z",
            "listed 5",
            "WATCH 5",
        ],
    )
    .await;
    check(
        "an event that comes while it is asked is answer enough",
        spec(),
        [
            vec![say(list("7", &[]))],
            vec![say("\n"), Act::Wait(25), say(event("ADDED", "b", "8")), Act::Stall],
            vec![Act::Wait(10)],
            vec![Act::Stall],
        ],
        &["LIST 500", "listing", "listed 7", "WATCH 7", "PROBE METADATA", "added b", "PROBE METADATA"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_this_side_refuses_is_told_once() {
    for code in [Code::InvalidRequest, Code::PermissionDenied, Code::Unsupported] {
        let told = format!("desynced for ever: {code}");
        check("a list", spec(), [vec![Act::Fail(code)]], &["LIST 500", &told, "over"]).await;
        let answers = [vec![say(list("7", &[]))], vec![Act::Fail(code)]];
        check("a watch", spec(), answers, &["LIST 500", "listing", "listed 7", "WATCH 7", &told, "over"])
            .await;
    }
}
