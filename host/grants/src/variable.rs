//! Patterns of `--allow-env` and `--deny-env`.

use std::fmt;

use crate::error::Invalid;

/// One value of an env flag: a variable's name, or a prefix of names (`KUBERNETES_*`). Case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvPattern {
    /// This variable.
    Name(String),
    /// Every variable whose name starts so.
    Prefix(String),
}

impl EnvPattern {
    /// Parses one value. Errors: empty, `*` alone, a `*` elsewhere than at the end, `=` or a zero byte.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Err(Invalid::new(
                "\"*\" is not a name",
                "use the flag alone, without a value, to mean every variable",
            ));
        }
        let (name, prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err(Invalid::new(
                format!("{text:?} has a * inside"),
                "a * can only end a name, as in NAME_*",
            ));
        }
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Invalid::new(format!("{text:?} is not a variable's name"), "write NAME or NAME_*"));
        }
        Ok(if prefix { Self::Prefix(name.to_owned()) } else { Self::Name(name.to_owned()) })
    }

    /// Whether the pattern covers this variable.
    pub fn matches(&self, variable: &str) -> bool {
        match self {
            Self::Name(name) => name == variable,
            Self::Prefix(prefix) => variable.starts_with(prefix.as_str()),
        }
    }
}

impl fmt::Display for EnvPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}
