//! Applies a ConfigMap twice: the second time nothing changes, and the resource version shows it.
//!
//! ```text
//! tidegate run --allow-env=KUBECONFIG,HOME --allow-read=$HOME/.kube/config --allow-net=HOST:PORT apply-configmap.wasm -- \
//!     [NAME] [--namespace NAMESPACE]
//! ```

use tidegate::k8s_openapi::api::core::v1::ConfigMap;
use tidegate::prelude::*;

const USAGE: &str = "usage: apply-configmap [NAME] [--namespace NAMESPACE]";
const MANAGER: &str = "apply-configmap.tidegate";

fn main() -> tidegate::Result<()> {
    let (name, namespace) = arguments();
    let client = tidegate::auto_detect_client()?;
    let maps: Api<ConfigMap> = match &namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::default_namespaced(client),
    };

    let first = apply(&maps, &name)?;
    println!("applied {}/{name}: resourceVersion {first}", maps.namespace().unwrap_or_default());
    let second = apply(&maps, &name)?;
    if first == second {
        println!("applied it again: resourceVersion {second}, nothing changed");
        return Ok(());
    }
    Err(tidegate::Error::other(format!("applied it again, and it changed: resourceVersion {second}")))
}

/// Server-side apply: the fields that are named here become so and are owned by this manager; all others stay as they are.
fn apply(maps: &Api<ConfigMap>, name: &str) -> tidegate::Result<String> {
    let wanted = ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some([("greeting".to_owned(), "hello from a sandbox".to_owned())].into()),
        ..ConfigMap::default()
    };
    let applied = match maps.patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(&wanted)) {
        Err(error) if error.status().is_some_and(|status| status.code == 415) => {
            eprintln!("this server has no server-side apply ({error}): creating or merging instead");
            create_or_merge(maps, name, &wanted)?
        }
        applied => applied?,
    };
    Ok(applied.resource_version().unwrap_or_default())
}

/// What clients did before Kubernetes 1.22: nobody's ownership is recorded, but the fields become so all the same.
fn create_or_merge(maps: &Api<ConfigMap>, name: &str, wanted: &ConfigMap) -> tidegate::Result<ConfigMap> {
    match maps.patch(name, &PatchParams::default(), &Patch::Merge(wanted)) {
        Err(error) if error.is_not_found() => maps.create(&PostParams::default(), wanted),
        merged => merged,
    }
}

fn arguments() -> (String, Option<String>) {
    let (mut name, mut namespace) = ("tidegate-hello".to_owned(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--namespace" | "-n" => namespace = Some(arguments.next().unwrap_or_else(|| usage())),
            flag if flag.starts_with('-') => usage(),
            _ => name = argument,
        }
    }
    (name, namespace)
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    tidegate::exit(2);
}
