//! What a name was likely meant to be.

use std::sync::Arc;

use tidegate_kube::near;

use super::catalog::{Catalog, Resource};

/// How many are named.
const FEW: usize = 3;
/// Nothing of this length is a slip of the finger.
const LONGEST: usize = 64;

/// Resources with a name like this one, nearest first, as names that work: `pods`, `deployments.apps`.
pub(super) fn near(catalog: &Catalog, name: &str) -> Vec<String> {
    let name = name.split(['.', '/']).next().unwrap_or_default().to_lowercase();
    if name.is_empty() || name.len() > LONGEST {
        return Vec::new();
    }
    let name: Vec<char> = name.chars().collect();
    // One slip in a short name, and one more for each four letters.
    let most = (name.len() / 4).clamp(1, 3);
    let mut found: Vec<(usize, String)> = Vec::new();
    for resource in catalog.preferred_resources() {
        if let Some(distance) = distance_to(resource, &name).filter(|distance| *distance <= most) {
            found.push((distance, resource.qualified()));
        }
    }
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, name)| name).take(FEW).collect()
}

fn distance_to(resource: &Arc<Resource>, name: &[char]) -> Option<usize> {
    let kind = resource.kind().to_lowercase();
    let long = [resource.plural(), resource.singular(), &kind];
    // Two letters are one slip away from any other two: short names must share the first.
    let short = resource
        .short_names()
        .filter(|short| short.len() > 2 && short.chars().next().as_ref() == name.first());
    let letters = |other: &str| other.chars().take(LONGEST + 4).collect::<Vec<char>>();
    long.into_iter().chain(short).map(|other| near::distance(name, &letters(other))).min()
}
