//! Lists every pod's containers and their images, however many pods there are: the host leaves out all else as the list arrives.
//!
//! ```text
//! tidegate run --allow-env=KUBECONFIG,HOME --allow-read=$HOME/.kube/config --allow-net=HOST:PORT list-images.wasm -- [FILTER]
//! ```
//!
//! FILTER is an expression in CEL, such as `object.spec.containers.exists(c, c.image.endsWith(':latest'))`.

use serde::Deserialize;
use tidegate::ListRequest;

/// What the mask leaves of a pod.
#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    #[serde(default)]
    image: String,
}

const WANTED: [&str; 4] =
    ["metadata.namespace", "metadata.name", "spec.containers[*].name", "spec.containers[*].image"];

fn main() -> tidegate::Result<()> {
    let client = tidegate::auto_detect_client()?;
    let mut request = ListRequest::new("/api/v1/pods").mask(WANTED);
    if let Some(filter) = std::env::args().nth(1) {
        request = request.filter(filter);
    }
    for pod in client.open_items(&request)?.decode::<Pod>() {
        let Pod { metadata, spec } = pod?;
        for Container { name, image } in spec.containers {
            println!("{}/{} {name} {image}", metadata.namespace, metadata.name);
        }
    }
    Ok(())
}
