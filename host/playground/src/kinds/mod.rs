//! What is served: the built-in kinds and those that CustomResourceDefinitions add.

mod builtin;
mod custom;
mod schema;
mod violation;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub(crate) use custom::established;
pub(crate) use schema::Schema;
pub(crate) use violation::{Violation, is_dns_label, is_dns_subdomain};

use crate::store::{Indexed, TableId};

/// Whether objects of a kind live in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In a namespace.
    Namespaced,
    /// Beside them.
    Cluster,
}

/// Where a kind comes from, which decides what its writes go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Compiled into the real server: list items carry no kind, strategic merge patches work.
    BuiltIn,
    /// Made by a CustomResourceDefinition.
    Custom,
}

/// What the real server allows for one kind beyond the common rules.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traits {
    /// `status` is written through its subresource only.
    pub(crate) status: bool,
    /// `metadata.generation` counts changes of the spec.
    pub(crate) generation: bool,
    /// An update without a resourceVersion is refused.
    pub(crate) needs_revision: bool,
    /// A PUT to a name that is not there creates it.
    pub(crate) create_on_update: bool,
    /// A delete answers with the object instead of a Status.
    pub(crate) returns_deleted: bool,
    /// `get`, `list` and `watch` only.
    pub(crate) read_only: bool,
    /// Has a `spec.replicas` behind `/scale`.
    pub(crate) scale: bool,
}

/// Where a custom kind keeps the numbers behind its scale subresource (dotted JSON paths).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScalePaths {
    /// `.spec.replicas`
    pub(crate) spec: String,
    /// `.status.replicas`
    pub(crate) status: String,
    /// The selector in text form, where there is one.
    pub(crate) selector: Option<String>,
}

/// A column of `kubectl get`, from `additionalPrinterColumns`.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) name: String,
    /// `integer`, `number`, `string`, `boolean` or `date`.
    pub(crate) kind: String,
    /// Its OpenAPI format, often empty.
    pub(crate) format: String,
    /// Says what it shows.
    pub(crate) description: String,
    /// Above 0: shown by `-o wide` only.
    pub(crate) priority: i64,
    /// A simple JSON path, `.spec.size`.
    pub(crate) path: String,
}

/// One version of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// `v1`.
    pub(crate) name: String,
    /// Whether the status subresource is there.
    pub(crate) status: bool,
    /// The scale subresource, where it is there.
    pub(crate) scale: Option<ScalePaths>,
    /// Columns of a custom kind; built-in kinds have code for theirs.
    pub(crate) columns: Vec<Column>,
    /// What objects of a custom kind must look like.
    pub(crate) schema: Option<Arc<Schema>>,
}

/// One resource with all its versions.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Its API group; empty for the core group.
    pub(crate) group: String,
    /// Its plural, as in paths.
    pub(crate) plural: String,
    /// Its singular.
    pub(crate) singular: String,
    /// Its kind.
    pub(crate) kind: String,
    /// The kind of its lists.
    pub(crate) list_kind: String,
    /// What kubectl also calls it.
    pub(crate) short_names: Vec<String>,
    /// Groups such as `all`.
    pub(crate) categories: Vec<String>,
    /// Namespaced or not.
    pub(crate) scope: Scope,
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// What it allows.
    pub(crate) traits: Traits,
    /// The served versions, preferred first.
    pub(crate) versions: Vec<Version>,
    /// What field selectors may name besides the name and the namespace.
    pub(crate) indexed: Vec<Indexed>,
    /// Where its objects are stored.
    pub(crate) table: TableId,
}

impl Resource {
    /// `v1`, or `apps/v1`.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// `pods`, or `deployments.apps`, as error messages name it.
    pub(crate) fn qualified(&self) -> &str {
        self.table.as_str()
    }

    /// `Pod`, or `Deployment.apps`, as validation errors name it.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// The version of that name.
    pub(crate) fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// The verbs that discovery names.
    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        if self.traits.read_only {
            &["get", "list", "watch"]
        } else if self.origin == Origin::Custom {
            &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
        } else {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
    }
}

/// All served resources by group and plural.
#[derive(Clone, Default)]
pub(crate) struct Kinds {
    resources: BTreeMap<(String, String), Arc<Resource>>,
}

impl Kinds {
    /// The kinds that every playground serves.
    pub(crate) fn built_in() -> Kinds {
        let mut kinds = Kinds::default();
        for resource in builtin::all() {
            kinds.insert(resource);
        }
        kinds
    }

    /// The resource at `group`/`version`/`plural`, where that version is served.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        let found = self.resources.get(&(group.to_owned(), plural.to_owned()))?;
        found.version(version).map(|_| found)
    }

    /// The resource whose objects are in `table`.
    pub(crate) fn of_table(&self, table: &TableId) -> Option<&Arc<Resource>> {
        let (plural, group) = table.as_str().split_once('.').unwrap_or((table.as_str(), ""));
        self.resources.get(&(group.to_owned(), plural.to_owned()))
    }

    /// All resources, ordered by group and plural.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    /// The groups but the core one, each with its served versions, preferred first.
    pub(crate) fn groups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for resource in self.resources.values().filter(|resource| !resource.group.is_empty()) {
            let versions = groups.entry(&resource.group).or_default();
            for version in &resource.versions {
                if !versions.contains(&version.name.as_str()) {
                    versions.push(&version.name);
                }
            }
        }
        for versions in groups.values_mut() {
            versions.sort_by_cached_key(|version| custom::priority(version));
        }
        groups
    }

    /// Serves what a CustomResourceDefinition describes, in place of what its name was served as before.
    ///
    /// # Errors
    /// What is wrong with the definition.
    pub(crate) fn define(&mut self, definition: &Value) -> Result<Arc<Resource>, Vec<Violation>> {
        let resource = custom::resource(definition)?;
        Ok(self.insert(resource))
    }

    /// Serves a definition's kind no longer.
    pub(crate) fn forget(&mut self, group: &str, plural: &str) {
        self.resources.remove(&(group.to_owned(), plural.to_owned()));
    }

    fn insert(&mut self, resource: Resource) -> Arc<Resource> {
        let resource = Arc::new(resource);
        self.resources.insert((resource.group.clone(), resource.plural.clone()), resource.clone());
        resource
    }
}
