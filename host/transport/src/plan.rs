//! Plans: what a transport needs, round by round, as data.
//!
//! A plan is pure. [`Round`] says what it wants next; [`Inputs`] is what came of it; and `advance` turns the one into the next
//! until a plan is [`Step::Ready`]. Who does it, is [`crate::drive`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tidegate_grants::Endpoint;
use tidegate_kube::Secret;

use crate::{Code, CredentialReport, Error};

/// A state machine that ends with what a transport is made of.
pub(crate) trait Plan: Sized {
    /// What the last round gives.
    type Ready;

    /// What is wanted now: all of it is approved at once, before any of it is touched.
    fn round(&self) -> Round;

    /// What is known by now of the credentials, for people.
    fn credentials(&self) -> Vec<CredentialReport> {
        Vec::new()
    }

    /// The next state.
    fn advance(self, inputs: Inputs) -> Result<Step<Self, Self::Ready>, Error>;
}

/// What [`Plan::advance`] comes to.
#[derive(Debug)]
pub(crate) enum Step<P, R> {
    /// There is another round.
    Again(P),
    /// That was the last round; its approval holds what connecting takes.
    Ready(R),
}

/// One round of needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) variables: Vec<Variable>,
    /// Folders that must be readable, whose files are listed below.
    pub(crate) folders: Vec<PathBuf>,
    /// Files to read: of those folders, or granted one by one.
    pub(crate) files: Vec<PathBuf>,
    /// The server, and what stands before it or gives it its credential.
    pub(crate) net: Vec<Endpoint>,
    pub(crate) run: Option<String>,
}

/// An environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Without this grant the plan ends.
    Required(&'static str),
    /// Without this grant it counts as unset.
    Optional(&'static str),
}

impl Variable {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Variable::Required(name) | Variable::Optional(name) => name,
        }
    }
}

/// What a round gave.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) variables: BTreeMap<&'static str, OsString>,
    pub(crate) files: BTreeMap<PathBuf, File>,
}

/// What came of reading a file.
#[derive(Debug)]
pub(crate) enum File {
    Read(Secret<Vec<u8>>),
    /// There is none, or no folder that it would be in.
    Missing,
    /// It is there and was not read.
    Unreadable(Error),
}

impl Inputs {
    /// A variable that is granted, set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A file's bytes, none where it is missing. Errors: it is there and was not read.
    pub(crate) fn file(&mut self, path: &Path) -> Result<Option<Secret<Vec<u8>>>, Error> {
        match self.files.remove(path) {
            Some(File::Read(bytes)) => Ok(Some(bytes)),
            Some(File::Unreadable(error)) => Err(error),
            Some(File::Missing) | None => Ok(None),
        }
    }

    /// A file's bytes. Errors: it is missing, or was not read; `what` says what named it.
    pub(crate) fn file_named_by(&mut self, path: &Path, what: &str) -> Result<Secret<Vec<u8>>, Error> {
        self.file(path)?.ok_or_else(|| {
            Error::new(Code::NotConfigured, format!("{} does not exist, but {what} names it", path.display()))
                .broken()
        })
    }
}

/// Tables for plans: a round as lines, and inputs out of pairs.
#[cfg(test)]
pub(crate) mod tables {
    use super::*;

    /// The lines of what says whether there is a proxy; all of it is optional.
    pub(crate) const PROXIES: [&str; 6] = [
        "env HTTPS_PROXY?",
        "env https_proxy?",
        "env HTTP_PROXY?",
        "env http_proxy?",
        "env NO_PROXY?",
        "env no_proxy?",
    ];

    pub(crate) fn lines(round: &Round) -> Vec<String> {
        let variables = round.variables.iter().map(|variable| match variable {
            Variable::Required(name) => format!("env {name}"),
            Variable::Optional(name) => format!("env {name}?"),
        });
        let folders = round.folders.iter().map(|path| format!("folder {}", path.display()));
        let files = round.files.iter().map(|path| format!("file {}", path.display()));
        let net = round.net.iter().map(|endpoint| format!("net {endpoint}"));
        let run = round.run.iter().map(|program| format!("run {program}"));
        variables.chain(folders).chain(files).chain(net).chain(run).collect()
    }

    pub(crate) fn variables(pairs: &[(&'static str, &str)]) -> Inputs {
        let variables = pairs.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
        Inputs { variables, ..Inputs::default() }
    }

    pub(crate) fn files(pairs: &[(&str, &str)]) -> Inputs {
        let read = |text: &str| File::Read(Secret::new(text.as_bytes().to_vec()));
        let files = pairs.iter().map(|(path, text)| (PathBuf::from(path), read(text))).collect();
        Inputs { files, ..Inputs::default() }
    }

    /// The plan after a round, which must not be its last.
    pub(crate) fn again<P: Plan>(plan: P, inputs: Inputs) -> P {
        match plan.advance(inputs) {
            Ok(Step::Again(next)) => next,
            Ok(Step::Ready(_)) => panic!("the plan is ready"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// What the last round gives.
    pub(crate) fn ready<P: Plan>(plan: P, inputs: Inputs) -> P::Ready {
        match plan.advance(inputs) {
            Ok(Step::Ready(ready)) => ready,
            Ok(Step::Again(_)) => panic!("the plan has another round"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Why a round ends the plan.
    pub(crate) fn failed<P: Plan>(plan: P, inputs: Inputs) -> Error {
        match plan.advance(inputs) {
            Err(error) => error,
            Ok(_) => panic!("the plan goes on"),
        }
    }
}
