//! Expressions in CEL over one object.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::parser::PrattParser;
use cel::{Context, Env, ExecutionError, Value};

use super::checked::NotAnObject;
use super::error::FilterFailed;
use super::filter::look;
use super::mask::Mask;
use super::path::Step;
use crate::text;

/// The longest expression, in bytes.
const LENGTH_CAP: usize = 4096;

/// How much of one object an expression may look at, in bytes of JSON.
const INPUT_CAP: usize = 64 << 10;

/// How deeply an expression may be nested.
const DEPTH_CAP: u16 = 64;

/// The object's name.
const OBJECT: &str = "object";

/// Compiled once, asked of many objects.
pub(super) struct Expression {
    expression: IdedExpr,
    /// The fields that it names: no other is decoded.
    fields: Mask,
    env: Arc<Env>,
}

/// Why a text is no expression.
#[derive(Debug)]
pub(super) enum InvalidExpression {
    TooLong,
    Syntax { line: isize, column: isize, message: String },
    UnknownVariable(String),
    OuterVariable(String),
    TooDeep,
}

impl fmt::Display for InvalidExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it is longer than the cap of {LENGTH_CAP} bytes"),
            Self::TooDeep => {
                write!(f, "it is nested deeper than the cap of {DEPTH_CAP} levels: split it with brackets")
            }
            Self::Syntax { line, column, message } => write!(f, "line {line}, column {column}: {message}"),
            Self::UnknownVariable(name) => write!(f, "there is no variable `{name}`; the item is `{OBJECT}`"),
            Self::OuterVariable(name) => write!(
                f,
                "`{name}` cannot be used within a macro, whose own variable is all that it sees: compare outside of it"
            ),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").field("expression", &self.expression).finish_non_exhaustive()
    }
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidExpression> {
        if text.len() > LENGTH_CAP {
            return Err(InvalidExpression::TooLong);
        }
        let expression = PrattParser::new().max_recursion_depth(DEPTH_CAP).parse(text).map_err(|errors| {
            let first = errors.errors.into_iter().next();
            let (line, column) =
                first.as_ref().map_or((1, 1), |error| (error.pos.0.max(1), error.pos.1.max(1)));
            let message = first.map_or_else(String::new, |error| text::for_people(&error.msg, 300));
            InvalidExpression::Syntax { line, column, message }
        })?;
        let mut fields = Mask::nothing();
        Reader { fields: &mut fields, depth: 0 }.read(&expression, None)?;
        Ok(Self { expression, fields, env: Arc::new(Env::stdlib()) })
    }

    /// Whether it is true of this object.
    pub(super) fn holds(&self, object: &[u8]) -> Result<bool, FilterFailed> {
        let tree = self.tree(object)?;
        let mut context = Context::with_env(self.env.clone());
        context.add_variable_from_value(OBJECT, value(tree));
        match Value::resolve(&self.expression, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(FilterFailed::Expression(format!(
                "it is of the type {}: an expression must be true or false",
                other.type_of()
            ))),
            Err(error @ ExecutionError::NoSuchKey(_)) => Err(FilterFailed::Expression(format!(
                "{}: guard it with `has(…)`",
                text::for_people(&error.to_string(), 300)
            ))),
            Err(error) => Err(FilterFailed::Expression(text::for_people(&error.to_string(), 300))),
        }
    }

    fn tree(&self, object: &[u8]) -> Result<serde_json::Value, FilterFailed> {
        let mut wanted = Vec::new();
        self.fields.copy(object, &mut wanted).map_err(|malformed| NotAnObject { at: malformed.at })?;
        if wanted.len() > INPUT_CAP {
            let text =
                format!("what it looks at is larger than the cap of {INPUT_CAP} bytes: name single fields");
            return Err(FilterFailed::Expression(text));
        }
        Ok(look(&self.fields, object)?)
    }
}

/// Finds the fields that an expression names, and refuses what would cost the square of an item's size.
struct Reader<'m> {
    fields: &'m mut Mask,
    /// How deep this is: evaluation goes as deep, on the stack.
    depth: u16,
}

/// The variables that the body of a macro may use.
#[derive(Clone, Copy)]
struct Body<'a> {
    own: &'a str,
    second: Option<&'a str>,
    result: &'a str,
}

impl Reader<'_> {
    fn read(&mut self, expression: &IdedExpr, body: Option<Body<'_>>) -> Result<(), InvalidExpression> {
        if self.depth >= DEPTH_CAP {
            return Err(InvalidExpression::TooDeep);
        }
        self.depth += 1;
        let read = self.parts(expression, body);
        self.depth -= 1;
        read
    }

    fn parts(&mut self, expression: &IdedExpr, body: Option<Body<'_>>) -> Result<(), InvalidExpression> {
        if body.is_none()
            && let Some(steps) = field(expression)
        {
            // Each step is a level too.
            if steps.len() > usize::from(DEPTH_CAP) {
                return Err(InvalidExpression::TooDeep);
            }
            self.fields.keep(&steps);
            return Ok(());
        }
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => variable(name, body),
            Expr::Select(select) => self.read(&select.operand, body),
            Expr::Call(call) => call
                .target
                .iter()
                .map(|target| &**target)
                .chain(&call.args)
                .try_for_each(|part| self.read(part, body)),
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.read(element, body)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr, body)),
            Expr::Struct(made) => made.entries.iter().try_for_each(|entry| self.entry(&entry.expr, body)),
            Expr::Comprehension(each) => {
                self.read(&each.iter_range, body)?;
                self.read(&each.accu_init, body)?;
                let own =
                    Body { own: &each.iter_var, second: each.iter_var2.as_deref(), result: &each.accu_var };
                [&each.loop_cond, &each.loop_step, &each.result]
                    .into_iter()
                    .try_for_each(|part| self.read(part, Some(own)))
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr, body: Option<Body<'_>>) -> Result<(), InvalidExpression> {
        match entry {
            EntryExpr::StructField(field) => self.read(&field.value, body),
            EntryExpr::MapEntry(entry) => {
                self.read(&entry.key, body)?;
                self.read(&entry.value, body)
            }
        }
    }
}

fn variable(name: &str, body: Option<Body<'_>>) -> Result<(), InvalidExpression> {
    match body {
        Some(body) if name == body.own || name == body.result || Some(name) == body.second => Ok(()),
        Some(_) => Err(InvalidExpression::OuterVariable(name.to_owned())),
        // `object` alone is a field of no steps, and was kept whole.
        None => Err(InvalidExpression::UnknownVariable(name.to_owned())),
    }
}

/// The way to a field where the expression is nothing but that: `object.spec.x`, `object.metadata.labels['app']`, `has(object.x)`.
fn field(expression: &IdedExpr) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut at = &expression.expr;
    loop {
        at = match at {
            Expr::Ident(name) if name == OBJECT => break,
            Expr::Select(select) => {
                steps.push(Step::Member(select.field.clone()));
                &select.operand.expr
            }
            Expr::Call(call) if call.func_name == "_[_]" && call.target.is_none() => match &call.args[..] {
                [container, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] => {
                    steps.push(Step::Member(name.inner().to_owned()));
                    &container.expr
                }
                _ => return None,
            },
            _ => return None,
        };
    }
    steps.reverse();
    Some(steps)
}

/// A tree in CEL's types: whole numbers are `int`, those past its range `uint` and `double`.
fn value(tree: serde_json::Value) -> Value {
    match tree {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(whole)) => Value::UInt(whole),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(elements) => {
            Value::List(Arc::new(elements.into_iter().map(value).collect()))
        }
        serde_json::Value::Object(members) => {
            let members = members.into_iter().map(|(name, member)| (name, value(member)));
            Value::from(members.collect::<HashMap<String, Value>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each on a stack of the size that threads have, in a build without optimisation, whose frames are large.
    #[test]
    fn no_expression_exhausts_the_stack() {
        for (text, legal) in [
            (format!("{}true{}", "(".repeat(2000), ")".repeat(2000)), true),
            (format!("{}true", "!".repeat(4000)), true),
            (format!("1 == {}1", "-".repeat(4000)), true),
            (format!("true{}", "&&true".repeat(600)), true),
            (format!("object{} == 1", ".a".repeat(64)), true),
            ("(".repeat(4096), false),
            (format!("{}1{}", "[".repeat(2000), "]".repeat(2000)), false),
            (format!("{}1{}", "{1:".repeat(1000), "}".repeat(1000)), false),
            (format!("object{}", ".a".repeat(2000)), false),
            (format!("object{}", "[0]".repeat(1300)), false),
            (format!("object{}", "['a']".repeat(800)), false),
            (format!("1{}", "+1".repeat(2000)), false),
            (format!("{}1", "true?1:".repeat(580)), false),
            (format!("{}1{}", "size(".repeat(600), ")".repeat(600)), false),
            (format!("object{}", ".size()".repeat(580)), false),
            (format!("{}true{}", "[1].all(x, ".repeat(250), ")".repeat(250)), false),
        ] {
            let begin: String = text.chars().take(20).collect();
            match Expression::parse(&text) {
                Ok(expression) => {
                    assert!(legal, "{begin}");
                    // An answer or not: it comes.
                    _ = expression.holds(b"{}");
                }
                Err(error) => assert!(!legal, "{begin}: {error}"),
            }
        }
    }
}
