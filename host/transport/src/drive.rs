//! Does what plans want: approve a round, read what it names, hand it over.

use std::path::Path;

use tidegate_authority::{Approved, Authority, Needs, ReadError, ReadGrant};
use tidegate_kube::Secret;

use crate::plan::{File, Inputs, Plan, Round, Step, Variable};
use crate::{Code, CredentialReport, Error};

/// The largest file that a plan reads: kubectl takes kubeconfigs of any size, real ones end at a few MiB.
pub(crate) const TEXT_CAP: u64 = 16 * 1024 * 1024;

/// Goes through a plan's rounds. The approval is the last round's, whose network, programs and files the transport goes on using.
pub(crate) fn drive<P: Plan>(authority: &Authority, mut plan: P) -> Result<(P::Ready, Approved), Error> {
    loop {
        let round = plan.round();
        let approved = authority.approve(&needs(&round))?;
        let inputs = inputs(&approved, &round);
        match plan.advance(inputs)? {
            Step::Again(next) => plan = next,
            Step::Ready(ready) => return Ok((ready, approved)),
        }
    }
}

/// Goes through a plan's rounds as far as it comes, and tells what it knows of its credentials by then. The last round is not gone through:
/// its files were read, or could not be, by whoever asks.
pub(crate) fn explore<P: Plan>(authority: &Authority, mut plan: P) -> Vec<CredentialReport> {
    loop {
        let known = plan.credentials();
        if !known.is_empty() {
            return known;
        }
        let round = plan.round();
        let Ok(approved) = authority.approve(&needs(&round)) else { return Vec::new() };
        match plan.advance(inputs(&approved, &round)) {
            Ok(Step::Again(next)) => plan = next,
            _ => return Vec::new(),
        }
    }
}

fn needs(round: &Round) -> Needs {
    let mut needs = Needs::new();
    for variable in &round.variables {
        needs = match variable {
            Variable::Required(name) => needs.env(*name),
            Variable::Optional(name) => needs.optional_env(*name),
        };
    }
    for folder in &round.folders {
        needs = needs.read(folder);
    }
    for file in round.files.iter().filter(|file| folder_of(round, file).is_none()) {
        needs = needs.read(file);
    }
    needs = round.net.iter().cloned().fold(needs, Needs::net);
    round.run.iter().cloned().fold(needs, Needs::run)
}

fn inputs(approved: &Approved, round: &Round) -> Inputs {
    let mut inputs = Inputs::default();
    for variable in &round.variables {
        if let Some(value) = approved.env(variable.name()).and_then(|grant| grant.value()) {
            inputs.variables.insert(variable.name(), value);
        }
    }
    for path in &round.files {
        let read = match file_grant(approved, round, path) {
            Some(grant) => read(&grant),
            None => File::Missing,
        };
        inputs.files.insert(path.clone(), read);
    }
    inputs
}

/// The grant for a file of a round: its own, or its folder's.
fn file_grant(approved: &Approved, round: &Round, path: &Path) -> Option<ReadGrant> {
    match folder_of(round, path) {
        Some(folder) => {
            let name = path.strip_prefix(folder).ok()?;
            Some(approved.read(folder)?.child(name))
        }
        None => approved.read(path),
    }
}

fn folder_of<'a>(round: &'a Round, path: &Path) -> Option<&'a Path> {
    round.folders.iter().map(|folder| folder.as_path()).find(|folder| path.starts_with(folder))
}

/// On this thread: these are the few small files of a start.
fn read(grant: &ReadGrant) -> File {
    // What a guest can write it could have written: a kubeconfig that sends the user's certificate to a server of its own. What it can
    // read by itself would be a credential in its hands.
    match grant.read_trusted_now(TEXT_CAP) {
        Ok(bytes) => File::Read(Secret::new(bytes)),
        Err(error) if error.is_not_found() => File::Missing,
        Err(error) => File::Unreadable(unreadable(error)),
    }
}

fn unreadable(error: ReadError) -> Error {
    match error.missing() {
        Some(missing) => Error::denied(error.to_string(), missing.flag().into_iter().collect()),
        None if error.is_guests() => Error::denied(error.to_string(), Vec::new()),
        None => Error::new(Code::NotConfigured, error.to_string()).broken(),
    }
}
