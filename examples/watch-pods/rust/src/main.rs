//! Lists pods, then prints what happens to them as it happens.
//!
//! ```text
//! tidegate run --allow-env=KUBECONFIG,HOME --allow-read=$HOME/.kube/config --allow-net=HOST:PORT watch-pods.wasm -- \
//!     [NAMESPACE | -A] [--count N] [--seconds N]
//! ```

use std::task::Poll;
use std::time::Duration;

use tidegate::k8s_openapi::api::core::v1::Pod;
use tidegate::prelude::*;
use tidegate::watcher::{Config, Event, Watcher, watcher};
use tidegate::{Error, Pollable};

const USAGE: &str = "usage: watch-pods [NAMESPACE | -A | --all] [--count N] [--seconds N]

  --count N     end after N lines
  --seconds N   end after N seconds";

fn main() -> tidegate::Result<()> {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|why| {
        eprintln!("{why}\n{USAGE}");
        tidegate::exit(2);
    });
    let client = tidegate::auto_detect_client()?;
    let pods = match &options.scope {
        Scope::Default => Api::default_namespaced(client),
        Scope::All => Api::all(client),
        Scope::Namespace(namespace) => Api::namespaced(client, namespace),
    };
    let mut printer = Printer { left: options.count };
    let deadline = options.seconds.map(|seconds| tidegate::after(Duration::from_secs(seconds)));
    let fields = ["metadata.namespace", "metadata.name", "spec.nodeName", "status.phase"];
    follow(watcher(pods, Config::default().mask(fields))?, &mut printer, deadline.as_ref())
}

/// Prints what is told until the printer or the deadline says that it is enough. Whatever goes wrong in between is said, and got over.
fn follow(
    mut pods: Watcher<Pod>,
    printer: &mut Printer,
    deadline: Option<&Pollable>,
) -> tidegate::Result<()> {
    let ready = pods.subscribe();
    let mut unsaid: Option<Error> = None;
    loop {
        let event = match pods.try_next() {
            Poll::Ready(Some(event)) => event,
            // Only what this side refuses is the end.
            Poll::Ready(None) => return unsaid.map_or(Ok(()), Err),
            Poll::Pending => {
                if let Some(error) = unsaid.take() {
                    eprintln!("{error}");
                }
                tidegate::poll(&[&ready].into_iter().chain(deadline).collect::<Vec<_>>());
                if deadline.is_some_and(Pollable::ready) {
                    return Ok(());
                }
                continue;
            }
        };
        let (word, pod) = match event {
            Ok(Event::InitApply(pod)) => ("LISTED", pod),
            Ok(Event::Apply(pod)) => ("APPLIED", pod),
            Ok(Event::Delete(pod)) => ("DELETED", pod),
            Ok(Event::Init | Event::InitDone) => continue,
            Err(error) => {
                unsaid = Some(error);
                continue;
            }
        };
        if printer.line(word, &pod).is_done() {
            return Ok(());
        }
    }
}

/// Prints a line for each event, and knows when there were enough.
struct Printer {
    left: Option<u64>,
}

enum Progress {
    More,
    Done,
}

impl Progress {
    fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

impl Printer {
    fn line(&mut self, word: &str, pod: &Pod) -> Progress {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("-");
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("-");
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        println!("{word:<8} {namespace}/{name} {phase} {node}");
        match &mut self.left {
            None => Progress::More,
            Some(left) => {
                *left = left.saturating_sub(1);
                if *left == 0 { Progress::Done } else { Progress::More }
            }
        }
    }
}

struct Options {
    scope: Scope,
    count: Option<u64>,
    seconds: Option<u64>,
}

enum Scope {
    Default,
    All,
    Namespace(String),
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { scope: Scope::Default, count: None, seconds: None };
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().ok_or(format!("{argument} needs a number"))?;
                value.parse::<u64>().map(Some).map_err(|_| format!("{argument}: {value} is not a number"))
            };
            match argument.as_str() {
                "-A" | "--all" => options.scope = Scope::All,
                "--count" => options.count = number()?,
                "--seconds" => options.seconds = number()?,
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
                _ => options.scope = Scope::Namespace(argument),
            }
        }
        Ok(options)
    }
}
