//! `metadata.name=x,status.phase!=Running`: exact comparison of the few fields that a kind indexes.

use crate::store::Object;

/// Comparisons of fields; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Reads the text of `?fieldSelector=`; `\,`, `\=` and `\\` stand for themselves.
    ///
    /// # Errors
    /// A sentence as the real server says it.
    pub(crate) fn parse(text: &str) -> Result<FieldSelector, String> {
        let terms = split_terms(text).into_iter().filter(|term| !term.is_empty()).map(|term| {
            let (field, equal, value) = split_operator(&term)
                .ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
            Ok(Term { field: field.to_owned(), value: unescape(value)?, equal })
        });
        terms.collect::<Result<_, _>>().map(FieldSelector)
    }

    /// The names of the fields that are compared.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|term| term.field.as_str())
    }

    /// Whether every object matches.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all comparisons hold.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.0.iter().all(|term| (object.field(&term.field).unwrap_or_default() == term.value) == term.equal)
    }
}

fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            terms.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(term) = terms.last_mut() {
            term.push(c);
        }
    }
    terms
}

fn split_operator(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((field, false, value));
    }
    rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')).map(|value| (field, true, value))
}

fn unescape(value: &str) -> Result<String, String> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(next @ ('\\' | ',' | '=')) => out.push(next),
                Some(next) => {
                    return Err(format!("invalid field selector: invalid escape sequence: \\{next}"));
                }
                None => return Err("invalid field selector: unterminated escape sequence".into()),
            },
            '=' => return Err(format!("invalid field selector: unescaped character in value: {value}")),
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_with_their_escapes() {
        type Expected = &'static [(&'static str, &'static str, bool)];
        let cases: [(&str, Expected); 6] = [
            ("", &[]),
            ("metadata.name=a", &[("metadata.name", "a", true)]),
            ("metadata.name==a,", &[("metadata.name", "a", true)]),
            ("status.phase!=Running", &[("status.phase", "Running", false)]),
            ("a=x\\,y,b=z", &[("a", "x,y", true), ("b", "z", true)]),
            ("spec.nodeName=", &[("spec.nodeName", "", true)]),
        ];
        for (text, expected) in cases {
            let terms = FieldSelector::parse(text).unwrap_or_else(|why| panic!("{text}: {why}")).0;
            let terms: Vec<_> = terms.iter().map(|t| (t.field.as_str(), t.value.as_str(), t.equal)).collect();
            assert_eq!(terms, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["a", "a!b", "a=\\x", "a=b=c", "a=b\\"] {
            assert!(FieldSelector::parse(text).is_err(), "{text}");
        }
    }
}
