//! The grammar of label selectors, and of labels' keys and values.

use super::InvalidSelector;
use super::labels::{Operator, Requirement};

/// Whether `text` may be a label's key: a name of at most 63 characters, with an optional DNS name and `/` before it.
pub fn is_label_key(text: &str) -> bool {
    key_problems("", text).is_empty()
}

/// Whether `text` may be a label's value: at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit, or
/// nothing.
pub fn is_label_value(text: &str) -> bool {
    value_problems("", text).is_empty()
}

/// Reads `?labelSelector=`, requirement by requirement.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, InvalidSelector> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(requirements),
            Token::Word(_) | Token::Not => requirements.push(
                parser
                    .requirement()
                    .map_err(|why| InvalidSelector::new(format!("unable to parse requirement: {why}")))?,
            ),
            other => {
                let text = format!("found '{}', expected: !, identifier, or 'end of string'", other.text());
                return Err(InvalidSelector::new(text));
            }
        }
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Comma if matches!(parser.peek(), Token::Word(_) | Token::Not) => {}
            Token::Comma => {
                return Err(InvalidSelector::new(parser.peek().not("identifier after ','")));
            }
            other => return Err(InvalidSelector::new(other.not("',' or 'end of string'"))),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Comma,
    Open,
    Close,
    Not,
    Equal,
    DoubleEqual,
    NotEqual,
    Greater,
    Less,
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(word) => word,
            Token::Comma => ",",
            Token::Open => "(",
            Token::Close => ")",
            Token::Not => "!",
            Token::Equal => "=",
            Token::DoubleEqual => "==",
            Token::NotEqual => "!=",
            Token::Greater => ">",
            Token::Less => "<",
            Token::End => "",
        }
    }

    /// The sentence about this token where something else had to stand.
    fn not(&self, expected: &str) -> String {
        format!("found '{}', expected: {expected}", self.text())
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        tokens.push(match next {
            ' ' | '\t' | '\r' | '\n' => continue,
            ',' => Token::Comma,
            '(' => Token::Open,
            ')' => Token::Close,
            '>' => Token::Greater,
            '<' => Token::Less,
            '=' if rest.next_if_eq(&'=').is_some() => Token::DoubleEqual,
            '=' => Token::Equal,
            '!' if rest.next_if_eq(&'=').is_some() => Token::NotEqual,
            '!' => Token::Not,
            first => {
                let mut word = String::from(first);
                while let Some(more) = rest.next_if(|c| !" \t\r\n,()=!<>".contains(*c)) {
                    word.push(more);
                }
                Token::Word(word)
            }
        });
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = *self.peek() == Token::Not;
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(other.not("identifier")),
        };
        if let Some(problem) = key_problems("<nil>", &key).into_iter().next() {
            return Err(problem);
        }
        let (operator, values) = if absent {
            (Operator::DoesNotExist, Vec::new())
        } else if matches!(self.peek(), Token::Comma | Token::End) {
            (Operator::Exists, Vec::new())
        } else {
            let operator = self.operator()?;
            let values = match operator {
                Operator::In | Operator::NotIn => self.set()?,
                _ => vec![self.value()?],
            };
            (operator, values)
        };
        Requirement::new(&key, operator, values).map_err(|invalid| invalid.to_string())
    }

    fn operator(&mut self) -> Result<Operator, String> {
        Ok(match self.next() {
            Token::Equal => Operator::Equals,
            Token::DoubleEqual => Operator::DoubleEquals,
            Token::NotEqual => Operator::NotEquals,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            Token::Word(word) if word == "in" => Operator::In,
            Token::Word(word) if word == "notin" => Operator::NotIn,
            other => return Err(other.not("in, notin, =, ==, !=, gt, lt")),
        })
    }

    /// The value after an operator; nothing there is the empty value.
    fn value(&mut self) -> Result<String, String> {
        if matches!(self.peek(), Token::Comma | Token::End) {
            return Ok(String::new());
        }
        match self.next() {
            Token::Word(word) => Ok(word),
            other => Err(other.not("identifier")),
        }
    }

    /// `(a,b)`: what is left out between commas and brackets is the empty value.
    fn set(&mut self) -> Result<Vec<String>, String> {
        match self.next() {
            Token::Open => {}
            other => return Err(format!("found '{}' expected: '('", other.text())),
        }
        let mut values = Vec::new();
        loop {
            match self.peek().clone() {
                Token::Word(word) => {
                    self.next();
                    values.push(word);
                }
                Token::Comma | Token::Close => values.push(String::new()),
                other => return Err(other.not("',', ')' or identifier")),
            }
            match self.next() {
                Token::Comma => {}
                Token::Close => return Ok(values),
                other => return Err(other.not("',' or ')'")),
            }
        }
    }
}

const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const NAMES: &str = "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUES: &str = "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const DOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// What is wrong with a label's key, in apimachinery's words; at most one line, that of the field at `path`.
pub(super) fn key_problems(path: &str, key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else if !is_domain(prefix) {
                problems.push(format!("prefix part {DOMAIN}"));
            }
            name
        }
        _ => {
            problems.push(format!(
                "a valid label key {NAME} {NAMES} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
            return told(path, key, &problems);
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if name.is_empty() || !is_name(name) {
        problems.push(format!("name part {NAME} {NAMES}"));
    }
    told(path, key, &problems)
}

/// What is wrong with a label's value; as [`key_problems`].
pub(super) fn value_problems(path: &str, value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !is_name(value) {
        problems
            .push(format!("a valid label must be an empty string or {} {VALUES}", &NAME["must ".len()..]));
    }
    told(path, value, &problems)
}

fn told(path: &str, value: &str, problems: &[String]) -> Vec<String> {
    if problems.is_empty() {
        return Vec::new();
    }
    vec![format!("{path}: Invalid value: \"{value}\": {}", problems.join("; "))]
}

/// Letters, digits, `-`, `_` and `.`, the first and the last of them a letter or digit; or nothing.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let edge = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    text.bytes().all(inner) && edge(text.bytes().next()) && edge(text.bytes().last())
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
