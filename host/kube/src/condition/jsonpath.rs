mod find;

use std::fmt;

use serde_json::Value;

/// How deep `..` and brackets may go.
const DEEPEST: usize = 128;

/// Where in an object: kubectl's JSONPath (`k8s.io/client-go/util/jsonpath`), one expression of it.
///
/// Fields (`.a.b`, `['a']`, `\.` for a dot in a name), elements (`[0]`, `[-1]`, `[1:3]`, `[::2]`, `[*]`, `[0,2]`), all of something (`.*`),
/// what lies anywhere below (`..a`), and filters (`[?(@.type=="Ready")]` with `==`, `!=`, `<`, `<=`, `>`, `>=`, or none for what exists).
/// Braces and the first dot may be left out. `{range}` and text around the braces print, and select nothing: they are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

impl Eq for JsonPath {}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSONPath: {why}")]
pub struct InvalidJsonPath {
    why: String,
}

/// A path that does not fit an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct JsonPathError {
    why: String,
}

impl JsonPathError {
    pub(in crate::condition) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Wildcard,
    Recursive,
    Slice(Slice),
    Union(Vec<Vec<Step>>),
    Filter { left: Vec<Step>, comparison: Option<(Comparison, Vec<Step>)> },
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Slice {
    One(i64),
    Range { from: Option<i64>, to: Option<i64>, step: Option<i64> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// Reads `{.a.b}`, `.a.b`, `a.b`.
    ///
    /// Errors: braces that do not close, an index that is no number, and what only prints.
    pub fn parse(text: &str) -> Result<JsonPath, InvalidJsonPath> {
        let inner = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}').ok_or_else(|| invalid("unclosed brace"))?,
            None => text,
        };
        if inner.is_empty() || inner.contains(['{', '}']) {
            return Err(invalid("it must be of the form name1.name2, .name1.name2 or {.name1.name2}"));
        }
        let rooted = inner.starts_with(['.', '[', '$', '@']);
        let inner = if rooted { inner.to_owned() } else { format!(".{inner}") };
        let steps = Parser { rest: &inner, depth: 0 }.steps()?;
        Ok(JsonPath { text: format!("{{{inner}}}"), steps })
    }

    /// All that it leads to, in order; nothing where something on the way is missing.
    ///
    /// Errors: an index into what is no list, or outside of it, and comparisons of things that have no order.
    pub fn find<'a>(&'a self, object: &'a Value) -> Result<Vec<&'a Value>, JsonPathError> {
        find::walk(&self.steps, vec![object])
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn invalid(why: impl Into<String>) -> InvalidJsonPath {
    InvalidJsonPath { why: why.into() }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn steps(mut self) -> Result<Vec<Step>, InvalidJsonPath> {
        if self.depth > DEEPEST {
            return Err(invalid("brackets are too deep"));
        }
        let mut steps = Vec::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                ' ' | '@' | '$' => self.skip(c.len_utf8()),
                _ if self.rest.starts_with("..") => {
                    if steps.last() == Some(&Step::Recursive) {
                        return Err(invalid("invalid multiple recursive descent"));
                    }
                    self.skip(2);
                    steps.push(Step::Recursive);
                    if self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '*') {
                        steps.push(self.field());
                    }
                }
                '.' => {
                    self.skip(1);
                    steps.push(self.field());
                }
                '[' if self.rest.starts_with("[?(") => steps.push(self.filter()?),
                '[' => steps.push(self.array()?),
                '"' | '\'' => steps.push(self.quoted(c)?),
                _ => steps.push(self.literal()?),
            }
        }
        Ok(steps)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Until a terminator that is not escaped.
    fn field(&mut self) -> Step {
        let (mut name, mut escaped, mut end) = (String::new(), false, self.rest.len());
        for (at, c) in self.rest.char_indices() {
            if escaped {
                name.push(c);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c.is_whitespace() || ".,[]$@{}".contains(c) {
                end = at;
                break;
            } else {
                name.push(c);
            }
        }
        self.skip(end);
        if name == "*" { Step::Wildcard } else { Step::Field(name) }
    }

    fn array(&mut self) -> Result<Step, InvalidJsonPath> {
        let end = self.rest.find(']').ok_or_else(|| invalid("unterminated array"))?;
        let text = self.rest[1..end].to_owned();
        self.skip(end + 1);
        element(&text, self.depth)
    }

    /// `[?(@.a=="b")]`: the bracket closes outside of quotes.
    fn filter(&mut self) -> Result<Step, InvalidJsonPath> {
        self.skip(3);
        let (mut quote, mut end) = (None, None);
        let mut before = ' ';
        for (at, c) in self.rest.char_indices() {
            match (c, quote) {
                (c, Some(open)) if c == open && before != '\\' => quote = None,
                (_, Some(_)) => {}
                ('"' | '\'', None) => quote = Some(c),
                (')', None) => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
            before = c;
        }
        let end = end.ok_or_else(|| invalid("unterminated filter"))?;
        let text = self.rest[..end].to_owned();
        self.skip(end + 1);
        if !self.rest.starts_with(']') {
            return Err(invalid("unclosed array expect ]"));
        }
        self.skip(1);
        let operators = |c: char| "!<>=".contains(c);
        let Some(at) = text.find(operators) else {
            return Ok(Step::Filter { left: self.inner(&text)?, comparison: None });
        };
        let right = text[at..].trim_start_matches(operators);
        let comparison = match &text[at..text.len() - right.len()] {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            other => return Err(invalid(format!("unrecognized filter operator {other}"))),
        };
        let (left, right) = (self.inner(&text[..at])?, self.inner(right)?);
        Ok(Step::Filter { left, comparison: Some((comparison, right)) })
    }

    fn quoted(&mut self, quote: char) -> Result<Step, InvalidJsonPath> {
        let (mut text, mut escaped) = (String::new(), false);
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                c if escaped => {
                    text.push(match c {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        c => c,
                    });
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == quote => {
                    self.skip(at + 1);
                    return Ok(Step::Literal(Value::String(text)));
                }
                c => text.push(c),
            }
        }
        Err(invalid("unterminated quoted string"))
    }

    /// A number or a boolean, which only filters compare with.
    fn literal(&mut self) -> Result<Step, InvalidJsonPath> {
        let end =
            self.rest.find(|c: char| c.is_whitespace() || ",[]$@{}".contains(c)).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        self.skip(end.max(1).min(self.rest.len()));
        let plain = word.strip_prefix('+').unwrap_or(&word);
        let number = plain.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        match word.as_str() {
            "true" => Ok(Step::Literal(Value::Bool(true))),
            "false" => Ok(Step::Literal(Value::Bool(false))),
            _ if number => {
                let float = || plain.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number);
                let value = plain.parse::<i64>().map(Value::from).ok().or_else(float);
                value.map(Step::Literal).ok_or_else(|| invalid(format!("cannot parse number {word}")))
            }
            _ => Err(invalid(format!("{word:?} selects nothing"))),
        }
    }

    fn inner(&self, text: &str) -> Result<Vec<Step>, InvalidJsonPath> {
        Parser { rest: text, depth: self.depth + 1 }.steps()
    }
}

/// What stands between brackets.
fn element(text: &str, depth: usize) -> Result<Step, InvalidJsonPath> {
    if depth > DEEPEST {
        return Err(invalid("brackets are too deep"));
    }
    if text == "*" {
        return Ok(Step::Slice(Slice::Range { from: None, to: None, step: None }));
    }
    if text.contains(',') {
        let parts = text.split(',').map(|part| Ok(vec![element(part.trim_matches(' '), depth + 1)?]));
        return parts.collect::<Result<_, _>>().map(Step::Union);
    }
    let key = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    if let Some(key) = key {
        return Ok(Parser { rest: key, depth }.field());
    }
    let number = |text: &str| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| invalid(format!("invalid array index {text}"))),
    };
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [""] => Err(invalid("invalid array index ")),
        [one] => number(one).map(|one| Step::Slice(Slice::One(one.unwrap_or_default()))),
        [from, to] => Ok(Step::Slice(Slice::Range { from: number(from)?, to: number(to)?, step: None })),
        [from, to, step] => {
            Ok(Step::Slice(Slice::Range { from: number(from)?, to: number(to)?, step: number(step)? }))
        }
        _ => Err(invalid(format!("invalid array index {text}"))),
    }
}
