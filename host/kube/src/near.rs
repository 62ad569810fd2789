//! Names that somebody may have meant.

/// At most three of `names` that differ little from `word`, the nearest first: a letter left out, added, changed or swapped in each
/// three letters, in either case.
///
/// ```
/// use tidegate_kube::near;
/// assert_eq!(near::among("cotext", ["context", "user", "cluster"]), ["context"]);
/// assert!(near::among("x", ["context"]).is_empty());
/// ```
pub fn among<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const LONGEST: usize = 253;
    if word.len() > LONGEST {
        return Vec::new();
    }
    let wanted: Vec<char> = word.to_lowercase().chars().collect();
    let most = (wanted.len() / 3).max(1);
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter(|name| name.len().abs_diff(word.len()) <= most * 4)
        .filter_map(|name| {
            let other: Vec<char> = name.to_lowercase().chars().collect();
            Some((distance(&wanted, &other), name)).filter(|(distance, _)| *distance <= most)
        })
        .collect();
    found.sort();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// How many letters must be left out, added, changed or swapped with their neighbours (Damerau, Levenshtein; optimal string alignment).
/// Takes time and room with the product of both lengths: cap them first.
pub fn distance(left: &[char], right: &[char]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &own) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, &other) in right.iter().enumerate() {
            let changed = above[column] + usize::from(own != other);
            let mut least = changed.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped = row > 0 && column > 0 && own == right[column - 1] && left[row - 1] == other;
            if swapped {
                let diagonal: &Vec<usize> = &before;
                least = least.min(diagonal[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names() {
        for (word, names, expected) in [
            ("prod", &["prod", "dev"][..], &["prod"][..]),
            ("pord", &["prod", "dev"], &["prod"]),
            ("Prod", &["prod"], &["prod"]),
            ("staging-1", &["staging-2", "staging-11", "prod"], &["staging-11", "staging-2"]),
            ("", &["a"], &["a"]),
            ("ü", &["u", "xyz"], &["u"]),
            ("x", &["abc"], &[]),
        ] {
            assert_eq!(among(word, names.iter().copied()), expected, "{word}");
        }
    }

    #[test]
    fn slips_are_counted() {
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        for (a, b, expected) in [
            ("pods", "pods", 0),
            ("pdos", "pods", 1),
            ("", "ab", 2),
            ("deploymnet", "deployment", 1),
            ("ab", "", 2),
            ("po", "svc", 3),
        ] {
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
        }
    }
}
