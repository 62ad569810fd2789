//! What a path names.

use std::sync::Arc;

use super::query::decode;
use super::status::{Answer, Failure};
use crate::kinds::{Kinds, Resource, Scope, Version};
use crate::store::Key;

/// A path below `/api` or `/apis`.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The resource that it is about.
    pub(crate) resource: Arc<Resource>,
    /// The version that it is asked for in.
    pub(crate) version: Version,
    /// The namespace, where the path has one.
    pub(crate) namespace: Option<String>,
    /// The object, where the path has one.
    pub(crate) name: Option<String>,
    /// `status`, `scale`, …
    pub(crate) subresource: Option<String>,
}

/// Where a path leads.
pub(crate) enum Route {
    /// To objects.
    Target(Target),
    /// To a discovery document: the segments of the path.
    Discovery(Vec<String>),
    /// Nowhere that the real server's mux knows: a plain-text 404.
    Unknown,
}

impl Target {
    /// The key of the named object.
    ///
    /// # Errors
    /// 405 where the path names a collection.
    pub(crate) fn key(&self) -> Answer<Key> {
        let name = self.name.as_deref().ok_or_else(Failure::method_not_allowed)?;
        Ok(Key::new(self.namespace.as_deref(), name))
    }

    /// The `apiVersion` that is asked for.
    pub(crate) fn api_version(&self) -> String {
        self.resource.api_version(&self.version.name)
    }
}

/// Reads a path.
///
/// # Errors
/// The 404 that the real server answers below a known group.
pub(crate) fn route(kinds: &Kinds, path: &str) -> Answer<Route> {
    let segments: Vec<String> =
        path.split('/').skip(1).filter(|segment| !segment.is_empty()).map(decode).collect();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api" | "apis"] | ["api", "v1"] | ["apis", _] | ["apis", _, _] => {
            return Ok(Route::Discovery(segments));
        }
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Ok(Route::Unknown),
    };
    let Some(place) = place(rest) else { return unknown(kinds, group) };
    let Some(resource) = kinds.find(group, version, place.plural) else { return unknown(kinds, group) };
    let namespaced = resource.scope == Scope::Namespaced;
    if namespaced != place.namespace.is_some() && (place.name.is_some() || !namespaced) {
        return unknown(kinds, group);
    }
    let Some(version) = resource.version(version) else { return unknown(kinds, group) };
    Ok(Route::Target(Target {
        version: version.clone(),
        resource: resource.clone(),
        namespace: place.namespace.map(str::to_owned),
        name: place.name.map(str::to_owned),
        subresource: place.subresource.map(str::to_owned),
    }))
}

struct Place<'a> {
    plural: &'a str,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    subresource: Option<&'a str>,
}

fn place<'a>(rest: &[&'a str]) -> Option<Place<'a>> {
    let namespaced =
        |namespace| move |plural, name, subresource| Place { plural, namespace, name, subresource };
    Some(match *rest {
        // `namespaces/x/status` is about a namespace; `namespaces/x/pods` about what is in it.
        ["namespaces", name, sub @ ("status" | "finalize")] => {
            namespaced(None)("namespaces", Some(name), Some(sub))
        }
        ["namespaces", namespace, plural] => namespaced(Some(namespace))(plural, None, None),
        ["namespaces", namespace, plural, name] => namespaced(Some(namespace))(plural, Some(name), None),
        ["namespaces", namespace, plural, name, sub] => {
            namespaced(Some(namespace))(plural, Some(name), Some(sub))
        }
        [plural] => namespaced(None)(plural, None, None),
        [plural, name] => namespaced(None)(plural, Some(name), None),
        [plural, name, sub] => namespaced(None)(plural, Some(name), Some(sub)),
        _ => return None,
    })
}

/// Built-in groups answer with a Status, all others as an unknown path.
fn unknown(kinds: &Kinds, group: &str) -> Answer<Route> {
    let built_in = kinds.all().any(|r| r.group == group && r.origin == crate::kinds::Origin::BuiltIn);
    if built_in { Err(Failure::no_such_resource()) } else { Ok(Route::Unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_the_real_server_leads_them() {
        let cases = [
            ("/api/v1/pods", "pods - - -"),
            ("/api/v1/namespaces", "namespaces - - -"),
            ("/api/v1/namespaces/a", "namespaces - a -"),
            ("/api/v1/namespaces/a/status", "namespaces - a status"),
            ("/api/v1/namespaces/a/pods", "pods a - -"),
            ("/api/v1/namespaces/a/pods/b%2Ec", "pods a b.c -"),
            ("/api/v1/namespaces/a/pods/b/status", "pods a b status"),
            ("/apis/apps/v1/namespaces/a/deployments/b/scale", "deployments.apps a b scale"),
            ("/api/v1/nodes/n", "nodes - n -"),
            ("/api/v1/namespaces/a/nodes/n", "404"),
            ("/api/v1/pods/b", "404"),
            ("/api/v1/foos", "404"),
            ("/api/v2/pods", "404"),
            ("/apis/apps/v9/deployments", "404"),
            ("/apis/example.com/v1/widgets", "unknown"),
            ("/foo", "unknown"),
            ("/", "unknown"),
            ("/apis/apps/v1", "discovery"),
            ("/api", "discovery"),
        ];
        let kinds = Kinds::built_in();
        for (path, expected) in cases {
            let dash = |text: Option<String>| text.unwrap_or("-".into());
            let found = match route(&kinds, path) {
                Err(failure) => failure.code.to_string(),
                Ok(Route::Unknown) => "unknown".into(),
                Ok(Route::Discovery(_)) => "discovery".into(),
                Ok(Route::Target(t)) => {
                    let resource = t.resource.qualified().to_owned();
                    format!("{resource} {} {} {}", dash(t.namespace), dash(t.name), dash(t.subresource))
                }
            };
            assert_eq!(found, expected, "{path}");
        }
    }
}
