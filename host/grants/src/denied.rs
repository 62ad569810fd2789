//! Verdicts, and refusals that name their cure.

use std::fmt;

use crate::need::Need;

/// What the flags say about one need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is granted.
    Granted,
    /// No allow flag covers it.
    Missing,
    /// A deny flag covers it, whatever the allow flags say.
    Denied {
        /// That flag, ready for a shell, e.g. `--deny-read=/etc`.
        by: String,
    },
}

impl Verdict {
    /// Whether it is [`Verdict::Granted`].
    pub fn is_granted(&self) -> bool {
        *self == Verdict::Granted
    }
}

/// One need that is not granted.
///
/// Displays as `read access to "/x", run again with --allow-read=/x`, or, where a deny flag is in the way, as
/// `read access to "/etc/x", which --deny-read=/etc refuses, run again without it`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is needed.
    pub need: Need,
    /// The deny flag that is in the way, ready for a shell.
    pub denied_by: Option<String>,
}

impl Missing {
    /// The need that this verdict does not grant; none where it does.
    pub fn from_verdict(need: &Need, verdict: Verdict) -> Option<Self> {
        let denied_by = match verdict {
            Verdict::Granted => return None,
            Verdict::Missing => None,
            Verdict::Denied { by } => Some(by),
        };
        Some(Self { need: need.clone(), denied_by })
    }

    /// The flag to add; none where a deny flag is in the way, since no allow flag would help.
    pub fn flag(&self) -> Option<String> {
        self.denied_by.is_none().then(|| self.need.flag())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.denied_by {
            None => write!(f, "{}, run again with {}", self.need, self.need.flag()),
            Some(by) => write!(f, "{}, which {by} refuses, run again without it", self.need),
        }
    }
}

/// Everything that one round of needs lacks.
///
/// Displays as [`Missing`] for one; for several, the needs first and then all flags at once:
/// `read access to "/x" and network access to "h:1", run again with --allow-read=/x --allow-net=h:1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Denied {
    /// What is missing, in the order in which it was asked for; never empty.
    pub missing: Vec<Missing>,
}

impl Denied {
    /// The flags to add, each once. Shorter than `missing` where deny flags are in the way.
    pub fn flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = Vec::new();
        for flag in self.missing.iter().filter_map(Missing::flag) {
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
        flags
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut clauses: Vec<String> = self
            .missing
            .iter()
            .filter(|missing| missing.denied_by.is_some())
            .map(ToString::to_string)
            .collect();
        let needs: Vec<String> = self
            .missing
            .iter()
            .filter(|missing| missing.denied_by.is_none())
            .map(|missing| missing.need.to_string())
            .collect();
        if !needs.is_empty() {
            clauses.push(format!("{}, run again with {}", joined(&needs), self.flags().join(" ")));
        }
        f.write_str(&clauses.join("; "))
    }
}

fn joined(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
