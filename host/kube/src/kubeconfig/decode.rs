//! From a YAML tree to the schema, with errors that name the place and never the text.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::yaml::{At, Value};
use crate::Secret;

mod entries;

pub(super) use entries::config;

/// Why a document is no kubeconfig. The file's text is not in the message, but for the names of entries, `kind` and
/// `apiVersion`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The document is no YAML, or one of the caps was hit.
    #[error("the kubeconfig cannot be read: {reason}{}", at_line(*.line))]
    Yaml {
        /// What is wrong.
        reason: String,
        /// The line, counted from 1; 0 where it is the whole document.
        line: usize,
    },
    /// A field has the wrong type.
    #[error("{path}: expected {expected}, found {found}{}", if *.expected == "a string" { "; put it in quotes" } else { "" })]
    Type {
        /// The field, for example `users[3].user.token`.
        path: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A `…-data` field is no base64.
    #[error("{path}: not base64 (standard alphabet, padded)")]
    Base64 {
        /// The field.
        path: String,
    },
    /// Two entries of a list have the same name.
    #[error("{path}: duplicate name {name:?}; remove or rename one of the two")]
    Duplicate {
        /// The second one.
        path: String,
        /// The name.
        name: String,
    },
    /// `kind` or `apiVersion` is another one's.
    #[error("{}", wrong_kind(.kind, .version))]
    Kind {
        /// `kind`; `None` where it is not a plain word.
        kind: Option<String>,
        /// `apiVersion`; `None` where it is not a plain version.
        version: Option<String>,
    },
}

impl From<At> for ParseError {
    fn from((fault, line): At) -> Self {
        Self::Yaml { reason: fault.to_string(), line }
    }
}

fn at_line(line: usize) -> String {
    if line == 0 { String::new() } else { format!(" (line {line})") }
}

fn wrong_kind(kind: &Option<String>, version: &Option<String>) -> String {
    let (Some(kind), Some(version)) = (kind, version) else {
        return "this is no kubeconfig: its kind is not \"Config\" or its apiVersion is not \"v1\""
            .to_owned();
    };
    format!("no kind {kind:?} is registered for version {version:?}; a kubeconfig is \"Config\" of \"v1\"")
}

/// A place in the document.
#[derive(Clone, Copy)]
pub(in crate::kubeconfig) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Root,
    Field(&'static str),
    Index(usize),
    /// A key that is the file's own text.
    Key,
}

impl<'a> Place<'a> {
    pub(in crate::kubeconfig) fn root() -> Self {
        Self { parent: None, step: Step::Root }
    }

    fn field(&'a self, name: &'static str) -> Place<'a> {
        Place { parent: Some(self), step: Step::Field(name) }
    }

    fn index(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), step: Step::Index(index) }
    }

    fn key(&'a self) -> Place<'a> {
        Place { parent: Some(self), step: Step::Key }
    }

    fn wrong(&self, expected: &'static str, found: &Value) -> ParseError {
        ParseError::Type { path: self.to_string(), expected, found: found.kind() }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return f.write_str("the document") };
        let first = parent.parent.is_none();
        if !first {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if first => f.write_str(name),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key => f.write_str("[…]"),
        }
    }
}

/// The fields of a map, taken out one by one. As in Go, a missing field and `null` are the zero value, names are
/// case-sensitive, and what is not taken is ignored.
pub(in crate::kubeconfig) struct Fields<'a> {
    place: &'a Place<'a>,
    entries: Vec<(String, Value)>,
}

impl<'a> Fields<'a> {
    pub(in crate::kubeconfig) fn of(place: &'a Place<'a>, value: Value) -> Result<Self, ParseError> {
        match value {
            Value::Null => Ok(Self { place, entries: Vec::new() }),
            Value::Map(entries) => Ok(Self { place, entries }),
            other => Err(place.wrong("a map", &other)),
        }
    }

    fn take(&mut self, name: &str) -> Value {
        match self.entries.binary_search_by(|(key, _)| key.as_str().cmp(name)) {
            Ok(index) => std::mem::replace(&mut self.entries[index].1, Value::Null),
            Err(_) => Value::Null,
        }
    }

    pub(in crate::kubeconfig) fn string(&mut self, name: &'static str) -> Result<String, ParseError> {
        string(&self.place.field(name), self.take(name))
    }

    pub(in crate::kubeconfig) fn secret(&mut self, name: &'static str) -> Result<Secret, ParseError> {
        self.string(name).map(Secret::new)
    }

    pub(in crate::kubeconfig) fn bool(&mut self, name: &'static str) -> Result<bool, ParseError> {
        match self.take(name) {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(value),
            other => Err(self.place.field(name).wrong("true or false", &other)),
        }
    }

    /// Base64, or (as Go's decoder has it) a list of numbers.
    pub(in crate::kubeconfig) fn bytes(&mut self, name: &'static str) -> Result<Secret<Vec<u8>>, ParseError> {
        let place = self.place.field(name);
        let bytes = match self.take(name) {
            Value::Null => Vec::new(),
            Value::Text(text) => {
                base64(&text).ok_or_else(|| ParseError::Base64 { path: place.to_string() })?
            }
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| byte(&place.index(i), item))
                .collect::<Result<_, _>>()?,
            other => return Err(place.wrong("base64 text", &other)),
        };
        Ok(Secret::new(bytes))
    }

    pub(in crate::kubeconfig) fn list<T>(
        &mut self,
        name: &'static str,
        item: impl Fn(&Place<'_>, Value) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        list(&self.place.field(name), self.take(name), item)
    }

    pub(in crate::kubeconfig) fn map<T>(
        &mut self,
        name: &'static str,
        item: impl Fn(&Place<'_>, Value) -> Result<T, ParseError>,
    ) -> Result<BTreeMap<String, T>, ParseError> {
        let place = self.place.field(name);
        let fields = Fields::of(&place, self.take(name))?;
        let place = place.key();
        fields.entries.into_iter().map(|(key, value)| Ok((key, item(&place, value)?))).collect()
    }

    /// A field that is a map of its own; `None` where it is missing or null.
    pub(in crate::kubeconfig) fn optional<T>(
        &mut self,
        name: &'static str,
        decode: impl Fn(&Place<'_>, Value) -> Result<T, ParseError>,
    ) -> Result<Option<T>, ParseError> {
        match self.take(name) {
            Value::Null => Ok(None),
            value => decode(&self.place.field(name), value).map(Some),
        }
    }

    /// As [`Fields::optional`], with the zero value where it is missing.
    pub(in crate::kubeconfig) fn nested<T>(
        &mut self,
        name: &'static str,
        decode: impl Fn(&Place<'_>, Value) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        decode(&self.place.field(name), self.take(name))
    }

    /// A list of `{name, <field>}`, by name.
    pub(in crate::kubeconfig) fn named<T>(
        &mut self,
        name: &'static str,
        field: &'static str,
        decode: impl Fn(&Place<'_>, Value) -> Result<T, ParseError>,
    ) -> Result<BTreeMap<String, T>, ParseError> {
        let place = self.place.field(name);
        let pairs = list(&place, self.take(name), |place, value| {
            let mut fields = Fields::of(place, value)?;
            Ok((fields.string("name")?, fields.nested(field, &decode)?))
        })?;
        let mut out = BTreeMap::new();
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            if out.contains_key(&name) {
                return Err(ParseError::Duplicate { path: place.index(index).to_string(), name });
            }
            out.insert(name, value);
        }
        Ok(out)
    }
}

pub(in crate::kubeconfig) fn string(place: &Place<'_>, value: Value) -> Result<String, ParseError> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Text(mut text) => Ok(std::mem::take(&mut *text)),
        other => Err(place.wrong("a string", &other)),
    }
}

pub(in crate::kubeconfig) fn secret(place: &Place<'_>, value: Value) -> Result<Secret, ParseError> {
    string(place, value).map(Secret::new)
}

/// Anything, as JSON text.
pub(in crate::kubeconfig) fn raw(_: &Place<'_>, value: Value) -> Result<Secret, ParseError> {
    Ok(Secret::new(serde_json::to_string(&value).unwrap_or_default()))
}

pub(in crate::kubeconfig) fn list<T>(
    place: &Place<'_>,
    value: Value,
    item: impl Fn(&Place<'_>, Value) -> Result<T, ParseError>,
) -> Result<Vec<T>, ParseError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::List(items) => {
            items.into_iter().enumerate().map(|(i, value)| item(&place.index(i), value)).collect()
        }
        other => Err(place.wrong("a list", &other)),
    }
}

/// Go's `base64.StdEncoding`: padded, line breaks ignored, trailing bits not looked at.
pub(in crate::kubeconfig) fn base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let joined: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect());
    engine.decode(joined.as_slice()).ok()
}

fn byte(place: &Place<'_>, value: &Value) -> Result<u8, ParseError> {
    let Value::Number(number) = value else { return Err(place.wrong("a byte", value)) };
    number.as_u64().and_then(|n| u8::try_from(n).ok()).ok_or_else(|| place.wrong("a byte", value))
}
