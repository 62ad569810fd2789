//! From the wire to JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::schema::{Field, Many, Messages};

/// The bytes are no such message.
#[derive(Debug)]
pub(super) struct Wrong;

/// Messages in messages, at most: hostile bodies must not exhaust the stack.
const DEEPEST: usize = 64;

/// One field as it stands on the wire.
#[derive(Clone, Copy)]
pub(super) enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads fields one after the other.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// The next field and its number.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Wrong> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Wrong)?;
        let field = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            1 => Wire::Number(self.take(8)?.try_into().map(u64::from_le_bytes).map_err(|_| Wrong)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Wrong)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Number(self.take(4)?.try_into().map(u32::from_le_bytes).map_err(|_| Wrong)?.into()),
            _ => return Err(Wrong),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, Wrong> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Wrong)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Wrong)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Wire<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Wrong> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            Wire::Number(_) => Err(Wrong),
        }
    }

    pub(super) fn text(self) -> Result<String, Wrong> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Wrong)
    }

    fn number(self) -> Result<u64, Wrong> {
        match self {
            Wire::Number(number) => Ok(number),
            Wire::Bytes(_) => Err(Wrong),
        }
    }
}

/// Decodes a message into the members of `into`.
pub(super) fn message(
    messages: &Messages,
    fields: &[Field],
    bytes: &[u8],
    into: &mut Map<String, Value>,
) -> Result<(), Wrong> {
    nested(messages, fields, bytes, into, 0)
}

fn nested(
    messages: &Messages,
    fields: &[Field],
    bytes: &[u8],
    into: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), Wrong> {
    if depth > DEEPEST {
        return Err(Wrong);
    }
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        // A newer client's field is dropped, as an older server drops it.
        let Some(field) = fields.iter().find(|field| field.number == number) else { continue };
        if field.json == "*" {
            let inline = messages.get(field.kind).ok_or(Wrong)?;
            nested(messages, inline, wire.bytes()?, into, depth + 1)?;
            continue;
        }
        match field.many {
            Many::One => {
                let value = value(messages, field.kind, wire, depth)?;
                let left_out = value.is_null() || field.omit_zero && is_zero(&value);
                if !left_out {
                    into.insert(field.json.into(), value);
                }
            }
            Many::List => {
                let item = value(messages, field.kind, wire, depth)?;
                let list = into.entry(field.json).or_insert_with(|| json!([]));
                list.as_array_mut().ok_or(Wrong)?.push(item);
            }
            Many::Map => {
                let (key, item) = entry(messages, field.kind, wire.bytes()?, depth)?;
                let map = into.entry(field.json).or_insert_with(|| json!({}));
                map.as_object_mut().ok_or(Wrong)?.insert(key, item);
            }
        }
    }
    Ok(())
}

fn entry(messages: &Messages, kind: &str, bytes: &[u8], depth: usize) -> Result<(String, Value), Wrong> {
    let (mut key, mut item) = (String::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        match number {
            1 => key = wire.text()?,
            2 => item = Some(value(messages, kind, wire, depth)?),
            _ => {}
        }
    }
    Ok((key, item.unwrap_or_else(|| json!(""))))
}

fn value(messages: &Messages, kind: &str, wire: Wire<'_>, depth: usize) -> Result<Value, Wrong> {
    Ok(match kind {
        "b" => json!(wire.number()? != 0),
        // Negative numbers are written as their 64-bit complement.
        "i" => json!(wire.number()? as i64),
        "u" => json!(wire.number()?),
        "f" => json!(f64::from_bits(wire.number()?)),
        "s" => json!(wire.text()?),
        "y" => json!(STANDARD.encode(wire.bytes()?)),
        "time" => moment(wire.bytes()?, 0)?,
        "micro" => moment(wire.bytes()?, 6)?,
        "quantity" => first(wire.bytes()?)?.map_or(Ok(json!("0")), |wire| wire.text().map(Value::from))?,
        "raw" => match first(wire.bytes()?)? {
            None => Value::Null,
            Some(wire) => serde_json::from_slice(wire.bytes()?).map_err(|_| Wrong)?,
        },
        "duration" => {
            let nanos = first(wire.bytes()?)?.map_or(Ok(0), Wire::number)? as i64;
            json!(format!("{}s", nanos as f64 / 1e9))
        }
        "intstr" => int_or_string(wire.bytes()?)?,
        "strings" => {
            let mut items = Vec::new();
            let mut reader = Reader::new(wire.bytes()?);
            while let Some((_, wire)) = reader.next()? {
                items.push(json!(wire.text()?));
            }
            Value::Array(items)
        }
        name => {
            let mut object = Map::new();
            nested(messages, messages.get(name).ok_or(Wrong)?, wire.bytes()?, &mut object, depth + 1)?;
            Value::Object(object)
        }
    })
}

/// The field number 1 of a message that has no other.
fn first(bytes: &[u8]) -> Result<Option<Wire<'_>>, Wrong> {
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        if number == 1 {
            return Ok(Some(wire));
        }
    }
    Ok(None)
}

/// A timestamp with that many digits of the second; an empty message is no time.
fn moment(bytes: &[u8], digits: usize) -> Result<Value, Wrong> {
    let (mut seconds, mut nanos) = (None, 0);
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.next()? {
        match number {
            1 => seconds = Some(wire.number()? as i64),
            2 => nanos = wire.number()?,
            _ => {}
        }
    }
    let Some(seconds) = seconds else { return Ok(Value::Null) };
    let at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Wrong)?;
    let text = crate::api::timestamp(at);
    Ok(match digits {
        0 => json!(text),
        _ => json!(format!("{}.{:06}Z", text.trim_end_matches('Z'), nanos / 1000)),
    })
}

fn int_or_string(bytes: &[u8]) -> Result<Value, Wrong> {
    let (mut is_text, mut number, mut text) = (false, 0, String::new());
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.next()? {
        match field {
            1 => is_text = wire.number()? == 1,
            2 => number = wire.number()? as i64,
            3 => text = wire.text()?,
            _ => {}
        }
    }
    Ok(if is_text { json!(text) } else { json!(number) })
}

/// What `omitempty` leaves out; an empty struct stays.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
