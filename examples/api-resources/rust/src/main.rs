//! What a server has, and objects of any kind: `kubectl api-resources` and `kubectl get`, in one script.
//!
//! ```text
//! tidegate run --allow-env=KUBECONFIG,HOME --allow-read=$HOME/.kube/config --allow-net=HOST:PORT api-resources.wasm -- [COMMAND]
//!
//! (nothing)                    every resource: name, short names, version, whether it is in namespaces, kind
//! explain NAME                 what a name means
//! get NAME [-n NAMESPACE | -A] [-l SELECTOR]   objects of it, one a line
//! ```

use tidegate::discovery::{self, Kind, Scope};
use tidegate::prelude::*;

const USAGE: &str = "usage: api-resources [explain NAME | get NAME [-n NAMESPACE | -A] [-l SELECTOR]]";

fn main() -> tidegate::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let client = tidegate::auto_detect_client()?;
    match arguments.as_slice() {
        [] => resources(&client),
        ["explain", name] => explain(&discovery::lookup(&client, name)?),
        ["get", name, rest @ ..] => get(&client, name, rest),
        _ => usage(),
    }
}

fn resources(client: &Client) -> tidegate::Result<()> {
    let mut rows = vec![["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"].map(str::to_owned)];
    for kind in discovery::resources(client)? {
        let namespaced = kind.scope == Scope::Namespaced;
        let short = kind.short_names.join(",");
        rows.push([kind.plural.clone(), short, kind.api_version(), namespaced.to_string(), kind.kind]);
    }
    print(&rows);
    for gap in discovery::gaps(client)? {
        eprintln!("not described: {} {} ({})", gap.group, gap.version, gap.why);
    }
    Ok(())
}

fn explain(kind: &Kind) -> tidegate::Result<()> {
    println!("{kind}: {} {}, {}", kind.api_version(), kind.kind, kind.verbs.join(" "));
    for below in &kind.subresources {
        println!("{kind}/{}: {}, {}", below.name, below.kind, below.verbs.join(" "));
    }
    Ok(())
}

fn get(client: &Client, name: &str, options: &[&str]) -> tidegate::Result<()> {
    let kind = discovery::lookup(client, name)?;
    let mut namespace = Some(client.default_namespace());
    let mut selected = ListParams::default();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "-A" => namespace = None,
            "-n" => namespace = options.next().copied().or_else(usage),
            "-l" => selected = selected.labels(options.next().copied().unwrap_or_else(usage)),
            _ => usage(),
        }
    }
    let objects = kind.api(client, namespace);
    let mut rows = vec![["NAMESPACE", "NAME", "CREATED"].map(str::to_owned)];
    for object in objects.iter(&selected) {
        let object = object?;
        let created = object.creation_timestamp().map(|time| time.0.to_string()).unwrap_or_default();
        rows.push([object.namespace().unwrap_or_default(), object.name_any(), created]);
    }
    match rows.len() {
        1 => println!("No {kind} in {}.", namespace.unwrap_or("any namespace")),
        _ => print(&rows),
    }
    Ok(())
}

fn print<const N: usize>(rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    for row in rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}   ")).collect();
        println!("{}", line.trim_end());
    }
}

fn usage<T>() -> T {
    eprintln!("{USAGE}");
    tidegate::exit(2)
}
