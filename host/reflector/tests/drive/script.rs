//! A server that answers request after request as a script says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tidegate_kube::request::Request;
use tidegate_kube::status::from_response;
use tidegate_transport::{
    Body, BodyReader, Code, CredentialReport, Error, Kind, Response, Support, Transport,
};
use tokio::time::{Instant, sleep};

/// What the server does, once it was asked.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Sends these bytes of a body.
    Say(String),
    /// Waits for so many seconds; before anything else, the head waits too.
    Wait(u64),
    /// Breaks off.
    Cut,
    /// Says nothing more, and keeps the connection.
    Stall,
    /// Answers with this code and body; the first act of an answer.
    Refuse(u16, String),
    /// Cannot be reached; the first act of an answer.
    Fail(Code),
}

/// The answers to come, and the log of what was asked and told. What is asked behind the last answer waits for ever.
#[derive(Debug, Clone)]
pub(crate) struct Script(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    answers: Mutex<VecDeque<Vec<Act>>>,
    log: Mutex<Vec<String>>,
    asked: Mutex<Vec<Instant>>,
    open: AtomicUsize,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<Act>>) -> Script {
        Script(Arc::new(Shared {
            answers: Mutex::new(answers.into_iter().collect()),
            log: Mutex::default(),
            asked: Mutex::default(),
            open: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Server(self.clone()))
    }

    pub(crate) fn log(&self, line: String) {
        self.0.log.lock().unwrap().push(line);
    }

    pub(crate) fn logged(&self) -> Vec<String> {
        self.0.log.lock().unwrap().clone()
    }

    /// How long it was between one request and the next.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let asked = self.0.asked.lock().unwrap();
        asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// How many bodies are being read or could be.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }
}

struct Server(Script);

impl Transport for Server {
    fn kind(&self) -> Kind {
        Kind::InCluster
    }

    fn default_namespace(&self) -> Option<&str> {
        None
    }

    fn support(&self) -> Support {
        Support::EVERYTHING
    }

    fn server(&self) -> String {
        "the script".to_owned()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        Vec::new()
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        _: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        Box::pin(async move {
            let shared = self.0.0.clone();
            self.0.log(line(&request));
            shared.asked.lock().unwrap().push(Instant::now());
            let next = shared.answers.lock().unwrap().pop_front();
            let Some(mut acts) = next.map(VecDeque::from) else { return std::future::pending().await };
            loop {
                match acts.front() {
                    Some(Act::Wait(seconds)) => sleep(Duration::from_secs(*seconds)).await,
                    Some(Act::Refuse(code, body)) => {
                        return Err(Error::from_status(from_response(*code, None, body.as_bytes())));
                    }
                    Some(Act::Fail(code)) => return Err(Error::new(*code, "x")),
                    _ => break,
                }
                acts.pop_front();
            }
            Ok(Response { code: 200, content_type: None, warnings: Vec::new(), body: body(shared, acts) })
        })
    }
}

fn body(shared: Arc<Shared>, acts: VecDeque<Act>) -> Body {
    struct Open(Arc<Shared>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.open.fetch_sub(1, Ordering::SeqCst);
        }
    }
    shared.open.fetch_add(1, Ordering::SeqCst);
    let chunks = stream::unfold((acts, Open(shared)), |(mut acts, open)| async move {
        loop {
            let chunk = match acts.pop_front()? {
                Act::Say(text) => Ok(Bytes::from(text)),
                Act::Wait(seconds) => {
                    sleep(Duration::from_secs(seconds)).await;
                    continue;
                }
                Act::Cut => Err(Error::new(Code::Protocol, "the body was cut short")),
                Act::Stall => std::future::pending().await,
                act => panic!("{act:?} within a body"),
            };
            return Some((chunk, (acts, open)));
        }
    });
    Body::from_bytes(Bytes::new()).wrap(|_| chunks)
}

/// The request in a few words.
fn line(request: &Request) -> String {
    let value = |name: &str| request.query.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str());
    let mut line = match (value("watch"), value("sendInitialEvents"), value("limit")) {
        (Some(_), Some(_), _) => "WATCH LIST".to_owned(),
        (Some(_), None, _) => {
            let seconds: u64 =
                value("timeoutSeconds").expect("an end to the watch").parse().expect("seconds");
            assert!((100..200).contains(&seconds), "{seconds}");
            assert_eq!(value("allowWatchBookmarks"), Some("true"));
            format!("WATCH {}", value("resourceVersion").unwrap_or("from nothing"))
        }
        (None, _, Some("1")) => "PROBE".to_owned(),
        (None, _, Some(limit)) => format!("LIST {limit}"),
        (None, _, None) => "LIST WHOLE".to_owned(),
    };
    let more = [("continue", "at"), ("labelSelector", "-l"), ("fieldSelector", "-f")];
    for (name, word) in more {
        if let Some(value) = value(name) {
            line += &format!(" {word} {value}");
        }
    }
    if request.accept.as_deref().is_some_and(|accept| accept.contains("PartialObjectMetadata")) {
        line += " METADATA";
    }
    line
}

/// A list of these objects.
pub(crate) fn list(version: &str, names: &[&str]) -> String {
    page(version, "", names)
}

/// A page, and the token of the next.
pub(crate) fn page(version: &str, token: &str, names: &[&str]) -> String {
    let items: Vec<String> = names.iter().map(|name| object(name, version)).collect();
    format!(
        r#"{{"kind":"PodList","metadata":{{"resourceVersion":"{version}","continue":"{token}"}},"items":[{}]}}"#,
        items.join(",")
    )
}

/// A line of a watch.
pub(crate) fn event(ty: &str, name: &str, version: &str) -> String {
    format!("{{\"type\":\"{ty}\",\"object\":{}}}\n", object(name, version))
}

/// An ERROR event.
pub(crate) fn error(code: u16, reason: &str) -> String {
    format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", status(code, reason))
}

/// A `Status`.
pub(crate) fn status(code: u16, reason: &str) -> String {
    format!(r#"{{"kind":"Status","status":"Failure","reason":"{reason}","message":"said so","code":{code}}}"#)
}

fn object(name: &str, version: &str) -> String {
    format!(
        r#"{{"kind":"Pod","metadata":{{"name":"{name}","resourceVersion":"{version}","labels":{{"app":"{name}"}}}},"spec":{{}}}}"#
    )
}
