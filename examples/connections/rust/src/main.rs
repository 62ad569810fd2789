//! Lists the connections that it was granted, and says how far each of those that are named leads: its server's version and namespaces.
//!
//! ```text
//! connections [NAME…]
//! ```

use std::process::ExitCode;

use serde::Deserialize;
use tidegate::k8s_openapi::api::core::v1::Namespace;
use tidegate::prelude::*;
use tidegate::{Result, connections};

/// The part of `/version` that is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.is_empty() {
        for name in connections::names() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    let mut ending = ExitCode::SUCCESS;
    for name in wanted {
        match look(&name) {
            Ok(found) => println!("{name}: {found}"),
            Err(error) => {
                // Of a name that was not granted the message says which flag to add, and not whether there is such a connection.
                eprintln!("{name}: {error}");
                ending = ExitCode::FAILURE;
            }
        }
    }
    ending
}

fn look(name: &str) -> Result<String> {
    let client = connections::open(name)?;
    let version: Version = client.request(Request::get("/version"))?;
    let namespaces = Api::<Namespace>::all(client.clone()).list(&ListParams::default())?;
    let count = namespaces.items.len();
    Ok(format!("Kubernetes {} by {}, {count} namespaces", version.git_version, client.kind()))
}
