use std::collections::HashSet;
use std::sync::Arc;

use tidegate_kube::text;

use super::catalog::{Catalog, Gap, Group, Name, Names, Resource, Scope, Subresource};
use super::document::DocumentError;

/// The most groups, and the most versions of all groups together, that a catalog holds.
pub const MAX_GROUPS: usize = 4_096;
/// The most resources that a catalog holds, each version counted, and the most subresources.
pub const MAX_RESOURCES: usize = 65_536;

/// The most short names, categories or verbs of one resource, and the most subresources.
const MAX_LIST: usize = 128;
/// The most gaps that are kept: more say nothing new.
const MAX_GAPS: usize = 256;
/// The longest name.
const MAX_NAME: usize = 253;

/// A resource as a document has it.
#[derive(Default)]
pub(super) struct Described {
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) kind: String,
    pub(super) namespaced: bool,
    pub(super) short_names: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) verbs: Vec<String>,
    pub(super) subresources: Vec<DescribedBelow>,
}

/// A subresource as a document has it; group and version are empty where they are the resource's own.
pub(super) struct DescribedBelow {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) verbs: Vec<String>,
}

/// Makes a [`Catalog`] of what documents say: names are checked, since paths are made of them, and equal ones are kept once.
#[derive(Default)]
pub(super) struct Builder {
    catalog: Catalog,
    names: HashSet<Name>,
    lists: HashSet<Names>,
    /// Group, version and plural of what is there.
    seen: HashSet<(Name, Name, Name)>,
    versions: usize,
    subresources: usize,
}

impl Builder {
    /// Adds a group, or versions to one that is there. `preferred` is its first version unless it is given.
    pub(super) fn group(
        &mut self,
        name: &str,
        versions: &[String],
        preferred: Option<&str>,
    ) -> Result<(), DocumentError> {
        if !(name.is_empty() || is_domain(name)) {
            self.gap(name, "", "the name of the group is not a DNS name");
            return Ok(());
        }
        let fit: Vec<&String> = versions.iter().filter(|version| is_label(version)).collect();
        if fit.len() < versions.len() {
            self.gap(name, "", "the name of a version is not a DNS label");
        }
        self.versions += fit.len();
        if self.versions > MAX_GROUPS || self.catalog.groups.len() >= MAX_GROUPS {
            return Err(DocumentError::TooMany { what: "groups and versions", cap: MAX_GROUPS });
        }
        let fit: Vec<String> = fit.into_iter().cloned().collect();
        let Some(first) = fit.first().cloned() else { return Ok(()) };
        let preferred =
            preferred.filter(|preferred| fit.iter().any(|one| one == preferred)).unwrap_or(&first);
        let (name, preferred) = (self.name(name), self.name(preferred));
        match self.catalog.groups.iter().position(|group| group.name == name) {
            Some(place) => {
                let mut all: Vec<String> = self.catalog.groups[place].versions().map(str::to_owned).collect();
                all.extend(fit.into_iter().filter(|one| !all.contains(one)).collect::<Vec<_>>());
                self.catalog.groups[place].versions = self.list(all);
            }
            None => {
                let mut once: Vec<String> = Vec::new();
                fit.into_iter().for_each(|one| {
                    if !once.contains(&one) {
                        once.push(one);
                    }
                });
                let versions = self.list(once);
                self.catalog.groups.push(Group { name, versions, preferred });
            }
        }
        Ok(())
    }

    /// Adds a resource of a group that is there.
    pub(super) fn resource(
        &mut self,
        group: &str,
        version: &str,
        described: Described,
    ) -> Result<(), DocumentError> {
        if !self.has(group, version) {
            return Ok(());
        }
        if let Some(why) = unfit(&described) {
            self.gap(group, version, &why);
            return Ok(());
        }
        if self.catalog.resources.len() >= MAX_RESOURCES {
            return Err(DocumentError::TooMany { what: "resources", cap: MAX_RESOURCES });
        }
        let key = (self.name(group), self.name(version), self.name(&described.plural));
        if !self.seen.insert(key.clone()) {
            self.gap(group, version, &format!("{} is described twice; the first counts", described.plural));
            return Ok(());
        }
        let singular = match described.singular.as_str() {
            "" => described.kind.to_lowercase(),
            singular => singular.to_owned(),
        };
        let subresources = self.below(group, version, described.subresources)?;
        let resource = Resource {
            group: key.0,
            version: key.1,
            kind: self.name(&described.kind),
            plural: key.2,
            singular: self.name(&singular),
            short_names: self.list(described.short_names),
            categories: self.list(described.categories),
            verbs: self.list(described.verbs),
            scope: if described.namespaced { Scope::Namespaced } else { Scope::Cluster },
            subresources,
        };
        self.catalog.resources.push(Arc::new(resource));
        Ok(())
    }

    /// Says that something is left out.
    pub(super) fn gap(&mut self, group: &str, version: &str, why: &str) {
        if self.catalog.gaps.len() < MAX_GAPS {
            let safe = |value: &str| text::for_people(value, MAX_NAME);
            self.catalog.gaps.push(Gap { group: safe(group), version: safe(version), why: safe(why) });
        }
    }

    /// Takes a version back that could not be described, as client-go does: the preferred one is then the first that is left.
    pub(super) fn failed(&mut self, group: &str, version: &str, why: &str) {
        self.gap(group, version, why);
        let Some(found) = self.catalog.groups.iter_mut().find(|one| one.name() == group) else { return };
        found.versions = found.versions.iter().filter(|one| ***one != *version).cloned().collect();
        if *found.preferred == *version
            && let Some(first) = found.versions.first()
        {
            found.preferred = first.clone();
        }
    }

    /// What came of it: groups of which nothing is left are gone.
    pub(super) fn build(self) -> Catalog {
        let mut catalog = self.catalog;
        catalog.groups.retain(|group| !group.versions.is_empty());
        // The core group comes first whatever document came first.
        catalog.groups.sort_by_key(|group| !group.name.is_empty());
        catalog
    }

    fn has(&self, group: &str, version: &str) -> bool {
        let found = self.catalog.groups.iter().find(|one| one.name() == group);
        found.is_some_and(|one| one.versions().any(|one| one == version))
    }

    fn below(
        &mut self,
        group: &str,
        version: &str,
        described: Vec<DescribedBelow>,
    ) -> Result<Arc<[Subresource]>, DocumentError> {
        let mut found: Vec<Subresource> = Vec::new();
        for one in described {
            if !is_path_name(&one.name) || found.iter().any(|other| *other.name == *one.name) {
                self.gap(group, version, "the name of a subresource is no name, or is there twice");
                continue;
            }
            self.subresources += 1;
            if self.subresources > MAX_RESOURCES {
                return Err(DocumentError::TooMany { what: "subresources", cap: MAX_RESOURCES });
            }
            let (of_group, of_version) = match one.version.as_str() {
                "" => (group.to_owned(), version.to_owned()),
                _ => (one.group, one.version),
            };
            found.push(Subresource {
                name: self.name(&one.name),
                group: self.name(&cut(of_group)),
                version: self.name(&cut(of_version)),
                kind: self.name(&cut(one.kind)),
                verbs: self.list(one.verbs),
            });
        }
        Ok(found.into())
    }

    fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.names.get(text) {
            return name.clone();
        }
        let name: Name = text.into();
        self.names.insert(name.clone());
        name
    }

    fn list(&mut self, texts: Vec<String>) -> Names {
        let list: Names = texts.iter().map(|text| self.name(text)).collect();
        if let Some(same) = self.lists.get(&list) {
            return same.clone();
        }
        self.lists.insert(list.clone());
        list
    }
}

/// Why a resource cannot be taken over.
fn unfit(described: &Described) -> Option<String> {
    let shown = text::for_people(&described.plural, 64);
    let lists = [&described.short_names, &described.categories, &described.verbs];
    if !is_path_name(&described.plural) {
        return Some(format!("{shown:?} is not the name of a resource"));
    }
    if described.kind.is_empty() || described.kind.len() > MAX_NAME || described.singular.len() > MAX_NAME {
        return Some(format!("{shown} has no kind, or a name that is too long"));
    }
    if lists.iter().any(|list| list.len() > MAX_LIST || list.iter().any(|one| one.len() > MAX_NAME))
        || described.subresources.len() > MAX_LIST
    {
        return Some(format!("{shown} has more names than {MAX_LIST}, or one longer than {MAX_NAME} bytes"));
    }
    None
}

/// A segment of a path that needs no encoding. Some servers have upper case in it.
fn is_path_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(inner) && !text.starts_with('.')
}

fn is_domain(text: &str) -> bool {
    text.len() <= MAX_NAME && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-')
}

fn cut(text: String) -> String {
    if text.len() <= MAX_NAME { text } else { text::for_people(&text, MAX_NAME) }
}
