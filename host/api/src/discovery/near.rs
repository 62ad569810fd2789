//! What a name was likely meant to be.

use std::sync::Arc;

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
    // One slip in a short name, and one more for each four letters.
    let most = (name.chars().count() / 4).clamp(1, 3);
    let mut found: Vec<(usize, String)> = Vec::new();
    for resource in catalog.preferred_resources() {
        if let Some(distance) = distance_to(resource, &name).filter(|distance| *distance <= most) {
            found.push((distance, resource.qualified()));
        }
    }
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, name)| name).take(FEW).collect()
}

fn distance_to(resource: &Arc<Resource>, name: &str) -> Option<usize> {
    let kind = resource.kind().to_lowercase();
    let long = [resource.plural(), resource.singular(), &kind];
    // Two letters are one slip away from any other two: short names must share the first.
    let short =
        resource.short_names().filter(|short| short.len() > 2 && short.chars().next() == name.chars().next());
    long.into_iter().chain(short).map(|other| distance(name, other)).min()
}

/// Letters to add, drop, change or swap with the next (Damerau, Levenshtein; optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().take(LONGEST + 4).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let changed = last[j] + usize::from(left != right);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn slips_are_counted() {
        for (a, b, expected) in [
            ("pods", "pods", 0),
            ("pdos", "pods", 1),
            ("", "ab", 2),
            ("deploymnet", "deployment", 1),
            ("ab", "", 2),
            ("po", "svc", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
