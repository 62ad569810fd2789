//! What is wrong with a flag's value, and how to write it instead.

/// A value that is no endpoint, pattern, variable or program.
///
/// Displays as `<problem>; <cure>`, for instance `10.1.2.3/8 has bits set beyond its /8; write 10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {cure}")]
pub struct Invalid {
    problem: String,
    cure: String,
}

impl Invalid {
    /// What is wrong.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to write instead.
    pub fn cure(&self) -> &str {
        &self.cure
    }

    pub(crate) fn new(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { problem: problem.into(), cure: cure.into() }
    }
}

/// A permission flag that cannot be understood. Nothing is granted or denied by a flag line that has one.
///
/// Displays as `bad value "10.1.2.3/8" for --allow-net: 10.1.2.3/8 has bits set beyond its /8; write 10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad value {value:?} for {flag}: {invalid}")]
pub struct FlagError {
    flag: String,
    value: String,
    invalid: Invalid,
}

impl FlagError {
    /// The flag without its value, e.g. `--deny-net`.
    pub fn flag(&self) -> &str {
        &self.flag
    }

    /// The one value of the list that is wrong.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong, and the cure.
    pub fn invalid(&self) -> &Invalid {
        &self.invalid
    }

    pub(crate) fn new(flag: impl Into<String>, value: impl Into<String>, invalid: Invalid) -> Self {
        Self { flag: flag.into(), value: value.into(), invalid }
    }
}
