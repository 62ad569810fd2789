//! Where a field is: `spec.containers[*].image`, `metadata.annotations['a.b/c']`.

use std::fmt;

/// The longest path, in bytes.
const LENGTH_CAP: usize = 1024;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The member of that name.
    Member(String),
    /// Every element.
    Elements,
}

/// Why a text is no path, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidPath {
    /// In bytes from 0.
    pub(super) at: usize,
    pub(super) problem: Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    TooLong,
    NoName,
    Bracket,
    Index,
    Unclosed,
    NoDot,
    Control,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::TooLong => "a path has at most 1024 bytes",
            Problem::NoName => {
                "a field's name must come here; write one with dots or brackets in it as ['a.b/c']"
            }
            Problem::Bracket => "`[` must be followed by `*]` or by a name in quotes, as in ['a.b/c']",
            Problem::Index => "single elements cannot be chosen; write `[*]` for all of them",
            Problem::Unclosed => "the quotes or the bracket must be closed, as in ['a.b/c']",
            Problem::NoDot => "a `.` or `[` must come here",
            Problem::Control => "a field's name holds no control characters",
        })
    }
}

/// Reads a path. A `.` before the first name, as kubectl writes it, is skipped.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, InvalidPath> {
    if text.len() > LENGTH_CAP {
        return Err(InvalidPath { at: LENGTH_CAP, problem: Problem::TooLong });
    }
    if let Some(at) = text.find(char::is_control) {
        return Err(InvalidPath { at, problem: Problem::Control });
    }
    let mut steps = Vec::new();
    let mut at = usize::from(text.starts_with('.'));
    loop {
        at += if text[at..].starts_with('[') {
            bracket(&text[at..], at, &mut steps)?
        } else {
            name(&text[at..], at, &mut steps)?
        };
        match text.as_bytes().get(at) {
            None => return Ok(steps),
            Some(b'[') => {}
            Some(b'.') => {
                at += 1;
                if text[at..].starts_with('[') {
                    return Err(InvalidPath { at, problem: Problem::NoName });
                }
            }
            Some(_) => return Err(InvalidPath { at, problem: Problem::NoDot }),
        }
    }
}

/// A plain name at the beginning of `text`; its length.
fn name(text: &str, at: usize, steps: &mut Vec<Step>) -> Result<usize, InvalidPath> {
    let end = text.find(['.', '[', ']', '*', '\'', '"', ' ']).unwrap_or(text.len());
    if end == 0 {
        return Err(InvalidPath { at, problem: Problem::NoName });
    }
    steps.push(Step::Member(text[..end].to_owned()));
    Ok(end)
}

/// `[*]`, `['name']` or `["name"]` at the beginning of `text`; its length.
fn bracket(text: &str, at: usize, steps: &mut Vec<Step>) -> Result<usize, InvalidPath> {
    if text.starts_with("[*]") {
        steps.push(Step::Elements);
        return Ok(3);
    }
    let mut rest = text.char_indices().skip(1);
    let quote = match rest.next() {
        Some((_, quote @ ('\'' | '"'))) => quote,
        Some((_, '0'..='9')) => return Err(InvalidPath { at: at + 1, problem: Problem::Index }),
        _ => return Err(InvalidPath { at: at + 1, problem: Problem::Bracket }),
    };
    let mut name = String::new();
    while let Some((place, c)) = rest.next() {
        if c == quote {
            return match (rest.next(), name.is_empty()) {
                (_, true) => Err(InvalidPath { at: at + place, problem: Problem::NoName }),
                (Some((end, ']')), false) => {
                    steps.push(Step::Member(name));
                    Ok(end + 1)
                }
                _ => Err(InvalidPath { at: at + place + 1, problem: Problem::Unclosed }),
            };
        }
        // A backslash takes away the meaning of what follows.
        name.extend(if c == '\\' { rest.next().map(|(_, c)| c) } else { Some(c) });
    }
    Err(InvalidPath { at: at + text.len(), problem: Problem::Unclosed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match parse(text) {
            Ok(steps) => steps
                .iter()
                .map(|step| match step {
                    Step::Member(name) => format!("<{name}>"),
                    Step::Elements => "*".to_owned(),
                })
                .collect(),
            Err(InvalidPath { at, problem }) => format!("{at} {problem:?}"),
        }
    }

    #[test]
    fn paths() {
        for (text, wanted) in [
            ("metadata", "<metadata>"),
            (".metadata.name", "<metadata><name>"),
            ("spec.containers[*].image", "<spec><containers>*<image>"),
            ("spec.args[*]", "<spec><args>*"),
            ("a[*][*]", "<a>**"),
            ("metadata.annotations['a.b/c']", "<metadata><annotations><a.b/c>"),
            ("metadata.labels[\"it's\"].x", "<metadata><labels><it's><x>"),
            (r"a['it\'s \\']", r"<a><it's \>"),
            ("$ä", "<$ä>"),
            ("", "0 NoName"),
            (".", "1 NoName"),
            ("a.", "2 NoName"),
            ("a..b", "2 NoName"),
            ("a.[*]", "2 NoName"),
            ("a[0]", "2 Index"),
            ("a[b]", "2 Bracket"),
            ("a[", "2 Bracket"),
            ("a['b", "4 Unclosed"),
            ("a['b'", "5 Unclosed"),
            ("a['b'x]", "5 Unclosed"),
            ("a['']", "3 NoName"),
            ("a[*]b", "4 NoDot"),
            ("a]", "1 NoDot"),
            ("*", "0 NoName"),
            ("a\nb", "1 Control"),
        ] {
            assert_eq!(show(text), wanted, "{text}");
        }
        assert_eq!(show(&"a".repeat(1025)), "1024 TooLong");
    }
}
