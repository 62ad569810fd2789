//! A `Status` in Kubernetes' protobuf form, which servers answer with where a request accepted protobuf
//! (`apimachinery/pkg/runtime/generated.proto`, `pkg/apis/meta/v1/generated.proto`).

use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";

/// The fields of a `Status` that count.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wire {
    pub(super) reason: String,
    pub(super) message: String,
    /// As JSON; `None` where there are none.
    pub(super) details: Option<String>,
}

/// Reads a body; `None` where it is no `Status`, or broken.
pub(super) fn read(body: &[u8]) -> Option<Wire> {
    let (mut kind, mut raw) = (None, None);
    for field in fields(body.strip_prefix(MAGIC)?) {
        match field? {
            (1, Field::Bytes(meta)) => kind = strings(meta, &[(2, "kind")])?.remove("kind"),
            (2, Field::Bytes(bytes)) => raw = Some(bytes),
            _ => {}
        }
    }
    if kind? != "Status" {
        return None;
    }
    let mut wire = Wire::default();
    for field in fields(raw?) {
        match field? {
            (3, Field::Bytes(message)) => wire.message = text(message),
            (4, Field::Bytes(reason)) => wire.reason = text(reason),
            (5, Field::Bytes(details)) => wire.details = Some(details_json(details)?),
            _ => {}
        }
    }
    Some(wire)
}

/// `StatusDetails` as the JSON form has them: empty fields are left out.
fn details_json(bytes: &[u8]) -> Option<String> {
    let mut details = strings(bytes, &[(1, "name"), (2, "group"), (3, "kind"), (6, "uid")])?;
    let mut causes = Vec::new();
    for field in fields(bytes) {
        match field? {
            (4, Field::Bytes(cause)) => {
                causes.push(Value::Object(strings(cause, &[(1, "reason"), (2, "message"), (3, "field")])?));
            }
            (5, Field::Number(seconds)) if seconds != 0 => {
                details.insert("retryAfterSeconds".to_owned(), json!(seconds));
            }
            _ => {}
        }
    }
    if !causes.is_empty() {
        details.insert("causes".to_owned(), Value::Array(causes));
    }
    Some(Value::Object(details).to_string())
}

/// The text fields of a message that are not empty, by name.
fn strings(message: &[u8], names: &[(u64, &str)]) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    for field in fields(message) {
        let (number, field) = field?;
        if let Field::Bytes(bytes) = field
            && !bytes.is_empty()
            && let Some((_, name)) = names.iter().find(|(known, _)| *known == number)
        {
            out.insert((*name).to_owned(), Value::String(text(bytes)));
        }
    }
    Some(out)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// A message's fields with their numbers; one `None` at the end where it is broken.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Option<(u64, Field<'_>)>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field)
    })
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = varint(rest)?;
    let field = match key & 7 {
        0 => Field::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Field::Other)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Field::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Field::Other)?,
        _ => return None,
    };
    Some((key >> 3, field))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("a short field");
        assert!(length < 0x80, "a one-byte length");
        [&[number << 3 | 2, length], bytes].concat()
    }

    fn status(kind: &str, fields: &[Vec<u8>]) -> Vec<u8> {
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, &fields.concat()), field(3, b"")].concat()
    }

    #[test]
    fn a_status() {
        let cause = [field(1, b"FieldValueRequired"), field(2, b"needed"), field(3, b"spec")].concat();
        let details = [field(1, b"x"), field(3, b"pods"), field(4, &cause), vec![5 << 3, 7]].concat();
        let fields = [
            field(1, b""),
            field(2, b"Failure"),
            field(3, b"no x"),
            field(4, b"NotFound"),
            field(5, &details),
            vec![6 << 3, 0x94, 0x03],
        ];
        let body = status("Status", &fields);
        let expected = Wire {
            reason: "NotFound".into(),
            message: "no x".into(),
            details: Some(r#"{"causes":[{"field":"spec","message":"needed","reason":"FieldValueRequired"}],"kind":"pods","name":"x","retryAfterSeconds":7}"#.into()),
        };
        assert_eq!(read(&body), Some(expected));
        assert_eq!(read(&status("Pod", &fields)), None);
        assert_eq!(read(&body[4..]), None);
        assert_eq!(read(&body[..body.len() - 20]), None);
        assert_eq!(read(b"k8s\0"), None);
    }

    proptest! {
        #[test]
        fn never_panics(body: Vec<u8>) {
            read(&[MAGIC, &body].concat());
            read(&status("Status", &[body.into_iter().take(60).collect()]));
        }
    }
}
