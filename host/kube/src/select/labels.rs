use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::InvalidSelector;
use super::syntax::{self, key_problems, value_problems};

/// `app=web,tier in (a,b),!legacy`: requirements on labels; all must hold.
///
/// In the order of their keys, as apimachinery keeps and shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

/// One requirement of a [`LabelSelector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Sorted, each once.
    values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `key=value`: the label is there and has this value.
    Equals,
    /// `key==value`, which is the same and shown as it was written.
    DoubleEquals,
    /// `key!=value`: holds for an object without the label too.
    NotEquals,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`: holds for an object without the label too.
    NotIn,
    /// `key`: the label is there.
    Exists,
    /// `!key`: the label is not there.
    DoesNotExist,
    /// `key>7`: both are integers of 64 bits.
    GreaterThan,
    /// `key<7`.
    LessThan,
}

impl LabelSelector {
    /// Selects every object.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Begins one that is built: `LabelSelector::builder().equals("app", "web").exists("tier").build()?`.
    pub fn builder() -> LabelSelectorBuilder {
        LabelSelectorBuilder { built: Ok(Vec::new()) }
    }

    /// Reads the text of `?labelSelector=`. Errors: apimachinery's sentence about what was found where something else was expected.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        syntax::parse(text).map(Self::of)
    }

    /// The selector that `matchLabels` and `matchExpressions` of a `metav1.LabelSelector` stand for. `null` selects everything here; what a
    /// missing selector means is its kind's affair.
    ///
    /// Errors: an operator but In, NotIn, Exists and DoesNotExist, or a requirement that [`Requirement::new`] refuses.
    pub fn from_spec(selector: &Value) -> Result<Self, InvalidSelector> {
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            requirements.push(Requirement::new(key, Operator::In, [value])?);
        }
        for rule in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = match rule["operator"].as_str().unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let text = format!("{other:?} is not a valid label selector operator");
                    return Err(InvalidSelector::new(text));
                }
            };
            let values = rule["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
            requirements.push(Requirement::new(rule["key"].as_str().unwrap_or_default(), operator, values)?);
        }
        Ok(Self::of(requirements))
    }

    /// Its requirements, in the order of their keys.
    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    /// Whether every object matches.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all requirements hold for these labels.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }

    /// Whether all requirements hold for the `metadata.labels` of an object.
    pub fn matches_object(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.matches_with(|key| labels.get(key).and_then(Value::as_str))
    }

    /// Whether all requirements hold, for whoever keeps labels otherwise.
    pub fn matches_with<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|requirement| requirement.holds(label(&requirement.key)))
    }

    fn of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self(requirements)
    }
}

impl FromStr for LabelSelector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        Self::parse(text)
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, requirement) in self.0.iter().enumerate() {
            write!(f, "{}{requirement}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Requirement {
    /// Errors: a key or value that no label can have; values that do not suit the operator (one for a comparison, at least one for a set,
    /// none for Exists and DoesNotExist, an integer for GreaterThan and LessThan).
    pub fn new(
        key: &str,
        operator: Operator,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, InvalidSelector> {
        let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
        values.sort();
        values.dedup();
        let mut problems = key_problems("key", key);
        problems.extend(unfit(operator, &values));
        for (place, value) in values.iter().enumerate() {
            problems.extend(value_problems(&format!("values[{place}][{key}]"), value));
        }
        match problems.as_slice() {
            [] => Ok(Self { key: key.to_owned(), operator, values }),
            [problem] => Err(InvalidSelector::new(problem.as_str())),
            several => Err(InvalidSelector::new(format!("[{}]", several.join(", ")))),
        }
    }

    /// The label's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How it is compared.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// With what it is compared: sorted, each once.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether it holds for a label with this value, or for none.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let has = |value: &str| self.values.iter().any(|one| one == value);
        let number = || value.and_then(integer);
        let bound = || self.values.first().and_then(|bound| integer(bound));
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => value.is_some_and(has),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(has),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => number().zip(bound()).is_some_and(|(number, bound)| number > bound),
            Operator::LessThan => number().zip(bound()).is_some_and(|(number, bound)| number < bound),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Makes a [`LabelSelector`]. The first requirement that is refused is the error of [`build`](LabelSelectorBuilder::build).
#[derive(Clone, Debug)]
#[must_use]
pub struct LabelSelectorBuilder {
    built: Result<Vec<Requirement>, InvalidSelector>,
}

impl LabelSelectorBuilder {
    /// `key=value`.
    pub fn equals(self, key: &str, value: impl Into<String>) -> Self {
        self.requirement(key, Operator::Equals, [value])
    }

    /// `key!=value`.
    pub fn not_equals(self, key: &str, value: impl Into<String>) -> Self {
        self.requirement(key, Operator::NotEquals, [value])
    }

    /// `key in (a,b)`.
    pub fn is_in(self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.requirement(key, Operator::In, values)
    }

    /// `key notin (a,b)`.
    pub fn not_in(self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.requirement(key, Operator::NotIn, values)
    }

    /// `key`.
    pub fn exists(self, key: &str) -> Self {
        self.requirement(key, Operator::Exists, [] as [&str; 0])
    }

    /// `!key`.
    pub fn does_not_exist(self, key: &str) -> Self {
        self.requirement(key, Operator::DoesNotExist, [] as [&str; 0])
    }

    /// Any other requirement.
    pub fn requirement(
        self,
        key: &str,
        operator: Operator,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let built = self.built.and_then(|mut built| {
            built.push(Requirement::new(key, operator, values)?);
            Ok(built)
        });
        Self { built }
    }

    /// Errors: as [`Requirement::new`].
    pub fn build(self) -> Result<LabelSelector, InvalidSelector> {
        self.built.map(LabelSelector::of)
    }
}

/// What is wrong with the number and form of values.
fn unfit(operator: Operator, values: &[String]) -> Vec<String> {
    let shown = |values: &[String]| {
        let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        format!("[{}]", values.join(","))
    };
    let invalid = |why: &str| vec![format!("values: Invalid value: {}: {why}", shown(values))];
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            invalid("for 'in', 'notin' operators, values set can't be empty")
        }
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
            invalid("exact-match compatibility requires one single value")
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            invalid("values set must be empty for exists and does not exist")
        }
        Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
            invalid("for 'Gt', 'Lt' operators, exactly one value is required")
        }
        Operator::GreaterThan | Operator::LessThan => {
            let no_integer = values.iter().enumerate().filter(|(_, value)| integer(value).is_none());
            let why = "for 'Gt', 'Lt' operators, the value must be an integer";
            no_integer
                .map(|(place, value)| format!("values[{place}]: Invalid value: \"{value}\": {why}"))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// As Go's `strconv.ParseInt(text, 10, 64)`.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}
