//! PATCH through `kubectl patch`, which has no `--raw`: the path is taken apart.

use tidegate_kube::path::ApiPath;
use tidegate_kube::request::Checked;

use super::command::unsupported;
use crate::{Code, Error};

/// The object that a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Empty for the core group.
    pub(super) group: String,
    pub(super) version: String,
    pub(super) namespace: Option<String>,
    /// The plural.
    pub(super) resource: String,
    pub(super) name: String,
    pub(super) subresource: Option<String>,
}

/// What kubectl knows by `--subresource`.
const SUBRESOURCES: [&str; 3] = ["status", "scale", "resize"];

pub(super) fn arguments(checked: &Checked) -> Result<Vec<String>, Error> {
    let kind = match checked.content_type() {
        Some("application/json-patch+json") => "json",
        Some("application/merge-patch+json") => "merge",
        Some("application/strategic-merge-patch+json") => "strategic",
        _ => {
            return Err(unsupported(
                "kubectl sends JSON, merge, strategic and apply patches only, each by its own content type",
            ));
        }
    };
    let target = Target::of(checked.path())?;
    let mut arguments =
        vec!["patch".to_owned(), format!("--type={kind}"), "--patch-file=/dev/stdin".to_owned()];
    arguments.extend(common(&target));
    for (name, value) in query(checked.path()) {
        arguments.push(match (name, value.as_str()) {
            ("fieldManager", manager) => format!("--field-manager={manager}"),
            ("dryRun", "All") => "--dry-run=server".to_owned(),
            // What the server does by itself.
            ("fieldValidation", "Warn") => continue,
            _ => {
                return Err(unsupported(&format!("kubectl patch cannot pass the query parameter {name} on")));
            }
        });
    }
    let Target { group, version, resource, name, .. } = &target;
    arguments.push(format!("{resource}.{version}.{group}/{name}"));
    Ok(arguments)
}

/// No namespace can be called so.
const NO_NAMESPACE: &str = "-";

/// What `kubectl patch` and `kubectl apply` have in common.
///
/// A namespace is always given: without one kubectl takes its context's, so that a path without a namespace would name an object
/// in whichever that is. What has no namespace is not looked for in one.
pub(super) fn common(target: &Target) -> impl Iterator<Item = String> {
    let namespace = target.namespace.as_deref().unwrap_or(NO_NAMESPACE);
    let namespace = std::iter::once(format!("--namespace={namespace}"));
    let subresource = target.subresource.as_ref().map(|subresource| format!("--subresource={subresource}"));
    let output = ["--output=json".to_owned(), "--show-managed-fields=true".to_owned()];
    output.into_iter().chain(namespace).chain(subresource)
}

/// The query's pairs, decoded, in order; of two with one name the API server reads the first.
///
/// One by one, so that whoever stops at the first name that it does not know has not gone through ten thousand others.
pub(super) fn query(path: &ApiPath) -> impl Iterator<Item = (&str, String)> {
    let mut known: Vec<&str> = Vec::new();
    path.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).filter_map(move |pair| {
        // Names are the API's own words: one that is encoded is none of them, and is refused as such.
        let name = pair.split('=').next().unwrap_or_default();
        if known.contains(&name) {
            return None;
        }
        known.push(name);
        Some((name, path.query_value(name).unwrap_or_default()))
    })
}

impl Target {
    /// Errors: the path names no single object, or one by names that kubectl would take for something else.
    pub(super) fn of(path: &ApiPath) -> Result<Target, Error> {
        let segments = path.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(no_object()),
        };
        let (namespace, resource, name, subresource) = match rest {
            ["namespaces", name] => (None, "namespaces", *name, None),
            // `namespaces/x/status` is the namespace's own; `namespaces/x/pods` is a list.
            ["namespaces", name, own @ ("status" | "finalize")] => (None, "namespaces", *name, Some(*own)),
            ["namespaces", namespace, resource, name] => (Some(*namespace), *resource, *name, None),
            ["namespaces", namespace, resource, name, subresource] => {
                (Some(*namespace), *resource, *name, Some(*subresource))
            }
            [resource, name] => (None, *resource, *name, None),
            [resource, name, subresource] if *resource != "namespaces" => {
                (None, *resource, *name, Some(*subresource))
            }
            _ => return Err(no_object()),
        };
        if let Some(other) = subresource.filter(|word| !SUBRESOURCES.contains(word)) {
            return Err(unsupported(&format!("kubectl cannot patch the subresource {other:?}")));
        }
        let plain =
            [version, resource].iter().all(|word| is_label(word)) && (group.is_empty() || is_dotted(group));
        if plain && !is_plural(resource) {
            return Err(unsupported(&format!(
                "kubectl takes {resource:?} for a short name or a kind, which the server does not; name the plural"
            )));
        }
        if !plain || !namespace.is_none_or(is_label) || !is_name(name) {
            return Err(no_object());
        }
        Ok(Target {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: namespace.map(str::to_owned),
            resource: resource.to_owned(),
            name: name.to_owned(),
            subresource: subresource.map(str::to_owned),
        })
    }
}

fn no_object() -> Error {
    Error::new(Code::Unsupported, "kubectl can patch only a single object, named by the path in full")
}

fn is_label(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether a resource's name looks like a plural. kubectl resolves kinds and short names (`secret`, `ds`) where the server knows the
/// plural alone, and whoever judges requests by their paths must not be fooled.
fn is_plural(word: &str) -> bool {
    // `ingress` and `storageclass` are singular, `rs` and `sts` are short names.
    word.len() > 3
        && word.ends_with('s')
        && !word.ends_with("ss")
        && !["componentstatus", "crds"].contains(&word)
}

fn is_dotted(group: &str) -> bool {
    group.split('.').all(is_label)
}

/// Anything that a segment can hold but what kubectl splits at.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|character: char| character == ',' || character.is_whitespace())
}
