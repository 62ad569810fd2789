//! Patterns of `--allow-connection` and `--deny-connection`.

use std::fmt;

use crate::error::Invalid;
use crate::quote::is_unseen;

/// The longest name of a connection, in bytes: contexts' and clusters' names of the large clouds fit twice.
const MAX_NAME: usize = 253;

/// One value of a connection flag: a connection's name, or a prefix of names (`prod-*`). Case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionPattern {
    /// This connection.
    Name(String),
    /// Every connection whose name starts so, also those that are registered later.
    Prefix(String),
}

impl ConnectionPattern {
    /// Parses one value. Errors: `*` alone, a `*` elsewhere than at the end, or what [`connection_name`] refuses.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Err(Invalid::new(
                "\"*\" is not a name",
                "use the flag alone, without a value, to mean every connection",
            ));
        }
        match text.strip_suffix('*') {
            Some(prefix) if prefix.contains('*') => Err(star_inside(text)),
            Some(prefix) => connection_name(prefix).map(|name| Self::Prefix(name.to_owned())),
            None if text.contains('*') => Err(star_inside(text)),
            None => connection_name(text).map(|name| Self::Name(name.to_owned())),
        }
    }

    /// Whether the pattern covers this connection.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

impl fmt::Display for ConnectionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// The name itself, if a connection can have it: 1 to 253 bytes, no `*`, no space at either end, nothing that a terminal would
/// not show.
pub fn connection_name(name: &str) -> Result<&str, Invalid> {
    let bad = |problem: String, cure: &str| Err(Invalid::new(problem, cure));
    if name.is_empty() {
        return bad("a connection's name is empty".to_owned(), "write a name");
    }
    if name.len() > MAX_NAME {
        let problem = format!("a connection's name is longer than the cap of {MAX_NAME} bytes");
        return bad(problem, "choose a shorter one");
    }
    if name.contains('*') {
        return bad(format!("{name:?} has a *, which no connection's name can have"), "leave it out");
    }
    if name.trim() != name || name.contains(is_unseen) {
        let problem = format!("{name:?} begins or ends with a space, or holds what cannot be seen");
        return bad(problem, "use characters that can be seen");
    }
    Ok(name)
}

fn star_inside(text: &str) -> Invalid {
    Invalid::new(format!("{text:?} has a * inside"), "a * can only end a name, as in prod-*")
}
