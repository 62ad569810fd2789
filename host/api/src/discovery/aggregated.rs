//! `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2` and `v2beta1`: every group, version and resource in one document.

use serde::Deserialize;

use super::builder::{Builder, Described, DescribedBelow};
use super::document::{DocumentError, read};

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    versions: Option<Vec<Version>>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Option<Vec<Resource>>,
    #[serde(default)]
    freshness: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: String,
    #[serde(default)]
    response_kind: Option<Kind>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    singular_resource: Option<String>,
    #[serde(default)]
    verbs: Option<Vec<String>>,
    #[serde(default)]
    short_names: Option<Vec<String>>,
    #[serde(default)]
    categories: Option<Vec<String>>,
    #[serde(default)]
    subresources: Option<Vec<Subresource>>,
}

#[derive(Default, Deserialize)]
struct Kind {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subresource {
    subresource: String,
    #[serde(default)]
    response_kind: Option<Kind>,
    #[serde(default)]
    verbs: Option<Vec<String>>,
}

/// Adds all of a document.
pub(super) fn add(builder: &mut Builder, document: &[u8]) -> Result<(), DocumentError> {
    let list: List = read(document)?;
    for group in list.items.unwrap_or_default() {
        add_group(builder, group)?;
    }
    Ok(())
}

fn add_group(builder: &mut Builder, group: Group) -> Result<(), DocumentError> {
    let name = group.metadata.name.unwrap_or_default();
    let (stale, current): (Vec<Version>, Vec<Version>) = group
        .versions
        .unwrap_or_default()
        .into_iter()
        .partition(|version| version.freshness.as_deref() == Some("Stale"));
    for version in stale {
        builder.gap(
            &name,
            &version.version,
            "the server that has it does not answer; what is known is stale",
        );
    }
    let versions: Vec<String> = current.iter().map(|version| version.version.clone()).collect();
    builder.group(&name, &versions, None)?;
    for Version { version, resources, .. } in current {
        for resource in resources.unwrap_or_default() {
            // Without a kind it is only the parent of subresources, of which nothing can be listed.
            if let Some(described) = described(resource) {
                builder.resource(&name, &version, described)?;
            }
        }
    }
    Ok(())
}

fn described(resource: Resource) -> Option<Described> {
    let kind = resource.response_kind.map(|kind| kind.kind).filter(|kind| !kind.is_empty())?;
    Some(Described {
        plural: resource.resource,
        singular: resource.singular_resource.unwrap_or_default(),
        kind,
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        short_names: resource.short_names.unwrap_or_default(),
        categories: resource.categories.unwrap_or_default(),
        verbs: resource.verbs.unwrap_or_default(),
        subresources: resource.subresources.unwrap_or_default().into_iter().map(below).collect(),
    })
}

fn below(one: Subresource) -> DescribedBelow {
    let kind = one.response_kind.unwrap_or_default();
    DescribedBelow {
        name: one.subresource,
        group: kind.group,
        version: kind.version,
        kind: kind.kind,
        verbs: one.verbs.unwrap_or_default(),
    }
}
