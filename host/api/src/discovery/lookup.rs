//! A name as kubectl reads it (`resource.Builder.mappingFor` of cli-runtime over client-go's shortcut expander and priority mapper).

use std::sync::Arc;

use tidegate_kube::text;
use tidegate_transport::{Code, Error};

use super::catalog::{Catalog, Gap, Resource};
use super::near;

/// The longest name that is looked up, in bytes.
const MAX_NAME: usize = 512;

/// No resource has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct UnsupportedResource {
    /// What was looked up, made safe to show.
    pub name: String,
    /// Names that are like it, nearest first, at most three: `deployments.apps`.
    pub near: Vec<String>,
    /// What the server has but did not describe: the name may be there.
    pub gaps: Vec<Gap>,
}

/// Why a lookup found nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No resource has this name.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedResource),
    /// The server could not be asked what it has.
    #[error(transparent)]
    Discovery(#[from] Error),
}

impl From<UnsupportedResource> for Error {
    fn from(error: UnsupportedResource) -> Error {
        Error::new(Code::UnsupportedResource, error.to_string())
    }
}

impl From<LookupError> for Error {
    fn from(error: LookupError) -> Error {
        match error {
            LookupError::Unsupported(error) => error.into(),
            LookupError::Discovery(error) => error,
        }
    }
}

impl UnsupportedResource {
    fn sentence(&self) -> String {
        let mut sentence = format!("the server has no resource {:?}", self.name);
        if let Some((last, others)) = self.near.split_last() {
            let others = others.join(", ");
            let or = if others.is_empty() { "" } else { " or " };
            sentence.push_str(&format!("; did you mean {others}{or}{last}?"));
        }
        for (place, Gap { group, version, why }) in self.gaps.iter().take(3).enumerate() {
            let begin = if place == 0 { "; what it did not describe: " } else { ", " };
            let slash = if group.is_empty() || version.is_empty() { "" } else { "/" };
            sentence.push_str(&format!("{begin}{group}{slash}{version} ({why})"));
        }
        sentence
    }
}

impl Catalog {
    /// The resource that a name means. As kubectl takes it:
    ///
    /// - plural, singular, kind or short name: `pods`, `pod`, `Pod`, `po`; upper and lower case are one but in short names;
    /// - with its group, or the beginning of it: `deployments.apps`, `ingress.networking`;
    /// - with version and group: `deployments.v1.apps`, `pods.v1.`;
    ///
    /// and besides: `group/version/kind` (`apps/v1/Deployment`, `v1/Pod`), `group/kind`, and a kind alone of any group. Where several
    /// resources have the name: the core group first, then groups in the server's order, preferred versions first.
    ///
    /// Errors: no resource has this name, with the names that are like it.
    pub fn lookup(&self, name: &str) -> Result<&Arc<Resource>, UnsupportedResource> {
        let short = name.len() <= MAX_NAME;
        let found = short.then(|| self.find(name)).flatten();
        found.ok_or_else(|| UnsupportedResource {
            name: text::for_people(name, 128),
            near: if short { near::near(self, name) } else { Vec::new() },
            gaps: self.gaps.clone(),
        })
    }

    fn find(&self, name: &str) -> Option<&Arc<Resource>> {
        if name.contains('/') {
            return self.by_path(name);
        }
        let (resource, group) = name.split_once('.').unwrap_or((name, ""));
        if resource.is_empty() {
            return None;
        }
        let with_version = group.split_once('.').map(|(version, group)| Asked { resource, version, group });
        let by_resource = with_version.and_then(|asked| self.by_resource(asked));
        by_resource
            .or_else(|| self.by_resource(Asked { resource, version: "", group }))
            .or_else(|| with_version.and_then(|asked| self.by_kind(asked)))
            .or_else(|| self.by_kind(Asked { resource, version: "", group }))
            .or_else(|| self.first(|one| group.is_empty() && one.kind.eq_ignore_ascii_case(resource)))
    }

    /// kubectl's first try: plural, singular or short name.
    fn by_resource(&self, asked: Asked<'_>) -> Option<&Arc<Resource>> {
        let expanded = self.expand(asked);
        let Asked { resource, version, group } = expanded.as_ref().map_or(asked, Expanded::asked);
        let resource = resource.to_lowercase();
        self.first(|one| {
            let of_group = match (group.is_empty(), version.is_empty()) {
                (true, true) => true,
                (true, false) => *one.version == *version,
                (false, true) => one.group.starts_with(group),
                (false, false) => *one.group == *group && *one.version == *version,
            };
            of_group && (*one.plural == *resource || *one.singular == *resource)
        })
    }

    /// What a short name stands for; none where it is none, or where something has this very name.
    fn expand(&self, asked: Asked<'_>) -> Option<Expanded> {
        let Asked { resource, group, version } = asked;
        let of_group = |one: &&Arc<Resource>| group.is_empty() || *one.group == *group;
        let is_named = |one: &Arc<Resource>| *one.plural == *resource || *one.singular == *resource;
        if self.resources.iter().filter(of_group).any(is_named) {
            return None;
        }
        let is_short = |one: &&Arc<Resource>| one.short_names().any(|short| short == resource);
        // The expander forgets the version, so that `deploy.v1.apps` finds the preferred one.
        if let Some(one) = self.resources.iter().filter(of_group).find(is_short) {
            return Some(Expanded { one: one.clone(), version: String::new() });
        }
        let begins = |one: &&Arc<Resource>| !group.is_empty() && one.group.starts_with(group);
        let one = self.resources.iter().filter(begins).find(is_short)?;
        Some(Expanded { one: one.clone(), version: version.to_owned() })
    }

    /// kubectl's second try: a kind, whose group has to be exact.
    fn by_kind(&self, asked: Asked<'_>) -> Option<&Arc<Resource>> {
        let Asked { resource: kind, version, group } = asked;
        self.first(|one| {
            *one.group == *group
                && (version.is_empty() || *one.version == *version)
                && (*one.kind == *kind || one.kind.to_lowercase() == kind)
        })
    }

    /// `group/version/kind`, `version/kind` of the core group, `group/kind`; a plural or singular in the place of the kind too.
    fn by_path(&self, path: &str) -> Option<&Arc<Resource>> {
        let parts: Vec<&str> = path.split('/').collect();
        let named = |one: &Resource, name: &str| {
            *one.kind == *name
                || one.plural.eq_ignore_ascii_case(name)
                || one.singular.eq_ignore_ascii_case(name)
        };
        match parts.as_slice() {
            [group, version, name] => {
                self.first(|one| *one.group == **group && *one.version == **version && named(one, name))
            }
            [first, name] => self
                .first(|one| one.group.is_empty() && *one.version == **first && named(one, name))
                .or_else(|| self.first(|one| !first.is_empty() && *one.group == **first && named(one, name))),
            _ => None,
        }
    }

    /// The first in the order of priority.
    fn first(&self, is_meant: impl Fn(&Resource) -> bool) -> Option<&Arc<Resource>> {
        self.resources.iter().filter(|one| is_meant(one)).min_by_key(|one| self.rank(one))
    }
}

/// A name taken apart; what is empty was not said.
#[derive(Clone, Copy)]
struct Asked<'a> {
    resource: &'a str,
    version: &'a str,
    group: &'a str,
}

/// What a short name stands for.
struct Expanded {
    one: Arc<Resource>,
    version: String,
}

impl Expanded {
    fn asked(&self) -> Asked<'_> {
        Asked { resource: &self.one.plural, version: &self.version, group: &self.one.group }
    }
}
