use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::InvalidSelector;

/// `metadata.name=x,status.phase!=Running`: exact comparison of fields; all must hold.
///
/// Which fields a server compares is its affair: for most kinds `metadata.name` and `metadata.namespace`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldTerm>);

/// One comparison of a [`FieldSelector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// The field, e.g. `status.phase`.
    pub field: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what, not escaped.
    pub value: String,
}

/// How a field is compared. A field that is not there is the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=` and `==`.
    Equals,
    /// `!=`.
    NotEquals,
}

impl FieldSelector {
    /// Selects every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The same, and `field=value`.
    #[must_use]
    pub fn equals(self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.and(field.into(), Comparison::Equals, value.into())
    }

    /// The same, and `field!=value`.
    #[must_use]
    pub fn not_equals(self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.and(field.into(), Comparison::NotEquals, value.into())
    }

    /// Reads the text of `?fieldSelector=`; `\\,`, `\\=` and `\\\\` stand for themselves. Errors: a sentence as the real server says it.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let terms = parts.into_iter().filter(|term| !term.is_empty()).map(|term| {
            let (field, comparison, value) = split_operator(term).ok_or_else(|| {
                InvalidSelector::new(format!("invalid selector: '{text}'; can't understand '{term}'"))
            })?;
            Ok(FieldTerm { field: field.to_owned(), comparison, value: unescape(value)? })
        });
        terms.collect::<Result<_, _>>().map(Self)
    }

    /// Its comparisons.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.0
    }

    /// Whether every object matches.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all comparisons hold, given the text of each field; none is the empty text.
    pub fn matches_with<T: AsRef<str>>(&self, field: impl Fn(&str) -> Option<T>) -> bool {
        self.0.iter().all(|term| {
            let value = field(&term.field);
            let equal = value.as_ref().map_or("", AsRef::as_ref) == term.value;
            equal == (term.comparison == Comparison::Equals)
        })
    }

    /// Whether all comparisons hold for an object: each field is looked up by its path, and texts, numbers and booleans are compared as they
    /// are written. A server offers few fields; here every path works.
    pub fn matches_object(&self, object: &Value) -> bool {
        self.matches_with(|path| {
            let found = path.split('.').try_fold(object, |value, name| value.get(name))?;
            match found {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(value) => Some(value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            }
        })
    }

    fn and(mut self, field: String, comparison: Comparison, value: String) -> Self {
        self.0.push(FieldTerm { field, comparison, value });
        self
    }
}

impl FromStr for FieldSelector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        Self::parse(text)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, FieldTerm { field, comparison, value }) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let operator = if *comparison == Comparison::Equals { "=" } else { "!=" };
            write!(f, "{comma}{field}{operator}")?;
            for c in value.chars() {
                match c {
                    '\\' | ',' | '=' => write!(f, "\\{c}")?,
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let (mut terms, mut begin, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[begin..]);
    terms
}

/// At the first of `!=`, `==` and `=`; a `!` alone is part of the field.
fn split_operator(term: &str) -> Option<(&str, Comparison, &str)> {
    term.char_indices().find_map(|(at, _)| {
        let (field, rest) = term.split_at(at);
        if let Some(value) = rest.strip_prefix("!=") {
            return Some((field, Comparison::NotEquals, value));
        }
        let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
        Some((field, Comparison::Equals, value))
    })
}

fn unescape(value: &str) -> Result<String, InvalidSelector> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(next @ ('\\' | ',' | '=')) => out.push(next),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    let text = format!("invalid field selector: invalid escape sequence: {sequence}");
                    return Err(InvalidSelector::new(text));
                }
            },
            // apimachinery shows the character's number.
            '=' | ',' => {
                let number = u32::from(c);
                let text = format!("invalid field selector: unescaped character in value: {number}");
                return Err(InvalidSelector::new(text));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}
