//! `app=web,tier in (a,b),!legacy`: equality and set based requirements.

use std::collections::BTreeMap;

/// Requirements on labels; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    /// Holds for an object without the label too.
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Reads the text of `?labelSelector=`.
    ///
    /// # Errors
    /// A sentence that says what was found where something else was expected.
    pub(crate) fn parse(text: &str) -> Result<LabelSelector, String> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let mut requirements = Vec::new();
        if parser.peek() == &Token::End {
            return Ok(LabelSelector(requirements));
        }
        loop {
            requirements
                .push(parser.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            match parser.next() {
                Token::End => return Ok(LabelSelector(requirements)),
                Token::Comma if matches!(parser.peek(), Token::Word(_) | Token::Not) => {}
                Token::Comma => return Err(parser.expected("identifier after ','")),
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
            }
        }
    }

    /// The selector that a workload's `spec.selector` (`matchLabels`, `matchExpressions`) stands for.
    pub(crate) fn of_spec(selector: &serde_json::Value) -> LabelSelector {
        let texts = |value: &serde_json::Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let equal =
            selector["matchLabels"].as_object().into_iter().flatten().map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::In(vec![value.as_str().unwrap_or_default().to_owned()]),
            });
        let sets = selector["matchExpressions"].as_array().into_iter().flatten().map(|rule| Requirement {
            key: rule["key"].as_str().unwrap_or_default().to_owned(),
            operator: match rule["operator"].as_str() {
                Some("In") => Operator::In(texts(&rule["values"])),
                Some("NotIn") => Operator::NotIn(texts(&rule["values"])),
                Some("DoesNotExist") => Operator::Absent,
                _ => Operator::Exists,
            },
        });
        LabelSelector(equal.chain(sets).collect())
    }

    /// Whether every object matches.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all requirements hold for these labels.
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match &requirement.operator {
                Operator::In(values) => value.is_some_and(|value| values.contains(value)),
                Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Operator::Exists => value.is_some(),
                Operator::Absent => value.is_none(),
                Operator::Above(bound) => number().is_some_and(|number| number > *bound),
                Operator::Below(bound) => number().is_some_and(|number| number < *bound),
            }
        })
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
            Token::NotEqual => "!=",
            Token::Greater => ">",
            Token::Less => "<",
            Token::End => "",
        }
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
            '=' => {
                rest.next_if_eq(&'=');
                Token::Equal
            }
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

    fn expected(&self, what: &str) -> String {
        format!("found '{}', expected: {what}", self.peek().text())
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = *self.peek() == Token::Not;
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => valid_key(key)?,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        if absent {
            return Ok(Requirement { key, operator: Operator::Absent });
        }
        let operator = match self.peek().clone() {
            Token::Comma | Token::End => Operator::Exists,
            Token::Equal => Operator::In(vec![self.value(&key)?]),
            Token::NotEqual => Operator::NotIn(vec![self.value(&key)?]),
            Token::Greater => Operator::Above(self.number(&key)?),
            Token::Less => Operator::Below(self.number(&key)?),
            Token::Word(word) if word == "in" => Operator::In(self.set(&key)?),
            Token::Word(word) if word == "notin" => Operator::NotIn(self.set(&key)?),
            _ => return Err(self.expected("in, notin, =, ==, !=, gt, lt")),
        };
        Ok(Requirement { key, operator })
    }

    /// The value after an operator; nothing there is the empty value.
    fn value(&mut self, key: &str) -> Result<String, String> {
        self.next();
        match self.peek() {
            Token::Comma | Token::End => Ok(String::new()),
            Token::Word(_) => {
                let Token::Word(word) = self.next() else { return Ok(String::new()) };
                valid_value(key, word)
            }
            _ => Err(self.expected("identifier")),
        }
    }

    fn number(&mut self, key: &str) -> Result<i64, String> {
        let text = self.value(key)?;
        text.parse().map_err(|_| {
            format!(
                "values[0]: Invalid value: \"{text}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        })
    }

    fn set(&mut self, key: &str) -> Result<Vec<String>, String> {
        self.next();
        if self.next() != Token::Open {
            self.at -= 1;
            return Err(self.expected("'('"));
        }
        let mut values = Vec::new();
        loop {
            match self.peek().clone() {
                Token::Word(word) => {
                    self.next();
                    values.push(valid_value(key, word)?);
                }
                Token::Comma | Token::Close => values.push(String::new()),
                _ => return Err(self.expected("',', ')' or identifier")),
            }
            match self.next() {
                Token::Comma => {}
                Token::Close => return Ok(values),
                other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
            }
        }
    }
}

fn valid_key(key: String) -> Result<String, String> {
    let (prefix, name) =
        key.split_once('/').map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
    let prefix_ok = prefix.is_none_or(|prefix| {
        !prefix.is_empty()
            && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
    });
    if prefix_ok && !name.is_empty() && is_name(name) {
        Ok(key)
    } else {
        Err(format!(
            "<nil>: Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        ))
    }
}

fn valid_value(key: &str, value: String) -> Result<String, String> {
    if is_name(&value) {
        Ok(value)
    } else {
        Err(format!(
            "values[0][{key}]: Invalid value: \"{value}\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ))
    }
}

/// Whether `text` may be a label's value (63 characters at most; empty is one).
pub(crate) fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_or_do_not() {
        let labels: BTreeMap<String, String> =
            [("app", "web"), ("size", "7"), ("empty", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let cases = [
            ("", true),
            ("app=web", true),
            ("app==web,size=7", true),
            ("app = web , size in (6, 7)", true),
            ("app!=web", false),
            ("missing!=web", true),
            ("app", true),
            ("!app", false),
            ("!missing", true),
            ("missing", false),
            ("app in (api)", false),
            ("app notin (api,db)", true),
            ("missing notin (api)", true),
            ("empty=", true),
            ("empty in (,x)", true),
            ("size>6,size<8", true),
            ("size>7", false),
            ("app>1", false),
            ("x.example.com/app!=1", true),
        ];
        for (text, expected) in cases {
            let selector = LabelSelector::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(selector.matches(&labels), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in
            ["=", ",", "a,", "a in", "a in (b", "a b", "!a=b", "a=b c", "a=-", "a>x", "-a", "a/b/c=d", "a==!"]
        {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }
}
