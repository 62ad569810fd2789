//! Who an object is, and in which state.

use std::borrow::Cow;

use super::checked::NotAnObject;
use super::cursor::{Cursor, Malformed, unescape};

/// The few words of an object's `metadata` that every cache and every watch needs. What is not there is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectMeta<'a> {
    /// Empty where the kind has none.
    pub namespace: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
    /// What tells it from others that had its name.
    pub uid: Cow<'a, str>,
    /// Its state; of a bookmark the state of the cluster.
    pub resource_version: Cow<'a, str>,
}

impl<'a> ObjectMeta<'a> {
    /// Reads them, and stops once all are known.
    ///
    /// Errors: it is no object, as far as it was looked at, or one of the four is no text.
    ///
    /// ```
    /// use tidegate_kube::scan::ObjectMeta;
    /// let meta = ObjectMeta::of(br#"{"kind":"Node","metadata":{"name":"a","resourceVersion":"7"},"spec":{}}"#)?;
    /// assert_eq!((&*meta.namespace, &*meta.name, &*meta.resource_version), ("", "a", "7"));
    /// # Ok::<(), tidegate_kube::scan::NotAnObject>(())
    /// ```
    pub fn of(object: &'a [u8]) -> Result<Self, NotAnObject> {
        let mut meta = Self::default();
        let mut wanted = 4;
        walk(object, |name, value| {
            let place = match name {
                b"namespace" => &mut meta.namespace,
                b"name" => &mut meta.name,
                b"uid" => &mut meta.uid,
                b"resourceVersion" => &mut meta.resource_version,
                _ => return Some(More::Yes),
            };
            // Of equal names the first counts.
            if place.is_empty() {
                *place = text(value)?;
                wanted -= 1;
            }
            Some(if wanted == 0 { More::No } else { More::Yes })
        })?;
        Ok(meta)
    }
}

/// The `metadata.resourceVersion` of an object, empty where it has none; looks no further than that.
///
/// Errors: as [`ObjectMeta::of`].
pub fn resource_version(object: &[u8]) -> Result<Cow<'_, str>, NotAnObject> {
    let mut version = Cow::Borrowed("");
    walk(object, |name, value| {
        if name != b"resourceVersion" {
            return Some(More::Yes);
        }
        version = text(value)?;
        Some(More::No)
    })?;
    Ok(version)
}

#[derive(PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// Shows the members of `metadata` until `see` has seen enough; `see` gives none where a value is not what it must be.
fn walk<'a>(
    object: &'a [u8],
    mut see: impl FnMut(&'a [u8], &'a [u8]) -> Option<More>,
) -> Result<(), NotAnObject> {
    let mut cursor = Cursor::new(object);
    let mut walk = || {
        cursor.expect(b'{')?;
        let mut first = true;
        while let Some(name) = cursor.member(first)? {
            first = false;
            if !name.is("metadata") {
                cursor.value()?;
                continue;
            }
            if cursor.peek()? != b'{' {
                return Ok(());
            }
            cursor.expect(b'{')?;
            let mut first = true;
            while let Some(name) = cursor.member(first)? {
                first = false;
                let value = cursor.value()?;
                if see(name.raw, value).ok_or_else(|| cursor.malformed())? == More::No {
                    break;
                }
            }
            return Ok(());
        }
        Ok(())
    };
    walk().map_err(|Malformed { at }| NotAnObject { at })
}

/// A text, or nothing for `null`.
fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    if value == b"null" {
        return Some(Cow::Borrowed(""));
    }
    unescape(value.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn objects_say_who_they_are() {
        for (object, expected) in [
            (
                r#"{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7","labels":"#,
                "n/a u 7",
            ),
            (r#"{"kind":"Pod","metadata":{"labels":{"name":"b"},"name":"a"},"spec":7}"#, "/a  "),
            (r#" { "metadata" : { "resourceVersion" : "1\u0032" } } "#, "/  12"),
            (r#"{"metadata":{"name":"a","name":"b","namespace":null,"resourceVersion":"3"}}"#, "/a  3"),
            (r#"{"spec":{"metadata":{"name":"a"}}}"#, "/  "),
            (r#"{"metadata":[]}"#, "/  "),
            ("{}", "/  "),
            ("", "byte 0"),
            ("[]", "byte 0"),
            (r#"{"metadata":{"name":7}}"#, "byte 21"),
            (r#"{"metadata":{"name":"a""#, "byte 23"),
            (r#"{"metadata":{"resourceVersion":{}}}"#, "byte 33"),
        ] {
            let found = match ObjectMeta::of(object.as_bytes()) {
                Ok(meta) => {
                    format!("{}/{} {} {}", meta.namespace, meta.name, meta.uid, meta.resource_version)
                }
                Err(NotAnObject { at }) => format!("byte {at}"),
            };
            assert_eq!(found, expected, "{object}");
            if let Ok(meta) = ObjectMeta::of(object.as_bytes()) {
                assert_eq!(resource_version(object.as_bytes()), Ok(meta.resource_version), "{object}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(object: Vec<u8>, tail in "\\PC{0,40}") {
            let _ = ObjectMeta::of(&object);
            let _ = ObjectMeta::of(format!("{{\"metadata\":{tail}").as_bytes());
        }
    }
}
