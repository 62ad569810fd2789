//! Logs against a model of a node: whatever is cut and started again, each line comes once.

mod peer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use peer::{Says, Table};
use serde_json::json;
use tidegate_api::logs::{Containers, LogOptions, LogStream, MAX_PODS, PartEvent, Pods, Since};
use tidegate_kube::date;
use tidegate_kube::request::Request;
use tidegate_kube::status::Status;
use tidegate_transport::{
    Body, BodyReader, Code, CredentialReport, Error, Kind, Response, Support, Transport,
};

/// A pod `web` with one container whose log grows, is cut and begins anew, by a seed.
struct Node(Mutex<World>);

struct World {
    dice: u64,
    /// The lines of each run, with their times in milliseconds.
    runs: Vec<Vec<(u64, String)>>,
    now: u64,
    /// How many lines there will be.
    most: usize,
    state: &'static str,
}

impl World {
    fn below(&mut self, below: u64) -> u64 {
        // Knuth's MMIX.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }

    /// Time passes.
    fn step(&mut self) {
        for _ in 0..self.below(4) {
            let written: usize = self.runs.iter().map(Vec::len).sum();
            if written == self.most {
                self.state = "terminated";
                return;
            }
            // Several at one time, some equal, some late.
            self.now += [0, 0, 1, 700, 5000][self.below(5) as usize];
            let late = if self.below(6) == 0 { self.below(1500) } else { 0 };
            let text = format!("line {}", if self.below(8) == 0 { 0 } else { written });
            let time = self.now.saturating_sub(late);
            if let Some(run) = self.runs.last_mut() {
                // No later run begins before the one before has ended.
                run.push((time, text));
            }
            if self.below(40) == 0 {
                self.now += 3000;
                self.runs.push(Vec::new());
            }
        }
    }

    fn pod(&self) -> String {
        let (restarts, over) = (self.runs.len() - 1, self.state == "terminated");
        let state = if over { json!({ "terminated": { "exitCode": 0 } }) } else { json!({ "running": {} }) };
        json!({
            "metadata": { "name": "web", "namespace": "shop", "uid": "u" },
            "spec": { "restartPolicy": "OnFailure", "containers": [{ "name": "c" }] },
            "status": { "phase": "Running", "containerStatuses": [{ "name": "c", "restartCount": restarts, "state": state }] },
        })
        .to_string()
    }

    /// The log as it is, from `since` on; cut somewhere, or ended.
    fn log(&mut self, request: &Request) -> Result<Vec<Result<Bytes, Error>>, Error> {
        let value = |name: &str| request.query.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone());
        let back = usize::from(value("previous").is_some());
        let Some(run) = self.runs.len().checked_sub(1 + back) else { return Err(status(400)) };
        let since = value("sinceTime").map(|since| date::parse(&since).unwrap());
        let mut text = String::new();
        for (time, line) in &self.runs[run] {
            let at = std::time::UNIX_EPOCH + Duration::from_millis(*time);
            if since.is_none_or(|since| at >= since) {
                let whole = date::format(at);
                text += &format!("{}.{:03}000000Z {line}\n", whole.trim_end_matches('Z'), time % 1000);
            }
        }
        let (cut, end) = (self.below(3), self.below(text.len() as u64 + 1) as usize);
        // A log that is not followed is whole, or says that it is not.
        let followed = value("follow").is_some();
        Ok(match cut {
            0 if followed => vec![Ok(text[..end].to_owned().into())],
            1 => vec![
                Ok(text[..end].to_owned().into()),
                Err(Error::new(Code::Protocol, "the body was cut short")),
            ],
            _ => vec![Ok(text.into())],
        })
    }
}

fn status(code: u16) -> Error {
    let (reason, message) = (format!("Code{code}"), "the model says so".to_owned());
    Error::from_status(Status { code, reason, message, details: None, continue_token: None })
}

impl Transport for Node {
    fn kind(&self) -> Kind {
        Kind::KubectlProxy
    }

    fn default_namespace(&self) -> Option<&str> {
        Some("shop")
    }

    fn support(&self) -> Support {
        Support::EVERYTHING
    }

    fn server(&self) -> String {
        "model".to_owned()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        Vec::new()
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        _: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        let mut world = self.0.lock().unwrap();
        let chunks = match request.path.as_str() {
            "/api/v1/namespaces/shop/pods/web/log" => world.log(&request),
            "/api/v1/namespaces/shop/pods/web" => Ok(vec![Ok(world.pod().into())]),
            other => panic!("{other}"),
        };
        world.step();
        let answer = chunks.map(|chunks| {
            let body = Body::from_bytes(Bytes::new()).wrap(|_| stream::iter(chunks));
            Response { code: 200, content_type: None, warnings: Vec::new(), body }
        });
        async move { answer }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn each_line_comes_once_over_cuts_and_restarts() {
    let mut whole = 0;
    for seed in 0..400 {
        let world = World { dice: seed, runs: vec![Vec::new()], now: 1_000_000, most: 60, state: "running" };
        let node = Arc::new(Node(Mutex::new(world)));
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let mut logs = LogStream::open(node.clone(), None, Pods::Named("web".into()), options).await.unwrap();
        let (mut lines, mut gap) = (Vec::new(), false);
        while let Some(part) = logs.next().await.unwrap() {
            match part.event {
                PartEvent::Lines(more) => {
                    lines.extend(more.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()));
                }
                PartEvent::Gap(_) => gap = true,
                _ => {}
            }
        }
        let world = node.0.lock().unwrap();
        let written: Vec<&String> = world.runs.iter().flatten().map(|(_, line)| line).collect();
        if !gap {
            // It began with the run that was there when the first log was opened.
            let from = |run: usize| world.runs[run..].iter().flatten().map(|(_, line)| line);
            let all = (0..world.runs.len()).any(|run| lines.iter().eq(from(run)));
            assert!(all, "seed {seed}: {lines:?} of {:?}", world.runs);
            whole += 1;
        }
        // Where runs were missed, what came is in order, and nothing came twice.
        let mut rest = written.iter();
        assert!(lines.iter().all(|line| rest.any(|written| *written == line)), "seed {seed}: {lines:?}");
    }
    assert!(whole > 50, "{whole} of 400 without a gap");
}

fn options(text: &str) -> LogOptions {
    let has = |word: &str| text.split(' ').any(|one| one == word);
    LogOptions {
        containers: if has("all") { Containers::All } else { Containers::Default },
        previous: has("previous"),
        follow: has("follow"),
        since: has("since").then_some(Since::Ago(Duration::from_millis(1))),
        tail: has("tail").then_some(3),
        limit_bytes: has("limit").then_some(7),
        timestamps: has("timestamps"),
        at_once: None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_the_server() {
    let pod = r#"{"metadata":{"name":"web","namespace":"shop","uid":"u"},"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#;
    for (words, queries) in [
        ("", &["container=a"][..]),
        ("all", &["container=a", "container=b"]),
        (
            "previous since tail timestamps limit",
            &["container=a&sinceSeconds=1&tailLines=3&previous=true&timestamps=true&limitBytes=7"],
        ),
    ] {
        let path = "/api/v1/namespaces/shop/pods/web";
        let table = Table::new([
            (path, Says::Text("application/json", pod.into())),
            ("/api/v1/namespaces/shop/pods/web/log", Says::Text("text/plain", "one\r\ntwo\nthree".into())),
        ]);
        let pods = Pods::Named("web".into());
        let mut logs = LogStream::open(table.dynamic(), Some("shop"), pods, options(words)).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let batch = logs.batch().await.unwrap();
            if batch.is_empty() {
                break;
            }
            for part in batch {
                if let PartEvent::Lines(lines) = part.event {
                    seen.extend(lines.into_iter().map(|line| (part.place.container.clone(), line)));
                }
            }
        }
        let log: Vec<String> = table.log();
        let asked: Vec<String> = queries.iter().map(|query| format!("GET {path}/log?{query}")).collect();
        assert_eq!(log[1..], asked, "{words}");
        let lines: Vec<&[u8]> = seen.iter().map(|(_, line)| line.as_ref()).collect();
        assert_eq!(lines, [&b"one"[..], b"two", b"three"].repeat(queries.len()), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let table = Table::new([]);
    for words in ["follow previous", "follow limit"] {
        let refused = LogStream::open(table.dynamic(), None, Pods::Named("web".into()), options(words)).await;
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::InvalidRequest), "{words}");
    }
    let since = LogOptions { since: Some(Since::Time("yesterday".into())), ..LogOptions::default() };
    let refused = LogStream::open(table.dynamic(), None, Pods::Named("web".into()), since).await;
    assert_eq!(refused.err().map(|error| error.code()), Some(Code::InvalidRequest));
    assert_eq!(table.asked(), 0);
    let missing =
        LogStream::open(table.dynamic(), None, Pods::Named("web".into()), LogOptions::default()).await;
    assert_eq!(missing.err().and_then(|error| error.status().map(|status| status.code)), Some(404));
}

const POD: &str = r#"{"metadata":{"name":"web","namespace":"shop","uid":"u"},"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#;

#[tokio::test(start_paused = true)]
async fn what_ends_a_log_before_its_time() {
    let path = "/api/v1/namespaces/shop/pods/web";
    let (log, json) = ("/api/v1/namespaces/shop/pods/web/log", "application/json");
    let long = format!("fine\n{}\n", "x".repeat((16 << 20) + 1));
    let open = async |pod: Says, says: Says, words: &str| {
        let table = Table::new([(path, pod), (log, says)]);
        LogStream::open(table.dynamic(), Some("shop"), Pods::Named("web".into()), options(words)).await
    };
    for pod in ["", "[]", "{\"spec\":7}", "nonsense"] {
        let refused = open(Says::Text(json, pod.into()), Says::Code(500), "").await;
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::Protocol), "{pod}");
    }
    for (says, code) in [
        (Says::Code(403), Code::Status),
        (Says::Code(500), Code::Status),
        (Says::Text("text/plain", long), Code::TooLarge),
    ] {
        // Of one container it is the stream's own error, after what came before it.
        let mut logs = open(Says::Text(json, POD.into()), says.clone(), "").await.unwrap();
        let error = loop {
            match logs.next().await {
                Ok(part) => assert!(matches!(part.unwrap().event, PartEvent::Lines(_))),
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), code);
        assert!(logs.next().await.unwrap().is_none(), "and then the end");
        // Of several it is a part, and the others go on.
        let mut logs = open(Says::Text(json, POD.into()), says, "all").await.unwrap();
        let mut failed = Vec::new();
        while let Some(part) = logs.next().await.unwrap() {
            if let PartEvent::Failed(error) = part.event {
                failed.push((part.place.container.clone(), error.code()));
            }
        }
        assert_eq!(failed, [("a".to_owned(), code), ("b".to_owned(), code)]);
    }
}

const PODS: &str = "/api/v1/namespaces/shop/pods";

/// Pods of these names, each with one container, and the token of the next page.
fn list<'a>(pods: impl IntoIterator<Item = (&'a str, &'a str)>, next: &str) -> Says {
    let pods = pods.into_iter().map(|(name, container)| {
        json!({ "metadata": { "name": name, "namespace": "shop", "uid": name }, "spec": { "containers": [{ "name": container }] } })
    });
    let items: Vec<_> = pods.collect();
    Says::Text("application/json", json!({ "metadata": { "continue": next }, "items": items }).to_string())
}

async fn select(answers: Vec<(&'static str, Says)>, options: LogOptions) -> Result<LogStream, Error> {
    let all = Pods::Selected { labels: String::new(), fields: String::new() };
    LogStream::open(Table::new(answers).dynamic(), Some("shop"), all, options).await
}

#[tokio::test(start_paused = true)]
async fn selected_pods_that_lack_the_container_are_left_out() {
    let named = |name: &str, follow| LogOptions {
        containers: Containers::Named(name.to_owned()),
        follow,
        ..LogOptions::default()
    };
    let pods = list([("one", "a"), ("two", "b")], "");
    let log = ("/api/v1/namespaces/shop/pods/two/log", Says::Text("text/plain", "hello\n".into()));
    let mut logs = select(vec![(PODS, pods.clone()), log], named("b", false)).await.unwrap();
    let first = logs.next().await.unwrap().unwrap();
    assert!(first.place.pod == "two" && matches!(first.event, PartEvent::Lines(_)), "{first:?}");
    let refused = select(vec![(PODS, pods.clone())], named("c", false)).await.err().unwrap();
    assert_eq!(refused.code(), Code::InvalidRequest);
    // One that has it may come.
    assert!(select(vec![(PODS, pods)], named("c", true)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_says_its_cap() {
    let names: Vec<String> = (0..=MAX_PODS).map(|number| format!("p{number}")).collect();
    let many = list(names.iter().map(|name| (name.as_str(), "c")), "");
    let endless = (0..1001).map(|page| list([], &format!("page {page}"))).collect();
    for (what, answer, cap) in [("pods", many, "16384"), ("pages", Says::InTurn(endless), "1000")] {
        let refused = select(vec![(PODS, answer)], LogOptions::default()).await.err().unwrap();
        assert!(refused.code() == Code::TooLarge && refused.to_string().contains(cap), "{what}: {refused}");
    }
    // However many are wished for, 1024 are followed.
    let pods = list(names[..1030].iter().map(|name| (name.as_str(), "c")), "");
    let wish = LogOptions { follow: true, at_once: Some(usize::MAX), ..LogOptions::default() };
    let mut logs = select(vec![(PODS, pods)], wish).await.unwrap();
    for name in &names[1024..1030] {
        let part = logs.next().await.unwrap().unwrap();
        assert_eq!(part.place.pod, *name);
        assert!(matches!(&part.event, PartEvent::Queued(text) if text.contains("1024")), "{part:?}");
    }
}
