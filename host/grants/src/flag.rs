//! One permission flag as text, as a permission set of the configuration file has it.

use std::fmt;

use crate::error::Invalid;
use crate::limits::LimitKind;
use crate::need::Kind;

/// Who acts, or that nobody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `--allow-…`: the host, for the guest.
    Allow,
    /// `--deny-…`: nobody, whatever else is granted.
    Deny,
    /// `--wasi-…`: the guest by itself.
    Wasi,
}

/// A permission flag: `--allow-net=10.0.0.1:6443`, `--deny-env`, `--wasi-read=/data`, `--limit-cpu=10s`, `-A`.
///
/// Its values are not looked at: [`GrantsBuilder::add`](crate::GrantsBuilder::add) does that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// `-A`, `--allow-all`.
    AllowAll,
    /// A flag of one kind.
    Rule {
        /// Its family.
        family: Family,
        /// Its kind.
        kind: Kind,
        /// What stands after the `=`; none for the flag alone, which means everything of that kind.
        list: Option<String>,
    },
    /// `--limit-memory=64MiB`.
    Limit {
        /// What is limited.
        kind: LimitKind,
        /// What stands after the `=`.
        value: String,
    },
}

impl Flag {
    /// Parses a flag, one for each text. Errors: it is none of the permission flags.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if matches!(text, "-A" | "--allow-all") {
            return Ok(Self::AllowAll);
        }
        let (name, list) = match text.split_once('=') {
            Some((name, list)) => (name, Some(list.to_owned())),
            None => (text, None),
        };
        if let Some(kind) = LimitKind::ALL.into_iter().find(|kind| kind.flag() == name) {
            let missing =
                || Invalid::new(format!("{name} has no value"), format!("write {name}=…, or {name}=none"));
            return list.map(|value| Self::Limit { kind, value }).ok_or_else(missing);
        }
        let found = [Family::Allow, Family::Deny, Family::Wasi].into_iter().find_map(|family| {
            let kind = Kind::ALL.into_iter().find(|kind| family.flag(*kind) == Some(name))?;
            Some(Self::Rule { family, kind, list: list.clone() })
        });
        found.ok_or_else(|| {
            // The name alone: a value could be anything.
            let shown: String = name.chars().take(40).collect();
            let cure =
                "write --allow-<kind>, --deny-<kind> or --wasi-<kind>, each with an optional =value,…, --limit-<kind>=value, or -A";
            let problem = match name {
                "-P" | "--permission-set" => format!("{name} cannot stand in a permission set"),
                _ if name.contains(char::is_whitespace) => "several flags in one text".to_owned(),
                _ => format!("{shown:?} is no permission flag"),
            };
            Invalid::new(problem, cure)
        })
    }
}

/// The flag as it parses, not quoted for a shell.
impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllowAll => f.write_str("-A"),
            Self::Limit { kind, value } => write!(f, "{}={value}", kind.flag()),
            Self::Rule { family, kind, list } => {
                f.write_str(family.flag(*kind).unwrap_or_default())?;
                list.as_ref().map_or(Ok(()), |list| write!(f, "={list}"))
            }
        }
    }
}

impl Family {
    /// The flag of this family for a kind, without a value, e.g. `--deny-net`; none where there is no such flag.
    pub fn flag(self, kind: Kind) -> Option<&'static str> {
        match self {
            Self::Allow => Some(kind.flag()),
            Self::Deny => Some(kind.deny_flag()),
            Self::Wasi => kind.wasi_flag(),
        }
    }
}
