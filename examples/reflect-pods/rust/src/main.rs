//! Keeps pods as the server has them, says what becomes of them, and at the end how many there are in each phase.
//!
//! However many guests do this over one connection, the host keeps the pods once and has one watch.
//!
//! ```text
//! tidegate run --allow-env=KUBECONFIG,HOME --allow-read=$HOME/.kube/config --allow-net=HOST:PORT reflect-pods.wasm -- \
//!     [NAMESPACE | -A] [--connection NAME] [--labels SELECTOR] [--phase PHASE] [--seconds N]
//! ```

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use serde::Deserialize;
use tidegate::{Client, ReflectorParams, Result, Update, connections};

const USAGE: &str = "usage: reflect-pods [NAMESPACE | -A] [--connection NAME] [--labels SELECTOR] [--phase PHASE] [--seconds N]

  --connection NAME   a connection that tidegate was given by name; detected unless set
  --labels SELECTOR   the pods that the server selects
  --phase PHASE       show pods of this phase alone: those that leave it go, those that come to it come
  --seconds N         end after N seconds; never unless set";

/// What the host is asked to keep of a pod.
const MASK: [&str; 4] = ["metadata.name", "metadata.namespace", "status.phase", "spec.nodeName"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    phase: String,
}

#[derive(Default)]
struct Options {
    namespace: Option<String>,
    connection: Option<String>,
    labels: Option<String>,
    phase: Option<String>,
    seconds: Option<u64>,
}

fn main() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1)).unwrap_or_else(|why| {
        eprintln!("{why}\n{USAGE}");
        tidegate::exit(2);
    });
    let client = match &options.connection {
        Some(name) => connections::open(name)?,
        None => tidegate::auto_detect_client()?,
    };
    let mut reflector = client.reflector::<Pod>(&options.path(&client), &options.params())?;
    let deadline = options.seconds.map(|seconds| tidegate::after(Duration::from_secs(seconds)));
    let news = reflector.subscribe();
    let waits: Vec<_> = [&news].into_iter().chain(&deadline).collect();
    while !deadline.as_ref().is_some_and(|deadline| deadline.ready()) {
        match reflector.try_next() {
            Poll::Ready(Some(update)) => print(&update?),
            Poll::Ready(None) => break,
            Poll::Pending => drop(tidegate::poll(&waits)),
        }
    }
    let mut phases: BTreeMap<String, u64> = BTreeMap::new();
    for pod in reflector.store().iter()? {
        *phases.entry(pod?.status.phase).or_default() += 1;
    }
    for (phase, pods) in phases {
        println!("{phase:<10} {pods}");
    }
    Ok(())
}

fn print(update: &Update<Pod>) {
    match update {
        Update::Failed(error) => eprintln!("FAILED    {error}"),
        other => match other.object() {
            None => println!("{}", other.change()),
            Some(Pod { metadata: Metadata { namespace, name }, spec, status }) => {
                let (phase, node) = (or_dash(&status.phase), or_dash(&spec.node_name));
                println!("{:<9} {namespace}/{name} {phase} {node}", other.change());
            }
        },
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options { namespace: Some(String::new()), ..Options::default() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "-A" | "--all" => options.namespace = None,
                "--connection" => options.connection = Some(value()?),
                "--labels" => options.labels = Some(value()?),
                "--phase" => options.phase = Some(value()?),
                "--seconds" => {
                    let value = value()?;
                    let seconds = value.parse().map_err(|_| format!("--seconds: {value} is not a number"))?;
                    options.seconds = Some(seconds);
                }
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
                _ => options.namespace = Some(argument),
            }
        }
        Ok(options)
    }

    fn path(&self, client: &Client) -> String {
        match self.namespace.as_deref() {
            None => "/api/v1/pods".to_owned(),
            Some("") => format!("/api/v1/namespaces/{}/pods", client.default_namespace()),
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/pods"),
        }
    }

    fn params(&self) -> ReflectorParams {
        let params = ReflectorParams::default().mask(MASK);
        let params = match &self.labels {
            Some(selector) => params.labels(selector),
            None => params,
        };
        match &self.phase {
            Some(phase) => params.field_filter(format!("status.phase={phase}")),
            None => params,
        }
    }
}
