//! `tidegate:host/permissions`: what the host may do for this guest.

use std::path::{Component, Path};

use tidegate_grants::{Endpoint, Kind, Need, Verdict, connection_name, listen_address};
use wasmtime::Result;

use crate::View;
use crate::wit::tidegate::host::permissions::Host;

impl Host for View<'_> {
    fn query(&mut self, kind: String, value: Option<String>) -> Result<String> {
        let verdict = match (Kind::from_name(&kind), value) {
            (None, _) => None,
            (Some(kind), None) => Some(self.context.authority.grants().judge_all(kind)),
            (Some(kind), Some(value)) => need(kind, value).map(|need| self.context.authority.query(&need)),
        };
        Ok(if verdict == Some(Verdict::Granted) { "granted" } else { "denied" }.to_owned())
    }
}

/// What a flag with this value would grant; none if no flag could.
fn need(kind: Kind, value: String) -> Option<Need> {
    match kind {
        Kind::Net => Endpoint::parse(&value).ok().map(Need::Net),
        Kind::Read => is_plain(Path::new(&value)).then(|| Need::Read(value.into())),
        Kind::Write => is_plain(Path::new(&value)).then(|| Need::Write(value.into())),
        Kind::Env => Some(Need::Env(value)),
        Kind::Run => Some(Need::Run(value)),
        Kind::Listen => listen_address(&value).ok().map(Need::Listen),
        Kind::Connection => connection_name(&value).is_ok().then_some(Need::Connection(value)),
    }
}

/// Absolute and without `..`: a guest has no working folder that a relative path could begin at.
fn is_plain(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|component| component == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_no_flag_could_grant_are_no_needs() {
        let cases = [
            (Kind::Net, "10.0.0.1:6443", true),
            (Kind::Net, "[::1]:1", true),
            (Kind::Net, "10.0.0.1", false),
            (Kind::Net, "a b:1", false),
            (Kind::Read, "/etc/hosts", true),
            (Kind::Read, "hosts", false),
            (Kind::Read, "/granted/../secret", false),
            (Kind::Write, "/tmp", true),
            (Kind::Write, "", false),
            (Kind::Env, "HOME", true),
            (Kind::Run, "kubectl", true),
            (Kind::Listen, "127.0.0.1:8080", true),
            (Kind::Listen, "example.com:8080", false),
            (Kind::Connection, "prod", true),
            (Kind::Connection, "prod-*", false),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(need(kind, value.to_owned()).is_some(), expected, "{kind} {value}");
        }
    }
}
