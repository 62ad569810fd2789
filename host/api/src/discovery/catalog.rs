use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

pub(super) type Name = Arc<str>;
pub(super) type Names = Arc<[Name]>;

/// All that a server said of itself: groups in its order, the core group first, and their resources.
///
/// Equal names and lists of names are kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub(super) groups: Vec<Group>,
    pub(super) resources: Vec<Arc<Resource>>,
    pub(super) gaps: Vec<Gap>,
}

/// An API group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub(super) name: Name,
    pub(super) versions: Names,
    pub(super) preferred: Name,
}

/// What there can be objects of, in one version of its group.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    pub(super) group: Name,
    pub(super) version: Name,
    pub(super) kind: Name,
    pub(super) plural: Name,
    pub(super) singular: Name,
    pub(super) short_names: Names,
    pub(super) categories: Names,
    pub(super) verbs: Names,
    pub(super) scope: Scope,
    pub(super) subresources: Arc<[Subresource]>,
}

/// Where the objects of a resource are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// In the cluster as a whole.
    Cluster,
}

/// A path below an object: `status`, `scale`, `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    pub(super) name: Name,
    pub(super) group: Name,
    pub(super) version: Name,
    pub(super) kind: Name,
    pub(super) verbs: Names,
}

/// Something that a server has and could not, or not sensibly, describe. It is left out of a catalog, and said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The group; empty for the core group.
    pub group: String,
    /// The version; empty where the whole group is meant.
    pub version: String,
    /// For people, one line.
    pub why: String,
}

impl Catalog {
    /// The groups, the core group first, then in the server's order.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Every resource in every version.
    pub fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// Every resource once: in its group's preferred version, or in the first version that has it. What `kubectl api-resources` shows.
    pub fn preferred_resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter().filter(|resource| {
            let rank = self.rank(resource);
            let same =
                |other: &&Arc<Resource>| other.plural == resource.plural && other.group == resource.group;
            !self.resources.iter().filter(same).any(|other| self.rank(other) < rank)
        })
    }

    /// What the server has but did not describe: groups whose own server is down, versions that are stale, names that are none.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The resource of exactly this group, version and kind or plural. No name is guessed: see [`lookup`](Catalog::lookup).
    pub fn exact(&self, group: &str, version: &str, name: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|resource| {
            *resource.group == *group
                && *resource.version == *version
                && (*resource.kind == *name || *resource.plural == *name)
        })
    }

    /// Where a resource stands where several have a name: the core group's `v1`, then groups in the server's order, each with its preferred
    /// version first (`NewDiscoveryRESTMapper` of client-go).
    pub(super) fn rank(&self, resource: &Resource) -> (usize, usize) {
        let Some(place) = self.groups.iter().position(|group| group.name == resource.group) else {
            return (usize::MAX, usize::MAX);
        };
        let group = &self.groups[place];
        if resource.version == group.preferred {
            return (place, 0);
        }
        let version = group.versions.iter().position(|version| *version == resource.version);
        (place, version.map_or(usize::MAX, |version| version + 1))
    }

    /// The catalog as one `APIGroupDiscoveryList` (`apidiscovery.k8s.io/v2`), which [`Catalog::parse`] reads again.
    pub fn to_document(&self) -> Value {
        let groups: Vec<Value> = self.groups.iter().map(|group| self.group_document(group)).collect();
        json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": groups })
    }

    fn group_document(&self, group: &Group) -> Value {
        let version = |version: &Name| {
            let of = |one: &&Arc<Resource>| one.group == group.name && one.version == *version;
            let resources: Vec<Value> =
                self.resources.iter().filter(of).map(|one| resource_document(one)).collect();
            json!({ "version": &**version, "freshness": "Current", "resources": resources })
        };
        // The first is the preferred one: so these documents say it.
        let others = group.versions.iter().filter(|version| **version != group.preferred);
        let versions: Vec<Value> = std::iter::once(&group.preferred).chain(others).map(version).collect();
        json!({ "metadata": { "name": &*group.name }, "versions": versions })
    }
}

fn resource_document(resource: &Resource) -> Value {
    let subresource = |one: &Subresource| {
        let kind = json!({ "group": &*one.group, "version": &*one.version, "kind": &*one.kind });
        json!({ "subresource": &*one.name, "responseKind": kind, "verbs": texts(&one.verbs) })
    };
    let subresources: Vec<Value> = resource.subresources.iter().map(subresource).collect();
    json!({
        "resource": &*resource.plural,
        "responseKind": {
            "group": &*resource.group, "version": &*resource.version, "kind": &*resource.kind,
        },
        "scope": resource.scope.as_str(),
        "singularResource": &*resource.singular,
        "shortNames": texts(&resource.short_names),
        "categories": texts(&resource.categories),
        "verbs": texts(&resource.verbs),
        "subresources": subresources,
    })
}

fn texts(names: &Names) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

impl Group {
    /// Empty for the core group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The versions that were described, in the server's order.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|version| &**version)
    }

    /// The version that the server prefers, or the first that was described.
    pub fn preferred_version(&self) -> &str {
        &self.preferred
    }
}

impl Resource {
    /// Empty for the core group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// `v1`, `v1beta1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `Pod`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `pods`, the name in paths.
    pub fn plural(&self) -> &str {
        &self.plural
    }

    /// `pod`; made from the kind where the server did not say.
    pub fn singular(&self) -> &str {
        &self.singular
    }

    /// `po`.
    pub fn short_names(&self) -> impl Iterator<Item = &str> {
        self.short_names.iter().map(|name| &**name)
    }

    /// `all`: names that stand for several resources.
    pub fn categories(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().map(|name| &**name)
    }

    /// What can be done: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub fn verbs(&self) -> impl Iterator<Item = &str> {
        self.verbs.iter().map(|verb| &**verb)
    }

    /// Whether this can be done.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs().any(|one| one == verb)
    }

    /// Where its objects are.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What is below each object.
    pub fn subresources(&self) -> &[Subresource] {
        &self.subresources
    }

    /// What is below each object, by name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|one| *one.name == *name)
    }

    /// `apps/v1`, or `v1` of the core group: the `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `deployments.apps`, or `pods` of the core group.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_string()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// The path of all its objects, or of those in one namespace. Every name in it was checked when the catalog was built; the namespace is
    /// percent-encoded where it needs to be.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let mut path = format!("{root}/{}", self.api_version());
        if let (Scope::Namespaced, Some(namespace)) = (self.scope, namespace) {
            path.push_str("/namespaces/");
            path.push_str(&segment(namespace));
        }
        path.push('/');
        path.push_str(&self.plural);
        path
    }
}

/// A segment of a path, percent-encoded but for what RFC 3986 calls unreserved, and `:` which names of RBAC use.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({} {} {})", self.plural, self.api_version(), self.kind)
    }
}

impl Subresource {
    /// `status`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group of its kind: `autoscaling` of a `Scale`.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The version of its kind.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `Scale`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What can be done: `get`, `patch`, `update`.
    pub fn verbs(&self) -> impl Iterator<Item = &str> {
        self.verbs.iter().map(|verb| &**verb)
    }
}

impl Scope {
    /// The word of discovery documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Namespaced => "Namespaced",
            Scope::Cluster => "Cluster",
        }
    }
}
