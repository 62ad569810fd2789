//! Whether an item is wanted.

use serde_json::Value;

use super::checked::NotAnObject;
use super::cursor::Malformed;
use super::error::{FilterFailed, InvalidFilter};
use super::expression::Expression;
use super::mask::{Mask, Rest};
use super::path::{self, Step};
use crate::select::{Comparison, FieldSelector, LabelSelector};

/// What an object must be to be wanted: its labels, fields and an expression over it, compiled once. All must hold.
///
/// ```
/// use tidegate_kube::scan::Filter;
/// let filter = Filter::builder()
///     .labels("app in (web, api)")
///     .fields("status.phase!=Running")
///     .expression("object.spec.containers.exists(c, c.image.startsWith('nginx'))")
///     .build()?;
/// let pod = br#"{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"nginx:1"}]}}"#;
/// assert_eq!(filter.matches(pod), Ok(true));
/// # Ok::<(), tidegate_kube::scan::InvalidFilter>(())
/// ```
#[derive(Debug)]
pub struct Filter {
    labels: LabelSelector,
    fields: Vec<Field>,
    /// What labels and fields are read from.
    looked_at: Mask,
    expression: Option<Expression>,
}

#[derive(Debug)]
struct Field {
    steps: Vec<Step>,
    comparison: Comparison,
    value: String,
}

/// Builds a [`Filter`].
#[derive(Debug, Clone, Default)]
pub struct FilterBuilder {
    labels: Option<String>,
    fields: Option<String>,
    expression: Option<String>,
}

impl FilterBuilder {
    /// A label selector as kubectl's `-l` takes it.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// A field selector as kubectl's `--field-selector` takes it, but of any field that a [`Mask`](super::Mask) could name without `[*]`. A
    /// text, number or truth value is compared as it is written; what is not there is the empty text.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.fields = Some(selector.into());
        self
    }

    /// An expression in CEL over `object`, whose value must be true or false.
    ///
    /// Besides its operators there are the macros `has`, `all`, `exists`, `exists_one`, `map` and `filter`, and the functions of its standard
    /// library but `matches` and those of time. Within a macro only that macro's own variable can be used, so that the work for an
    /// item grows with its size and not with the square of that.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// Compiles it. Errors: a text that is no selector or expression, with its place and what to write instead.
    pub fn build(self) -> Result<Filter, InvalidFilter> {
        let refused =
            |what, why: &dyn std::fmt::Display| InvalidFilter { message: format!("in the {what}: {why}") };
        let labels = LabelSelector::parse(self.labels.as_deref().unwrap_or_default())
            .map_err(|error| refused("label selector", &error))?;
        let selector = FieldSelector::parse(self.fields.as_deref().unwrap_or_default())
            .map_err(|error| refused("field selector", &error))?;
        let mut looked_at = Mask::nothing();
        if !labels.is_everything() {
            let steps = ["metadata", "labels"].map(|name| Step::Member(name.to_owned()));
            looked_at.keep(&steps);
        }
        let mut fields = Vec::new();
        for term in selector.terms() {
            let steps = path::parse(&term.field).map_err(|invalid| {
                let (field, column, problem) = (&term.field, invalid.at + 1, invalid.problem);
                refused("field selector", &format!("in the field `{field}`, column {column}: {problem}"))
            })?;
            if steps.contains(&Step::Elements) {
                let why = format!("`{}` names many fields: write an expression with `exists`", term.field);
                return Err(refused("field selector", &why));
            }
            looked_at.keep(&steps);
            fields.push(Field { steps, comparison: term.comparison, value: term.value.clone() });
        }
        let expression = match self.expression.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(Expression::parse(text).map_err(|error| refused("expression", &error))?),
        };
        Ok(Filter { labels, fields, looked_at, expression })
    }
}

impl Filter {
    /// Begins one that is built.
    pub fn builder() -> FilterBuilder {
        FilterBuilder::default()
    }

    /// Whether every object is wanted.
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_empty() && self.expression.is_none()
    }

    /// Whether this object is wanted. The expression is asked last, and of the fields that it names alone.
    ///
    /// Errors: the object is none, as far as it was looked at, or the expression has no answer for it.
    pub fn matches(&self, object: &[u8]) -> Result<bool, FilterFailed> {
        if !self.labels.is_everything() || !self.fields.is_empty() {
            let looked_at = look(&self.looked_at, object)?;
            if !self.labels.matches_object(&looked_at)
                || !self.fields.iter().all(|field| field.holds(&looked_at))
            {
                return Ok(false);
            }
        }
        match &self.expression {
            Some(expression) => expression.holds(object),
            None => Ok(true),
        }
    }
}

impl Field {
    fn holds(&self, object: &Value) -> bool {
        let found = self.steps.iter().try_fold(object, |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Elements => None,
        });
        let equal = match found {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Number(number)) => number.to_string() == self.value,
            Some(Value::Bool(truth)) => *self.value == *if *truth { "true" } else { "false" },
            _ => self.value.is_empty(),
        };
        equal == (self.comparison == Comparison::Equals)
    }
}

/// The fields of a mask, as a tree.
pub(super) fn look(mask: &Mask, object: &[u8]) -> Result<Value, NotAnObject> {
    let mut text = Vec::new();
    mask.copy(object, &mut text).map_err(|Malformed { at }| NotAnObject { at })?;
    serde_json::from_slice(&text).map_err(|error| NotAnObject { at: error.column().min(object.len()) })
}

impl Mask {
    /// One that keeps nothing.
    pub(super) fn nothing() -> Mask {
        let mut mask = Mask::default();
        mask.drop_rest();
        mask
    }

    /// Keeps what these steps lead to besides.
    pub(super) fn keep(&mut self, steps: &[Step]) {
        // A mask of kept fields alone contradicts nothing.
        _ = self.add_steps(steps, Rest::Kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = r#"{"metadata":{"name":"web-1","labels":{"app":"web","tier":"front"},"annotations":{"a.b/c":"x"}},
        "spec":{"replicas":3,"on":true,"containers":[{"image":"nginx:1","ports":[{"n":80}]},{"image":"sidecar"}]},"status":{"phase":"Running"}}"#;

    fn verdict(labels: &str, fields: &str, expression: &str) -> String {
        match Filter::builder().labels(labels).fields(fields).expression(expression).build() {
            Ok(filter) => match filter.matches(POD.as_bytes()) {
                Ok(matches) => matches.to_string(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn labels_fields_and_expressions() {
        for (labels, fields, expression, wanted) in [
            ("", "", "", "true"),
            ("app=web", "", "", "true"),
            ("app in (a,web),!x", "", "", "true"),
            ("app!=web", "", "", "false"),
            ("", "metadata.name=web-1,status.phase!=Pending", "", "true"),
            ("", "status.phase=Pending", "", "false"),
            ("", "spec.replicas=3,spec.on=true", "", "true"),
            ("", "metadata.annotations['a.b/c']=x", "", "true"),
            ("", "spec.nothing=", "", "true"),
            ("app=web", "status.phase=Running", "object.spec.replicas > 2", "true"),
            ("app=x", "", "object.nothing.at.all", "false"),
            (
                "",
                "",
                "object.metadata.labels['app'] == 'web' && object.metadata.labels.tier == 'front'",
                "true",
            ),
            ("", "", "has(object.spec.x) || object.spec.replicas == 4", "false"),
            ("", "", "object.spec.containers.exists(c, c.image.startsWith('nginx'))", "true"),
            ("", "", "object.spec.containers.all(c, has(c.ports) && c.ports.all(p, p.n < 1024))", "false"),
            ("", "", "object.spec.containers.filter(c, has(c.ports)).size() == 1", "true"),
            ("", "", "size(object.spec.containers.map(c, c.image)) == 2", "true"),
        ] {
            assert_eq!(verdict(labels, fields, expression), wanted, "{labels} {fields} {expression}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_with_its_place() {
        for (labels, fields, expression, wanted) in [
            ("a=b=c", "", "", "in the label selector: "),
            ("", "status", "", "in the field selector: invalid selector"),
            (
                "",
                "a[0]=1",
                "",
                "in the field selector: in the field `a[0]`, column 3: single elements cannot be chosen",
            ),
            (
                "",
                "a[*].b=1",
                "",
                "in the field selector: `a[*].b` names many fields: write an expression with `exists`",
            ),
            ("", "", "object.a ==", "in the expression: line 1, column 12: "),
            ("", "", "object.a\n  = 1", "in the expression: line 2, column 3: "),
            ("", "", "pod.a == 1", "in the expression: there is no variable `pod`; the item is `object`"),
            (
                "",
                "",
                "object.a.all(x, object.b == x)",
                "in the expression: `object` cannot be used within a macro",
            ),
            (
                "",
                "",
                "object.a.all(x, x.b.all(y, y == x))",
                "in the expression: `x` cannot be used within a macro",
            ),
            ("", "", &"!".repeat(5000), "in the expression: it is longer than the cap of 4096 bytes"),
            (
                "",
                "",
                &"(".repeat(500),
                "in the expression: line 1, column 1: expression recursion limit exceeded: 64",
            ),
        ] {
            let found = verdict(labels, fields, expression);
            assert!(found.starts_with(wanted), "{labels} {fields} {expression}: {found}");
        }
    }

    #[test]
    fn an_expression_that_has_no_answer_says_so() {
        for (expression, wanted) in [
            ("object.status.reason == 'x'", "No such key: reason: guard it with `has(…)`"),
            ("object.spec.replicas", "it is of the type int: an expression must be true or false"),
            ("object.spec.replicas / 0 == 1", "Division by zero"),
            ("object.metadata.name < 7", "found no matching overload"),
        ] {
            let found = verdict("", "", expression);
            assert!(found.contains(wanted), "{expression}: {found}");
        }
        let filter = Filter::builder().expression("object.a.size() > 1").build().unwrap();
        for (object, wanted) in [
            (r#"{"a":"ab"}"#.to_owned(), "true"),
            (format!(r#"{{"a":"{}"}}"#, "x".repeat(70_000)), "the cap of 65536 bytes"),
            (r#"{"a":nul}"#.to_owned(), "it is not one JSON object in UTF-8"),
            ("7".to_owned(), "it is not one JSON object in UTF-8 (byte 0)"),
        ] {
            let found = match filter.matches(object.as_bytes()) {
                Ok(matches) => matches.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(wanted), "{found}");
        }
    }
}
