//! Bodies in `application/vnd.kubernetes.protobuf`, which kubectl sends where it knows the kind. Answers are JSON,
//! which all such clients take besides.
//!
//! `wire/messages.txt` says how the messages look; `wire/main.go` makes it from the Go types of `k8s.io/api`.

mod decode;
mod schema;

use serde_json::{Map, Value, json};

use decode::{Reader, Wrong};
use schema::Messages;

/// What every such body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Turns a body into the JSON that the same client would have sent.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(crate) fn to_json(body: &[u8]) -> Result<Value, String> {
    let message = body.strip_prefix(MAGIC).ok_or("it does not begin with the prefix k8s\\0")?;
    let (api_version, kind, raw) =
        envelope(message).map_err(|Wrong| "it is not a runtime.Unknown message")?;
    let messages = Messages::known();
    // DeleteOptions come in the group that they delete from.
    let name =
        if kind == "DeleteOptions" { "v1/DeleteOptions".to_owned() } else { format!("{api_version}/{kind}") };
    let fields = messages.get(&name).ok_or_else(|| format!("{name} is not known in protobuf; send JSON"))?;
    let mut object = Map::new();
    object.insert("apiVersion".into(), json!(api_version));
    object.insert("kind".into(), json!(kind));
    decode::message(messages, fields, raw, &mut object).map_err(|Wrong| format!("{name} is malformed"))?;
    Ok(Value::Object(object))
}

/// `runtime.Unknown`: the type's version and kind, and the object.
fn envelope(message: &[u8]) -> Result<(String, String, &[u8]), Wrong> {
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), [].as_slice());
    let mut outer = Reader::new(message);
    while let Some((number, field)) = outer.next()? {
        match number {
            1 => {
                let mut inner = Reader::new(field.bytes()?);
                while let Some((number, field)) = inner.next()? {
                    match number {
                        1 => api_version = field.text()?,
                        2 => kind = field.text()?,
                        _ => {}
                    }
                }
            }
            2 => raw = field.bytes()?,
            _ => {}
        }
    }
    Ok((api_version, kind, raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, body: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(body.len()).unwrap()], body].concat()
    }

    fn wrapped(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &type_meta), &field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let metadata = [field(1, b"cm"), field(2, b""), field(3, b"default"), field(8, b"")].concat();
        let entry = [field(1, b"a"), field(2, b"1")].concat();
        let binary = [field(1, b"b"), field(2, &[0, 255])].concat();
        let raw = [field(1, &metadata), field(2, &entry), field(3, &binary), vec![4 << 3, 1]].concat();
        assert_eq!(
            to_json(&wrapped("v1", "ConfigMap", &raw)).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "data": {"a": "1"},
                "binaryData": {"b": "AP8="}, "metadata": {"name": "cm", "namespace": "default"},
            })
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let cases: [&[u8]; 6] = [
            b"",
            b"{}",
            b"k8s\0\xff",
            b"k8s\0\x0a\x7f",
            &wrapped("v1", "Nothing", b""),
            &wrapped("v1", "ConfigMap", &[0x0a, 0x05, 1]),
        ];
        for body in cases {
            assert!(to_json(body).is_err(), "{body:?}");
        }
    }
}
