//! Does what plans want: approve a round, read what it names, hand it over.

use std::path::Path;

use tidegate_authority::{Approved, Authority, Needs, ReadError, ReadGrant};
use tidegate_grants::{Kind, Need};
use tidegate_kube::Secret;

use crate::plan::{File, Inputs, Plan, Round, Step, Variable};
use crate::{Code, Error};

/// The largest file that a plan reads: kubectl takes kubeconfigs of any size, real ones end at a few MiB.
pub(crate) const TEXT_CAP: u64 = 16 * 1024 * 1024;

/// Goes through a plan's rounds. The approval is the last round's, whose network, programs and files the transport goes on using.
pub(crate) fn drive<P: Plan>(authority: &Authority, mut plan: P) -> Result<(P::Ready, Approved), Error> {
    loop {
        let round = plan.round();
        let approved = authority.approve(&needs(&round))?;
        let inputs = inputs(authority, &approved, &round);
        match plan.advance(inputs)? {
            Step::Again(next) => plan = next,
            Step::Ready(ready) => return Ok((ready, approved)),
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

fn inputs(authority: &Authority, approved: &Approved, round: &Round) -> Inputs {
    let mut inputs = Inputs::default();
    for variable in &round.variables {
        if let Some(value) = approved.env(variable.name()).and_then(|grant| grant.value()) {
            inputs.variables.insert(variable.name(), value);
        }
    }
    for path in &round.files {
        let read = match file_grant(approved, round, path) {
            Some(grant) => read(authority, &grant),
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
fn read(authority: &Authority, grant: &ReadGrant) -> File {
    if let Some(refusal) = writable(authority, grant.path()) {
        return File::Unreadable(refusal);
    }
    match grant.read_now(TEXT_CAP) {
        Ok(bytes) => File::Read(Secret::new(bytes)),
        Err(error) if error.is_not_found() => File::Missing,
        Err(error) => File::Unreadable(unreadable(error)),
    }
}

fn unreadable(error: ReadError) -> Error {
    match error.missing() {
        Some(missing) => Error::denied(error.to_string(), missing.flag().into_iter().collect()),
        None => Error::new(Code::NotConfigured, error.to_string()).broken(),
    }
}

/// What a guest can write it could have written: a kubeconfig that sends the user's certificate to a server of its own.
///
/// `--allow-write` alone, and with it `-A`, says that everything is trusted; the guest's own `--wasi-write` never says that.
fn writable(authority: &Authority, path: &Path) -> Option<Error> {
    let need = Need::Write(path.to_owned());
    let grants = authority.grants();
    let flag = if grants.wasi().judge(&need).is_granted() {
        Kind::Write.wasi_flag()?
    } else if !grants.allows_everything(Kind::Write) && authority.query(&need).is_granted() {
        Kind::Write.flag()
    } else {
        return None;
    };
    let text = format!(
        "{} can be written by the guest ({flag}), so no credential is taken from it; grant a folder that does not contain it",
        path.display()
    );
    Some(Error::denied(text, Vec::new()))
}
