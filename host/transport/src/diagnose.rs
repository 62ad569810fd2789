use tidegate_authority::Authority;

use crate::detect::{Choice, connect};
use crate::{Failure, Kind, Options};

/// What one transport came to.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which one.
    pub transport: Kind,
    /// Whether it works, or why not and what to grant.
    pub verdict: Result<Reached, Failure>,
}

/// A server that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// As [`Transport::server`](crate::Transport::server).
    pub server: String,
    /// As [`Transport::default_namespace`](crate::Transport::default_namespace).
    pub default_namespace: Option<String>,
}

/// Tries every one of `options.transports`, also those behind the first that works.
pub async fn diagnose(authority: &Authority, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    for &transport in &options.transports {
        let verdict = match connect(authority, options, Choice::of_host(transport)).await {
            Ok(reached) => Ok(Reached {
                server: reached.server(),
                default_namespace: reached.default_namespace().map(str::to_owned),
            }),
            Err(error) => Err(Failure::of(transport, &error)),
        };
        findings.push(Finding { transport, verdict });
    }
    findings
}
