//! From a CustomResourceDefinition to a served resource.

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Column, Indexed, Origin, Resource, ScalePaths, Schema, Scope, Traits, Version, Violation};
use super::{is_dns_label, is_dns_subdomain};
use crate::store::TableId;

/// Reads a definition.
pub(super) fn resource(definition: &Value) -> Result<Resource, Vec<Violation>> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let violations = violations(definition);
    if !violations.is_empty() {
        return Err(violations);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&names["kind"]);
    let (group, plural) = (text(&spec["group"]), text(&names["plural"]));
    let mut versions: Vec<Version> =
        list(&spec["versions"]).iter().filter(|version| version["served"] == true).map(version).collect();
    versions.sort_by_cached_key(|version| priority(&version.name));
    Ok(Resource {
        table: TableId::new(&group, &plural),
        singular: names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
        list_kind: names["listKind"].as_str().map_or_else(|| format!("{kind}List"), str::to_owned),
        short_names: list(&names["shortNames"]).iter().map(text).collect(),
        categories: list(&names["categories"]).iter().map(text).collect(),
        scope: if spec["scope"] == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
        origin: Origin::Custom,
        traits: Traits { generation: true, needs_revision: true, ..Traits::default() },
        indexed: indexed(spec),
        versions,
        group,
        plural,
        kind,
    })
}

/// The status of a definition whose kind is served: its names accepted, `Established`.
pub(crate) fn established(definition: &Value, now: &str) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now});
    let stored = list(&definition["spec"]["versions"]).iter().find(|version| version["storage"] == true);
    json!({
        "acceptedNames": definition["spec"]["names"],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "storedVersions": stored.map(|version| version["name"].clone()).into_iter().collect::<Vec<_>>(),
    })
}

/// Orders versions as `k8s.io/apimachinery/pkg/version` does: v2, v1, v2beta1, v1beta2, v1alpha1, then by name.
pub(super) fn priority(version: &str) -> (u8, Reverse<u64>, Reverse<u64>, String) {
    let other = (3, Reverse(0), Reverse(0), version.to_owned());
    let Some(rest) = version.strip_prefix('v') else { return other };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, rest) = rest.split_at(digits);
    let Ok(major) = major.parse() else { return other };
    let (rank, minor) = match rest {
        "" => (0, "0"),
        _ if rest.starts_with("beta") => (1, &rest[4..]),
        _ if rest.starts_with("alpha") => (2, &rest[5..]),
        _ => return other,
    };
    minor.parse().map_or(other, |minor| (rank, Reverse(major), Reverse(minor), String::new()))
}

fn version(version: &Value) -> Version {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let scale = &version["subresources"]["scale"];
    let columns = list(&version["additionalPrinterColumns"]).iter().map(|column| Column {
        name: text(&column["name"]),
        kind: text(&column["type"]),
        format: text(&column["format"]),
        description: text(&column["description"]),
        priority: column["priority"].as_i64().unwrap_or_default(),
        path: text(&column["jsonPath"]),
    });
    Version {
        name: text(&version["name"]),
        status: !version["subresources"]["status"].is_null(),
        scale: (!scale.is_null()).then(|| ScalePaths {
            spec: text(&scale["specReplicasPath"]),
            status: text(&scale["statusReplicasPath"]),
            selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
        }),
        columns: columns.collect(),
        schema: version["schema"].get("openAPIV3Schema").map(|schema| Arc::new(Schema::new(schema.clone()))),
    }
}

fn indexed(spec: &Value) -> Vec<Indexed> {
    let fields = list(&spec["versions"]).iter().flat_map(|version| list(&version["selectableFields"]));
    let mut names: Vec<&str> = fields
        .filter_map(|field| field["jsonPath"].as_str())
        .map(|path| path.trim_start_matches('.'))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| Indexed::new(name, "")).collect()
}

fn violations(definition: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
    let name = text(&definition["metadata"]["name"]);
    if name != format!("{plural}.{group}") {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        found.push(Violation::invalid("metadata.name", &json!(name), detail));
    }
    if !is_dns_subdomain(&group) || !group.contains('.') {
        found.push(Violation::invalid(
            "spec.group",
            &json!(group),
            "should be a domain with at least one dot",
        ));
    }
    if !is_dns_label(&plural) {
        found.push(Violation::invalid(
            "spec.names.plural",
            &json!(plural),
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-'",
        ));
    }
    if text(&spec["names"]["kind"]).is_empty() {
        found.push(Violation::required("spec.names.kind", ""));
    }
    if !matches!(spec["scope"].as_str(), Some("Cluster" | "Namespaced")) {
        let allowed = [json!("Cluster"), json!("Namespaced")];
        found.push(Violation::unsupported("spec.scope", &json!(text(&spec["scope"])), &allowed));
    }
    let versions = list(&spec["versions"]);
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        found.push(Violation::invalid("spec.versions", &spec["versions"], detail));
    }
    for (position, version) in versions.iter().enumerate() {
        if version["schema"]["openAPIV3Schema"].is_null() {
            let field = format!("spec.versions[{position}].schema.openAPIV3Schema");
            found.push(Violation::required(field, "schemas are required"));
        }
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_server_orders_them() {
        let mut names =
            ["foo1", "v1alpha1", "v11", "v2", "v3beta1", "v11alpha2", "v12alpha1", "v1", "v10beta3", "foo10"];
        names.sort_by_cached_key(|name| priority(name));
        assert_eq!(
            names,
            ["v11", "v2", "v1", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "v1alpha1", "foo1", "foo10"]
        );
    }

    #[test]
    fn a_definition_must_be_named_after_its_kind() {
        let definition = json!({"metadata": {"name": "widgets"}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        }});
        let texts: Vec<_> = resource(&definition).unwrap_err().iter().map(Violation::text).collect();
        assert_eq!(
            texts,
            ["metadata.name: Invalid value: \"widgets\": must be spec.names.plural+\".\"+spec.group"]
        );
    }
}
