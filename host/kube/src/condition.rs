//! What `kubectl wait --for=` waits for, read and judged as kubectl 1.36 does.

mod jsonpath;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

pub use jsonpath::{InvalidJsonPath, JsonPath, JsonPathError};

/// Something that an object will come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `create`: it exists.
    Created,
    /// `delete`: it is gone, or another object has its name.
    Deleted,
    /// `condition=Ready`, `condition=Ready=False`: an entry of `status.conditions` has this status, and does not speak of an older
    /// generation. Upper and lower case are one.
    Status {
        /// `Ready`.
        kind: String,
        /// `True` unless it is said.
        status: String,
    },
    /// `jsonpath={.status.phase}=Running`: what the path leads to has this text. Without a value: the path leads to something.
    JsonPath {
        /// Where.
        path: JsonPath,
        /// What is there, without spaces around it.
        value: Option<String>,
    },
}

/// A text that is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCondition {
    /// Neither of the four forms.
    #[error(
        "{text:?} is not a condition: use delete, create, condition=NAME[=STATUS] or jsonpath=PATH[=VALUE]"
    )]
    Unknown {
        /// What was given.
        text: String,
    },
    /// `jsonpath=` with more than one `=` besides, or none before the value.
    #[error(
        "a jsonpath condition is jsonpath={{.status.readyReplicas}}=3 or jsonpath={{.status.readyReplicas}}"
    )]
    Form,
    /// The path itself.
    #[error(transparent)]
    Path(#[from] InvalidJsonPath),
}

impl Condition {
    /// Reads what stands after `--for=`. Errors: it is none of the forms, or its path is none.
    pub fn parse(text: &str) -> Result<Condition, InvalidCondition> {
        if let Some(rest) = text.strip_prefix("condition=") {
            let (kind, status) = rest.split_once('=').unwrap_or((rest, "True"));
            return Ok(Condition::Status { kind: kind.to_owned(), status: status.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("jsonpath=") {
            return of_path(rest);
        }
        match text.to_lowercase().as_str() {
            "delete" => Ok(Condition::Deleted),
            "create" => Ok(Condition::Created),
            _ => Err(InvalidCondition::Unknown { text: text.chars().take(128).collect() }),
        }
    }

    /// Whether an object that exists has come to it. Never so for [`Condition::Deleted`].
    ///
    /// Errors: a path that leads to several values, to an object or a list, or through something that is none.
    pub fn is_met(&self, object: &Value) -> Result<bool, JsonPathError> {
        match self {
            Condition::Created => Ok(true),
            Condition::Deleted => Ok(false),
            Condition::Status { kind, status } => Ok(has_status(object, kind, status)),
            Condition::JsonPath { path, value } => has_value(object, path, value.as_deref()),
        }
    }
}

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Condition, InvalidCondition> {
        Condition::parse(text)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Created => f.write_str("create"),
            Condition::Deleted => f.write_str("delete"),
            Condition::Status { kind, status } => write!(f, "condition={kind}={status}"),
            Condition::JsonPath { path, value: None } => write!(f, "jsonpath={path}"),
            Condition::JsonPath { path, value: Some(value) } => write!(f, "jsonpath={path}={value}"),
        }
    }
}

/// `{.a}=b`; a doubled `=` is part of the path, for filters.
fn of_path(text: &str) -> Result<Condition, InvalidCondition> {
    let mut parts = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, parts.last_mut()) {
            ('=', Some(part)) if rest.next_if_eq(&'=').is_some() => part.push_str("=="),
            ('=', _) => parts.push(String::new()),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    let (path, value) = match parts.as_slice() {
        [path] => (path, None),
        [path, value] => {
            let value = value.trim_matches(['\'', '"']);
            if value.is_empty() {
                return Err(InvalidCondition::Form);
            }
            (path, Some(value.trim().to_owned()))
        }
        _ => return Err(InvalidCondition::Form),
    };
    Ok(Condition::JsonPath { path: JsonPath::parse(path)?, value })
}

fn has_status(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let text = |condition: &Value, name: &str| condition[name].as_str().map(str::to_owned);
    for condition in conditions {
        let named = text(condition, "type").is_some_and(|name| equal_fold(&name, kind));
        let (true, Some(found)) = (named, text(condition, "status")) else { continue };
        let observed = condition["observedGeneration"].as_i64();
        let observed = observed.or_else(|| object["status"]["observedGeneration"].as_i64());
        let generation = object["metadata"]["generation"].as_i64();
        let outdated = generation.zip(observed).is_some_and(|(generation, observed)| observed < generation);
        return !outdated && equal_fold(&found, status);
    }
    false
}

fn equal_fold(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn has_value(object: &Value, path: &JsonPath, expected: Option<&str>) -> Result<bool, JsonPathError> {
    let found = path.find(object)?;
    let one = match found.as_slice() {
        [] => return Ok(false),
        [one] => one,
        _ => return Err(JsonPathError::new("the path leads to more than one value")),
    };
    let Some(expected) = expected else { return Ok(true) };
    let text = match one {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => {
            return Err(JsonPathError::new("the path leads to an object or a list, which has no text"));
        }
    };
    Ok(text.trim() == expected)
}
