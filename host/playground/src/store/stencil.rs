//! Objects that differ in a few texts only, made without serialising each: 50,000 pods or a million events in a
//! moment, for tests and benchmarks.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Indexed, Key, Object, at};

/// An object with holes. A hole is a character from the private use area; see [`hole`].
pub(crate) struct Stencil {
    template: Object,
    /// What stands before each hole, and the hole's number.
    pieces: Vec<(Bytes, usize)>,
    tail: Bytes,
}

/// The text that stands for hole `number` (from 1; 0 is the revision) in a stencil's object.
pub(crate) fn hole(number: u8) -> String {
    String::from(marker(usize::from(number)))
}

impl Stencil {
    /// Makes a stencil of an object; its `resourceVersion` becomes hole 0.
    pub(crate) fn new(key: Key, mut value: Map<String, Value>, indexed: &[Indexed]) -> Stencil {
        if !at(&value, "metadata").is_object() {
            value.insert("metadata".into(), json!({}));
        }
        value["metadata"]["resourceVersion"] = json!(hole(0));
        let template = Object::unsaved(key, &value, 0, indexed);
        let (pieces, tail) = cut(&template.body);
        Stencil { template, pieces, tail }
    }

    /// The object with its holes filled.
    pub(super) fn fill(&self, key: Option<Key>, revision: u64, texts: &[&str]) -> Object {
        let number = revision.to_string();
        let text = |hole: usize| match hole.checked_sub(1) {
            None => number.as_str(),
            Some(hole) => texts.get(hole).copied().unwrap_or_default(),
        };
        let mut body = Vec::with_capacity(self.template.body.len() + 128);
        for (before, hole) in &self.pieces {
            body.extend_from_slice(before);
            body.extend_from_slice(text(*hole).as_bytes());
        }
        body.extend_from_slice(&self.tail);
        let fill = |part: &str| match part.chars().next().and_then(number_of) {
            Some(hole) => text(hole).to_owned(),
            None => part.to_owned(),
        };
        let key = key.unwrap_or_else(|| self.template.key.clone());
        self.template.filled(key, revision, body.into(), fill)
    }
}

const FIRST: u32 = 0xe000;

fn marker(number: usize) -> char {
    u32::try_from(number).ok().and_then(|number| char::from_u32(FIRST + number)).unwrap_or('\u{e000}')
}

fn number_of(c: char) -> Option<usize> {
    (FIRST..FIRST + 256).contains(&u32::from(c)).then(|| (u32::from(c) - FIRST) as usize)
}

fn cut(body: &Bytes) -> (Vec<(Bytes, usize)>, Bytes) {
    // What was serialised here is UTF-8.
    let text = std::str::from_utf8(body).unwrap_or_default();
    let mut pieces = Vec::new();
    let mut start = 0;
    for (position, c) in text.char_indices() {
        if let Some(number) = number_of(c) {
            pieces.push((body.slice(start..position), number));
            start = position + c.len_utf8();
        }
    }
    (pieces, body.slice(start..))
}
