//! Server-side apply through `kubectl apply --server-side`, which takes its object from the body and not from a path.
//!
//! So the body must name the very object that the path names: whoever judges requests by their paths must not be fooled.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tidegate_kube::request::Checked;

use super::command::unsupported;
use super::patch::{Target, common, query};
use crate::{Code, Error};

/// The content type of a server-side apply.
pub(super) const MEDIA_TYPE: &str = "application/apply-patch+yaml";

/// The part of the body that says which object it is. A field that is there twice is an error here, a second document too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    metadata: Metadata,
}

impl Head {
    /// Whether kubectl takes the object for a list, whatever its kind, and applies what is in it instead
    /// (`unstructuredJSONScheme.decode` of apimachinery).
    fn is_list(body: &[u8]) -> bool {
        // In any case of letters, which is wider than today's kubectl.
        let keys = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body);
        keys.is_ok_and(|keys| keys.keys().any(|key| key.to_uppercase() == "ITEMS"))
    }
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

pub(super) fn arguments(checked: &Checked) -> Result<Vec<String>, Error> {
    let target = Target::of(checked.path())?;
    if target.subresource.as_deref() == Some("scale") {
        // It looks for the kind `Scale` among the server's resources, where it is none.
        return Err(unsupported("kubectl applies no scale: send it as a merge patch"));
    }
    let body = checked
        .body()
        .ok_or_else(|| Error::new(Code::InvalidRequest, "an apply patch needs a whole body"))?;
    check_body(body, &target)?;
    let mut arguments = ["apply", "--server-side", "--filename=-"].map(str::to_owned).to_vec();
    let mut validate = "--validate=false".to_owned();
    arguments.extend(common(&target));
    for (name, value) in query(checked.path()) {
        match (name, value.as_str()) {
            ("fieldManager", manager) => arguments.push(format!("--field-manager={manager}")),
            ("force", "true" | "1") => arguments.push("--force-conflicts".to_owned()),
            ("force", "false" | "0") => {}
            ("dryRun", "All") => arguments.push("--dry-run=server".to_owned()),
            // Both cost a round trip of kubectl's own, to see whether the server knows how to validate.
            ("fieldValidation", "Strict") => validate = "--validate=strict".to_owned(),
            ("fieldValidation", "Warn") => validate = "--validate=warn".to_owned(),
            ("fieldValidation", "Ignore") => {}
            _ => {
                return Err(unsupported(&format!("kubectl apply cannot pass the query parameter {name} on")));
            }
        }
    }
    arguments.push(validate);
    Ok(arguments)
}

fn check_body(body: &[u8], target: &Target) -> Result<(), Error> {
    let head: Head = serde_json::from_slice(body).map_err(|_| {
        let text = "kubectl applies one JSON object with apiVersion, kind and metadata.name, each once";
        Error::new(Code::Unsupported, text)
    })?;
    if Head::is_list(body) {
        return Err(unsupported(
            "kubectl applies the items of an object that has some, and not the object that the path names",
        ));
    }
    let Target { group, version, namespace, resource, name, .. } = target;
    let api_version = if group.is_empty() { version.clone() } else { format!("{group}/{version}") };
    let same = head.api_version == api_version
        && plurals(&head.kind).iter().any(|plural| plural == resource)
        && head.metadata.name == *name
        && head.metadata.namespace.as_ref().is_none_or(|own| Some(own) == namespace.as_ref());
    if same {
        return Ok(());
    }
    let text = "the body of an apply patch through kubectl must have the path's own apiVersion, kind, name and namespace";
    Err(Error::new(Code::Unsupported, text))
}

/// What a kind's plural may be without asking the server, after apimachinery's `UnsafeGuessKindToResource` and a little wider.
fn plurals(kind: &str) -> [String; 4] {
    let singular = kind.to_ascii_lowercase();
    let ies = singular.strip_suffix('y').map(|stem| format!("{stem}ies")).unwrap_or_default();
    [format!("{singular}s"), format!("{singular}es"), ies, singular]
}
