//! What every transport must do on every API server, each case with objects of its own making.
//!
//! ```text
//! conformance [--via VIA] [--prefix PREFIX] [--expire-within SECONDS] list | all | CASE…
//! ```
//!
//! `VIA`: `auto` (default), `in-cluster`, `kube-config[=CONTEXT]`, `kubectl-proxy[=URL]`, `kubectl-raw[=CONTEXT]`. One line for each case:
//! `ok CASE`, `skip CASE: why` (only where the transport itself says that it cannot: `client.supports`), `FAIL CASE: why`. Exit code 1
//! if any failed. A line `note expired-…: …` asks whoever runs a real server to compact its history now.

mod custom;
mod expired;
mod raw;
mod read;
mod refused;
mod suite;
mod watch;
mod write;

use std::time::Duration;

use suite::{Case, Stop, Suite};
use tidegate::Client;

const CASES: &[(&str, Case)] = &[
    ("discovery", read::discovery),
    ("get", read::get),
    ("list", read::list),
    ("paged-list", read::paged_list),
    ("list-items", read::list_items),
    ("item-streams", read::item_streams),
    ("label-selectors", read::label_selectors),
    ("field-selectors", read::field_selectors),
    ("metadata", read::metadata),
    ("table", read::table),
    ("cluster-scoped", read::cluster_scoped),
    ("create", write::create),
    ("generate-name", write::generate_name),
    ("update", write::update),
    ("patch-json", write::patch_json),
    ("patch-merge", write::patch_merge),
    ("patch-strategic", write::patch_strategic),
    ("patch-apply", write::patch_apply),
    ("dry-run", write::dry_run),
    ("delete", write::delete),
    ("delete-collection", write::delete_collection),
    ("finalizers", write::finalizers),
    ("scale", write::scale),
    ("watch", watch::in_order),
    ("watch-from", watch::from_a_version),
    ("watch-selected", watch::selected),
    ("bookmarks", watch::bookmarks),
    ("streaming-list", watch::streaming_list),
    ("watch-deadline", watch::deadline),
    ("not-found", refused::not_found),
    ("already-exists", refused::already_exists),
    ("conflict", refused::conflict),
    ("invalid", refused::invalid),
    ("unsupported-media-type", refused::unsupported_media_type),
    ("bad-requests", refused::before_anything_is_sent),
    ("custom-resource", custom::custom_resource),
    ("bytes", raw::bytes),
    ("lines", raw::lines),
    ("json-lines", raw::json_lines),
    ("in-flight", raw::in_flight),
    ("drop-cancels", raw::drop_cancels),
    ("stream-body", raw::stream_body),
    ("stream-body-dropped", raw::stream_body_dropped),
    ("head", raw::head),
    ("options", raw::options),
    ("warnings", raw::warnings),
    ("expired-watch", expired::watch),
    ("expired-list", expired::list),
];

fn main() -> tidegate::Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1)).unwrap_or_else(|why| {
        eprintln!("conformance: {why}");
        tidegate::exit(2);
    });
    if arguments.cases == ["list"] {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let suite = Suite {
        client: connect(&arguments.via)?,
        prefix: arguments.prefix,
        expire_within: arguments.expire_within,
    };
    println!("via {}", suite.client.kind());
    let mut failed = 0;
    for (name, case) in CASES {
        if !arguments.cases.iter().any(|wanted| wanted == "all" || wanted == name) {
            continue;
        }
        match case(&suite) {
            Ok(()) => println!("ok {name}"),
            Err(Stop::Skip(why)) => println!("skip {name}: {why}"),
            Err(Stop::Fail(why)) => {
                failed += 1;
                println!("FAIL {name}: {}", why.replace('\n', " | "));
            }
        }
    }
    if failed > 0 {
        tidegate::exit(1);
    }
    Ok(())
}

fn connect(via: &str) -> tidegate::Result<Client> {
    let (via, value) = match via.split_once('=') {
        Some((via, value)) => (via, Some(value)),
        None => (via, None),
    };
    match via {
        "auto" => tidegate::auto_detect_client(),
        "in-cluster" => Client::in_cluster(),
        "kube-config" => Client::read_kube_config(None, value),
        "kubectl-proxy" => Client::kubectl_proxy(value),
        "kubectl-raw" => Client::kubectl_raw(value),
        _ => Err(tidegate::Error::other(format!(
            "--via {via}: auto, in-cluster, kube-config, kubectl-proxy or kubectl-raw"
        ))),
    }
}

struct Arguments {
    via: String,
    prefix: String,
    expire_within: Duration,
    cases: Vec<String>,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            via: "auto".to_owned(),
            prefix: "conformance".to_owned(),
            expire_within: Duration::from_secs(60),
            cases: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--via" => parsed.via = value()?,
                "--prefix" => parsed.prefix = value()?,
                "--expire-within" => {
                    let seconds = value()?.parse().map_err(|_| "--expire-within: a number of seconds")?;
                    parsed.expire_within = Duration::from_secs(seconds);
                }
                case if case == "all" || case == "list" || CASES.iter().any(|(name, _)| *name == case) => {
                    parsed.cases.push(argument);
                }
                _ => return Err(format!("no case {argument}; `conformance list` prints all")),
            }
        }
        if parsed.cases.is_empty() {
            return Err("which cases? `all`, or names that `conformance list` prints".to_owned());
        }
        Ok(parsed)
    }
}
