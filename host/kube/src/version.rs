//! Resource versions, which the API server lets its clients compare (KEP-5504).

use std::cmp::Ordering;

/// How two versions of the same server stand to each other; none where one is no whole number, as those of servers that only resemble an
/// API server may be.
///
/// ```
/// use std::cmp::Ordering;
/// use tidegate_kube::version::compare;
/// assert_eq!(compare("9", "10"), Some(Ordering::Less));
/// assert_eq!(compare("7", "x"), None);
/// ```
pub fn compare(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (number(one)?, number(other)?);
    // Without leading zeros the longer one is the larger, however long both are.
    Some(one.len().cmp(&other.len()).then_with(|| one.cmp(other)))
}

fn number(version: &str) -> Option<&str> {
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| version.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        use Ordering::{Equal, Greater, Less};
        for (one, other, expected) in [
            ("1", "2", Some(Less)),
            ("10", "9", Some(Greater)),
            ("007", "7", Some(Equal)),
            ("0", "00", Some(Equal)),
            ("99999999999999999999999999", "100000000000000000000000000", Some(Less)),
            ("", "1", None),
            ("1", "", None),
            ("-1", "1", None),
            ("1.0", "1", None),
            ("٣", "1", None),
        ] {
            assert_eq!(compare(one, other), expected, "{one} {other}");
            assert_eq!(compare(other, one), expected.map(Ordering::reverse), "{other} {one}");
        }
    }
}
