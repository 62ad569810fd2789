//! Lists pods through the first transport that works, page by page.
//!
//! ```text
//! tidegate run --allow-env=KUBECONFIG,HOME --allow-read=$HOME/.kube/config --allow-net=HOST:PORT list-pods.wasm -- [NAMESPACE | -A]
//! ```

use tidegate::k8s_openapi::api::core::v1::Pod;
use tidegate::prelude::*;

const USAGE: &str = "usage: list-pods [NAMESPACE | -A | --all]";

fn main() -> tidegate::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();

    let client = tidegate::auto_detect_client()?;
    let pods: Api<Pod> = match arguments[..] {
        [] => Api::default_namespaced(client),
        ["-A" | "--all"] => Api::all(client),
        [namespace] if !namespace.starts_with('-') => Api::namespaced(client, namespace),
        _ => {
            eprintln!("{USAGE}");
            tidegate::exit(2);
        }
    };

    let mut found = 0;
    for page in pods.pages(&ListParams::default()) {
        let rows: Vec<[String; 5]> = page?.items.iter().map(row).collect();
        print(&rows, found == 0);
        found += rows.len();
    }
    if found == 0 {
        println!("No pods in {}.", pods.namespace().unwrap_or("any namespace"));
    }
    Ok(())
}

fn row(pod: &Pod) -> [String; 5] {
    let statuses =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let wanted = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    let ready = statuses.iter().filter(|container| container.ready).count();
    let restarts: i32 = statuses.iter().map(|container| container.restart_count).sum();
    [
        pod.namespace().unwrap_or_default(),
        pod.name_any(),
        format!("{ready}/{wanted}"),
        state(pod),
        restarts.to_string(),
    ]
}

/// What kubectl shows as STATUS: why a container waits says more than the phase does.
fn state(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let Some(status) = &pod.status else { return "Unknown".to_owned() };
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let state = container.state.as_ref()?;
        state.waiting.as_ref().and_then(|waiting| waiting.reason.clone())
    });
    waiting.or_else(|| status.reason.clone()).or_else(|| status.phase.clone()).unwrap_or_default()
}

fn print(rows: &[[String; 5]], with_header: bool) {
    let header = ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS"].map(str::to_owned);
    let mut widths = header.each_ref().map(|cell| cell.len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    for row in with_header.then_some(&header).into_iter().filter(|_| !rows.is_empty()).chain(rows) {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}   ")).collect();
        println!("{}", line.trim_end());
    }
}
