//! The messages, read from their table once.

use std::collections::HashMap;
use std::sync::OnceLock;

const TABLE: &str = include_str!("../../wire/messages.txt");

/// All messages by name.
pub(super) struct Messages(HashMap<&'static str, Vec<Field>>);

/// One field of a message.
pub(super) struct Field {
    /// Its name in JSON; `*` where its members are the message's own.
    pub(super) json: &'static str,
    /// Its number on the wire.
    pub(super) number: u32,
    /// How often it comes.
    pub(super) many: Many,
    /// What it is.
    pub(super) kind: &'static str,
    /// Whether JSON leaves it out where it is zero.
    pub(super) omit_zero: bool,
}

/// How often a field comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    One,
    List,
    /// From strings.
    Map,
}

impl Messages {
    /// The messages of this release. The table is constant, so that sharing it shares nothing that changes.
    pub(super) fn known() -> &'static Messages {
        static KNOWN: OnceLock<Messages> = OnceLock::new();
        KNOWN.get_or_init(|| {
            let message = |line: &'static str| {
                let mut words = line.split(' ');
                Some((words.next()?, words.filter_map(field).collect()))
            };
            Messages(TABLE.lines().filter_map(message).collect())
        })
    }

    /// The fields of a message.
    pub(super) fn get(&self, name: &str) -> Option<&[Field]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

fn field(word: &'static str) -> Option<Field> {
    let mut parts = word.splitn(3, ':');
    let (json, number, kind) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let (kind, omit_zero) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let (kind, many) = match (kind.strip_prefix("[]"), kind.strip_prefix("{}")) {
        (Some(item), _) => (item, Many::List),
        (_, Some(value)) => (value, Many::Map),
        _ => (kind, Many::One),
    };
    Some(Field { json, number, many, kind, omit_zero })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_in_the_table_is_known() {
        let scalars = [
            "b", "i", "u", "s", "y", "f", "time", "micro", "quantity", "intstr", "raw", "duration", "strings",
        ];
        let messages = Messages::known();
        assert!(messages.0.len() > 300);
        for (name, fields) in &messages.0 {
            for field in fields {
                let known = scalars.contains(&field.kind) || messages.get(field.kind).is_some();
                assert!(known, "{name} {} {}", field.json, field.kind);
            }
        }
    }
}
