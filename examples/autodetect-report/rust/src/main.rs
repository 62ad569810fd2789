//! Says which transport auto-detection finds, why those before it did not work, and what this guest may ask of its host.
//!
//! ```text
//! tidegate run autodetect-report.wasm
//! ```
//!
//! Without grants it names, for each transport, the flags to add. It takes permissions to look at as arguments: `net:HOST:PORT`,
//! `read:PATH`, `env:NAME`, `run:PROGRAM`.

use tidegate::permissions::{self, Kind, State};
use tidegate::{Client, Failure};

/// What the four transports need most often.
const USUAL: [&str; 6] = [
    "env:KUBECONFIG",
    "env:HOME",
    "read:/var/run/secrets/kubernetes.io/serviceaccount",
    "net:kubernetes.default.svc:443",
    "net:localhost:8001",
    "run:kubectl",
];

fn main() -> tidegate::Result<()> {
    let mut asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.is_empty() {
        asked = USUAL.map(str::to_owned).to_vec();
    }
    println!("permissions");
    for permission in &asked {
        println!("  {:<8} {permission}", state(permission)?);
    }

    let detected = tidegate::auto_detect_client();
    let failures = match &detected {
        Ok(client) => client.failures(),
        Err(error) => error.failures(),
    };
    println!("transports");
    for failure in failures {
        failed(failure);
    }
    let client = detected?;
    found(&client)
}

fn state(permission: &str) -> tidegate::Result<&'static str> {
    let (kind, value) = permission.split_once(':').unwrap_or((permission, ""));
    let kind = match kind {
        "net" => Kind::Net,
        "read" => Kind::Read,
        "write" => Kind::Write,
        "env" => Kind::Env,
        "run" => Kind::Run,
        _ => {
            return Err(tidegate::Error::other(format!(
                "{permission}: net, read, write, env or run, a colon, and what"
            )));
        }
    };
    Ok(match permissions::query(kind, Some(value).filter(|value| !value.is_empty())) {
        State::Granted => "granted",
        State::Prompt => "prompt",
        _ => "denied",
    })
}

fn failed(failure: &Failure) {
    println!("  {:<12} {}: {}", failure.transport, failure.reason, failure.detail);
    for flag in &failure.missing {
        println!("  {:<12} add {flag}", "");
    }
}

fn found(client: &Client) -> tidegate::Result<()> {
    println!("  {:<12} works", client.kind());
    println!("namespace\n  {}", client.default_namespace());
    let features = ["accept", "content-type", "head", "options", "stream-body", "status-details", "warnings"];
    let (can, cannot): (Vec<&str>, Vec<&str>) =
        features.into_iter().partition(|feature| client.supports(feature));
    println!("supports\n  {}", can.join(", "));
    if !cannot.is_empty() {
        println!("does not support\n  {}", cannot.join(", "));
    }
    Ok(())
}
