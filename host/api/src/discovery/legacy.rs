//! The documents of before: `APIVersions`, `APIGroupList`, and an `APIResourceList` for each version of each group.

use std::collections::HashMap;

use serde::Deserialize;

use super::builder::{Builder, Described, DescribedBelow};
use super::document::{DocumentError, read};

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    #[serde(default)]
    versions: Option<Vec<Version>>,
    #[serde(default)]
    preferred_version: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resources {
    #[serde(default)]
    group_version: Option<String>,
    #[serde(default)]
    resources: Option<Vec<Resource>>,
}

/// One entry of an `APIResourceList`: a resource, or (with a `/` in its name) a subresource.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    name: String,
    #[serde(default)]
    singular_name: Option<String>,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    verbs: Option<Vec<String>>,
    #[serde(default)]
    short_names: Option<Vec<String>>,
    #[serde(default)]
    categories: Option<Vec<String>>,
}

/// Adds the versions of the core group: the document at `/api`. Gives them.
pub(super) fn add_core(builder: &mut Builder, document: &[u8]) -> Result<Vec<String>, DocumentError> {
    let versions = read::<Versions>(document)?.versions.unwrap_or_default();
    builder.group("", &versions, None)?;
    Ok(versions)
}

/// Adds the groups: the document at `/apis`. Gives group and version of each.
pub(super) fn add_groups(
    builder: &mut Builder,
    document: &[u8],
) -> Result<Vec<(String, String)>, DocumentError> {
    let mut all = Vec::new();
    for Group { name, versions, preferred_version } in read::<Groups>(document)?.groups.unwrap_or_default() {
        let versions: Vec<String> =
            versions.unwrap_or_default().into_iter().map(|version| version.version).collect();
        builder.group(&name, &versions, preferred_version.as_ref().map(|one| one.version.as_str()))?;
        all.extend(versions.into_iter().map(|version| (name.clone(), version)));
    }
    Ok(all)
}

/// Adds the resources of one version: the document at `/api/v1` or `/apis/<group>/<version>`.
pub(super) fn add_resources(
    builder: &mut Builder,
    group: &str,
    version: &str,
    document: &[u8],
) -> Result<(), DocumentError> {
    let resources = read::<Resources>(document)?.resources.unwrap_or_default();
    add_entries(builder, group, version, resources)
}

/// Adds an `APIResourceList` that says by itself what it is of, group and all.
pub(super) fn add_list(builder: &mut Builder, document: &[u8]) -> Result<(), DocumentError> {
    let Resources { group_version, resources } = read(document)?;
    let group_version =
        group_version.ok_or(DocumentError::Unknown { what: "an APIResourceList without groupVersion" })?;
    add_group_version(builder, &group_version, resources.unwrap_or_default())
}

/// Adds entries of `v1` or `apps/v1`, and the group with them.
pub(super) fn add_group_version(
    builder: &mut Builder,
    group_version: &str,
    resources: Vec<Resource>,
) -> Result<(), DocumentError> {
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    builder.group(group, &[version.to_owned()], None)?;
    add_entries(builder, group, version, resources)
}

fn add_entries(
    builder: &mut Builder,
    group: &str,
    version: &str,
    entries: Vec<Resource>,
) -> Result<(), DocumentError> {
    let (below, resources): (Vec<Resource>, Vec<Resource>) =
        entries.into_iter().partition(|entry| entry.name.contains('/'));
    let mut by_parent: HashMap<String, Vec<DescribedBelow>> = HashMap::new();
    for entry in below {
        let (parent, described) = below_of(entry);
        by_parent.entry(parent).or_default().push(described);
    }
    for resource in resources {
        let subresources = by_parent.remove(&resource.name).unwrap_or_default();
        builder.resource(group, version, described(resource, subresources))?;
    }
    Ok(())
}

fn below_of(entry: Resource) -> (String, DescribedBelow) {
    let (parent, name) = entry.name.split_once('/').unwrap_or((&entry.name, ""));
    let described = DescribedBelow {
        name: name.to_owned(),
        group: entry.group.unwrap_or_default(),
        version: entry.version.unwrap_or_default(),
        kind: entry.kind,
        verbs: entry.verbs.unwrap_or_default(),
    };
    (parent.to_owned(), described)
}

fn described(entry: Resource, subresources: Vec<DescribedBelow>) -> Described {
    Described {
        plural: entry.name,
        singular: entry.singular_name.unwrap_or_default(),
        kind: entry.kind,
        namespaced: entry.namespaced,
        short_names: entry.short_names.unwrap_or_default(),
        categories: entry.categories.unwrap_or_default(),
        verbs: entry.verbs.unwrap_or_default(),
        subresources,
    }
}
