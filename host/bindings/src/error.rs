//! `tidegate:host/types.error`: a transport's error is what a guest gets a handle to.

use tidegate_transport::{Code, Error, Reason};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::wit::tidegate::host::types::{Failure, HostError, Status};
use crate::{View, convert};

/// The handle was used up before.
pub(crate) fn closed(what: &str) -> Error {
    Error::new(Code::Closed, format!("{what} was used up before: it can be had once"))
}

/// The flags to add, if nothing but grants was missing. Several transports that were refused have each flags of their own, and nobody
/// should add them all: then there are none.
pub(crate) fn refusal(error: &Error) -> Option<&[String]> {
    let all_refused = || error.failures().iter().all(|failure| failure.reason == Reason::PermissionDenied);
    match (error.code(), error.failures()) {
        (Code::PermissionDenied, _) => Some(error.missing()),
        (Code::NoClient, [failure]) if all_refused() => Some(&failure.missing),
        (Code::NoClient, [_, _, ..]) if all_refused() => Some(&[]),
        _ => None,
    }
}

impl HostError for View<'_> {
    fn code(&mut self, error: Resource<Error>) -> Result<String> {
        Ok(self.get(&error)?.code().as_str().to_owned())
    }

    fn message(&mut self, error: Resource<Error>) -> Result<String> {
        Ok(self.get(&error)?.report())
    }

    fn status(&mut self, error: Resource<Error>) -> Result<Option<Status>> {
        Ok(self.get(&error)?.status().map(convert::status))
    }

    fn missing(&mut self, error: Resource<Error>) -> Result<Vec<String>> {
        Ok(self.get(&error)?.missing().to_vec())
    }

    fn failures(&mut self, error: Resource<Error>) -> Result<Vec<Failure>> {
        Ok(convert::failures(self.get(&error)?.failures()))
    }

    fn drop(&mut self, error: Resource<Error>) -> Result<()> {
        self.delete(error).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_transport::{Failure, Kind, NoClient};

    use super::*;

    #[test]
    fn a_refusal_is_an_error_that_only_grants_would_have_prevented() {
        let failure = |reason, missing: &[&str]| Failure {
            transport: Kind::InCluster,
            reason,
            detail: String::new(),
            missing: missing.iter().map(ToString::to_string).collect(),
        };
        let no_client = |failures| Error::from(NoClient { failures });
        let denied = || failure(Reason::PermissionDenied, &["--allow-net=a:1"]);
        let cases: [(Error, Option<&[&str]>); 7] = [
            (Error::new(Code::Timeout, ""), None),
            (Error::denied("", vec!["--allow-run=kubectl".into()]), Some(&["--allow-run=kubectl"])),
            (Error::denied("a deny flag is in the way", vec![]), Some(&[])),
            (no_client(vec![denied()]), Some(&["--allow-net=a:1"])),
            (no_client(vec![denied(), denied()]), Some(&[])),
            (no_client(vec![denied(), failure(Reason::Tls, &[])]), None),
            (no_client(vec![]), None),
        ];
        for (error, expected) in cases {
            let refusal = refusal(&error).map(|flags| flags.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(refusal.as_deref(), expected, "{error:?}");
        }
    }
}
