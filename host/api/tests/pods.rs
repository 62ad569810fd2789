//! Logs, processes and ports of pods, over a server that fails, and of names that are none.

mod peer;

use std::time::Duration;

use peer::{Says, Table};
use serde_json::json;
use tidegate_api::forward::Forward;
use tidegate_api::logs::{LogOptions, LogStream, PartEvent, Pods, Since};
use tidegate_api::process::{ProcessOptions, exec};
use tidegate_transport::Code;

const WEB: &str = "/api/v1/namespaces/shop/pods/web";
const LOG: &str = "/api/v1/namespaces/shop/pods/web/log";

/// The pod, with a container that runs and was started again so often.
fn runs(restarts: u32) -> Says {
    let status = json!({ "name": "c", "restartCount": restarts, "state": { "running": {} } });
    let pod = json!({
        "metadata": { "name": "web", "namespace": "shop", "uid": "u" },
        "spec": { "containers": [{ "name": "c" }] },
        "status": { "phase": "Running", "containerStatuses": [status] },
    });
    Says::Text("application/json", pod.to_string())
}

fn says(text: &str) -> Says {
    Says::Text("text/plain", text.to_owned())
}

/// What comes of following the log, and the beginnings that were asked of the server.
async fn follow(
    pods: Vec<Says>,
    logs: Vec<Says>,
    since: Option<Since>,
    tail: Option<u64>,
) -> (Vec<String>, Vec<String>) {
    let table = Table::new([(WEB, Says::InTurn(pods)), (LOG, Says::InTurn(logs))]);
    let options = LogOptions { follow: true, since, tail, ..LogOptions::default() };
    let named = Pods::Named("web".into());
    let mut stream = LogStream::open(table.dynamic(), Some("shop"), named, options).await.unwrap();
    let mut events = Vec::new();
    while let Some(part) = stream.next().await.unwrap() {
        match part.event {
            PartEvent::Lines(lines) => {
                events.extend(lines.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()));
            }
            PartEvent::Restarted => events.push("restarted".to_owned()),
            PartEvent::Gap(_) => events.push("gap".to_owned()),
            PartEvent::Interrupted(_) => events.push("interrupted".to_owned()),
            PartEvent::Ended => events.push("ended".to_owned()),
            other => events.push(format!("{other:?}")),
        }
    }
    let beginning = |query: &str| {
        let others = ["container=", "timestamps=", "follow="];
        let kept = query.split('&').filter(|pair| !others.iter().any(|other| pair.starts_with(other)));
        kept.collect::<Vec<_>>().join("&")
    };
    let asked = table.log();
    let asked = asked.iter().filter_map(|line| line.split_once("/log?")).map(|(_, query)| beginning(query));
    (events, asked.collect())
}

#[tokio::test(start_paused = true)]
async fn what_is_written_before_the_first_line_came_is_not_skipped() {
    let late = |says: Says| Says::Late(Duration::from_secs(30), Box::new(says));
    let (cut, line) = (Says::Cut(String::new()), "2026-01-31T12:00:00Z one\n");
    let minute = || Some(Since::Ago(Duration::from_secs(60)));
    for (what, since, tail, first, asked, events) in [
        ("quiet", None, Some(0), says(""), ["tailLines=0", "sinceSeconds=31"], &["one", "ended"][..]),
        (
            "cut",
            None,
            Some(0),
            cut.clone(),
            ["tailLines=0", "sinceSeconds=31"],
            &["interrupted", "one", "ended"],
        ),
        (
            "cut before the tail",
            None,
            Some(3),
            cut.clone(),
            ["tailLines=3", "sinceSeconds=31"],
            &["gap", "one", "ended"],
        ),
        (
            "cut, a minute",
            minute(),
            None,
            cut.clone(),
            ["sinceSeconds=60", "sinceSeconds=91"],
            &["interrupted", "one", "ended"],
        ),
        ("all", None, None, cut, ["", ""], &["interrupted", "one", "ended"]),
    ] {
        // Looked at when it is named, before and after each opening, and when it has ended.
        let mut pods = vec![runs(0); 6];
        pods.push(Says::Code(404));
        let found = follow(pods, vec![late(first), says(line)], since, tail).await;
        assert_eq!(found, (owned(events), owned(&asked)), "{what}");
    }
    // The next run is wanted from its beginning.
    for (since, tail, beginning) in [(None, Some(0), "tailLines=0"), (minute(), None, "sinceSeconds=60")] {
        let passed = if tail.is_some() { 31 } else { 91 };
        let mut pods = vec![runs(0); 3];
        pods.extend(vec![runs(1); 4]);
        pods.push(Says::Code(404));
        let found = follow(pods, vec![late(says("")), says(""), says(line)], since, tail).await;
        let rest = format!("sinceSeconds={passed}&previous=true");
        assert_eq!(found, (owned(&["restarted", "one", "ended"]), owned(&[beginning, &rest, ""])));
    }
}

#[tokio::test(start_paused = true)]
async fn a_followed_log_goes_on_over_each_failure_that_passes() {
    let (fails, line) = (Says::Fails(Code::Unreachable), "2026-01-31T12:00:00Z one\n");
    let mut pods = vec![runs(0); 5];
    // Of the look before an opening, and of the one after it.
    pods.extend([fails.clone(), runs(0), fails.clone(), runs(0), runs(0), Says::Code(404)]);
    let (events, _) = follow(pods, vec![says(""), fails, says(line), says(line)], None, None).await;
    assert_eq!(events, ["interrupted", "interrupted", "interrupted", "one", "ended"]);
    for code in [400, 404] {
        let mut pods = vec![runs(0); 5];
        pods.push(Says::Code(404));
        let (events, _) = follow(pods, vec![says(""), Says::Code(code)], None, None).await;
        assert_eq!(events, ["ended"], "{code}: the pod has gone");
    }
}

#[tokio::test]
async fn what_is_no_name_leads_nowhere() {
    let table = Table::new([]);
    let command = ["true".to_owned()];
    for (namespace, pod) in
        [("shop", ""), ("shop", "web/proxy"), ("shop", "."), ("shop", ".."), ("", "web"), ("a/b", "web")]
    {
        let (transport, within) = (table.dynamic(), Some(namespace));
        let process = exec(transport.clone(), within, pod, &command, &ProcessOptions::default()).await;
        let forward = Forward::open(transport.clone(), within, pod, 80).await;
        let named = Pods::Named(pod.into());
        let logs = LogStream::open(transport, within, named, LogOptions::default()).await;
        let codes = [process.err(), forward.err(), logs.err()].map(|error| error.map(|error| error.code()));
        assert_eq!(codes, [Some(Code::InvalidRequest); 3], "{namespace}/{pod}");
    }
    let all = Pods::Selected { labels: String::new(), fields: String::new() };
    let logs = LogStream::open(table.dynamic(), Some("a/b"), all, LogOptions::default()).await;
    assert_eq!(logs.err().map(|error| error.code()), Some(Code::InvalidRequest));
    assert_eq!(table.asked(), 0);
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
