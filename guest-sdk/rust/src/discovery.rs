//! Which groups, versions and resources a server has, and which of them a name means.
//!
//! The host asks the server once, and keeps what it hears for all guests of the connection. Every call here looks that up.
//!
//! ```no_run
//! # fn main() -> tidegate::Result<()> {
//! # let client = tidegate::auto_detect_client()?;
//! let deployments = tidegate::discovery::lookup(&client, "deploy")?;
//! println!("{}", deployments.path(Some("default")));
//! # Ok(())
//! # }
//! ```

use std::fmt;

use crate::wit::tidegate::host::discovery as wit;
use crate::{Client, Result};

/// The resource that a name means, as `kubectl get NAME` takes it: plural, singular, kind or short name, with its group
/// (`deployments.apps`), with version and group (`deployments.v1.apps`), or `group/version/kind` (`apps/v1/Deployment`, `v1/Pod`).
///
/// Where none has it, and what is known is some seconds old, the server is asked anew. Errors: `unsupported-resource`, whose text names
/// resources with a name like it; and as [`Client::send`].
pub fn lookup(client: &Client, name: &str) -> Result<Kind> {
    Ok(Kind::of(&wit::lookup(client.handle(), name)?))
}

/// Every resource once, in its group's preferred version, or in the first version that has it: what `kubectl api-resources` shows.
pub fn resources(client: &Client) -> Result<Vec<Kind>> {
    Ok(wit::resources(client.handle())?.iter().map(Kind::of).collect())
}

/// Every resource in every version.
pub fn all_resources(client: &Client) -> Result<Vec<Kind>> {
    Ok(wit::all_resources(client.handle())?.iter().map(Kind::of).collect())
}

/// The groups, the core group first, then in the server's order.
pub fn groups(client: &Client) -> Result<Vec<Group>> {
    let group = |group: &wit::ApiGroup| Group {
        name: group.name(),
        versions: group.versions(),
        preferred_version: group.preferred_version(),
    };
    Ok(wit::groups(client.handle())?.iter().map(group).collect())
}

/// What the server has and did not describe, such as groups whose own server is down; it is left out of all else.
pub fn gaps(client: &Client) -> Result<Vec<Gap>> {
    let gaps = wit::gaps(client.handle())?.into_iter();
    Ok(gaps.map(|wit::Gap { group, version, why }| Gap { group, version, why }).collect())
}

/// Asks the server anew, whatever is known.
pub fn refresh(client: &Client) -> Result<()> {
    Ok(wit::refresh(client.handle())?)
}

/// What there can be objects of, in one version of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kind {
    /// Empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`, the name in paths.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// `deploy`.
    pub short_names: Vec<String>,
    /// Names that stand for several resources: `all`.
    pub categories: Vec<String>,
    /// What can be done: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
    /// Where its objects are.
    pub scope: Scope,
    /// What is below each object: `status`, `scale`.
    pub subresources: Vec<Subresource>,
}

/// Where the objects of a kind are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// In the cluster as a whole.
    Cluster,
}

/// A path below an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subresource {
    /// `scale`.
    pub name: String,
    /// The group of its kind: `autoscaling`.
    pub group: String,
    /// The version of its kind.
    pub version: String,
    /// What is read and written there: `Scale`.
    pub kind: String,
    /// What can be done: `get`, `patch`, `update`.
    pub verbs: Vec<String>,
}

/// An API group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// Empty for the core group.
    pub name: String,
    /// The versions that the server described, in its order.
    pub versions: Vec<String>,
    /// The version that the server prefers.
    pub preferred_version: String,
}

/// Something that the server has and did not describe.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Empty for the core group.
    pub group: String,
    /// Empty where the whole group is meant.
    pub version: String,
    /// For people.
    pub why: String,
}

impl Kind {
    /// `apps/v1`, or `v1` of the core group: the `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The path of all its objects, or of those in one namespace; that has no meaning for a kind that is not in namespaces. The namespace is
    /// put in as it is: [`Client::send`] refuses one that leads elsewhere.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let (version, plural) = (self.api_version(), &self.plural);
        match (self.scope, namespace) {
            (Scope::Namespaced, Some(namespace)) => {
                format!("{root}/{version}/namespaces/{namespace}/{plural}")
            }
            _ => format!("{root}/{version}/{plural}"),
        }
    }

    /// Whether this can be done: kube-rs' `supports_operation`.
    pub fn supports_operation(&self, verb: &str) -> bool {
        self.verbs.iter().any(|one| one == verb)
    }

    /// What is below each object, by name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|one| one.name == name)
    }

    fn of(one: &wit::ApiResource) -> Self {
        let below = |name: String| {
            let one = one.subresource(&name)?;
            let (group, version) = (one.group(), one.version());
            Some(Subresource { name, group, version, kind: one.kind(), verbs: one.verbs() })
        };
        Self {
            group: one.group(),
            version: one.version(),
            kind: one.kind(),
            plural: one.plural(),
            singular: one.singular(),
            short_names: one.short_names(),
            categories: one.categories(),
            verbs: one.verbs(),
            scope: if one.namespaced() { Scope::Namespaced } else { Scope::Cluster },
            subresources: one.subresources().into_iter().filter_map(below).collect(),
        }
    }
}

impl fmt::Display for Kind {
    /// `deployments.apps`, or `pods` of the core group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

#[cfg(feature = "kube")]
mod kube {
    use kube_core::{ApiResource, DynamicObject};

    use super::{Kind, Scope};
    use crate::{Api, Client, Result};

    impl Kind {
        /// What kube-core needs to know of it.
        pub fn api_resource(&self) -> ApiResource {
            ApiResource {
                group: self.group.clone(),
                version: self.version.clone(),
                api_version: self.api_version(),
                kind: self.kind.clone(),
                plural: self.plural.clone(),
            }
        }

        /// Its objects, in one namespace or all; a namespace has no meaning for a kind that is not in namespaces.
        pub fn api(&self, client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
            match (self.scope, namespace) {
                (Scope::Namespaced, Some(namespace)) => {
                    Api::namespaced_with(client.clone(), namespace, &self.api_resource())
                }
                _ => Api::all_with(client.clone(), &self.api_resource()),
            }
        }
    }

    impl Api<DynamicObject> {
        /// Objects of the kind that a name means (see [`lookup`](crate::discovery::lookup)), in one namespace or all.
        pub fn of_name(client: &Client, name: &str, namespace: Option<&str>) -> Result<Self> {
            Ok(super::lookup(client, name)?.api(client, namespace))
        }
    }
}
