use tidegate_authority::Authority;

use crate::detect::{Choice, open};
use crate::drive::explore;
use crate::{CredentialReport, Failure, Kind, Options, in_cluster, kubeconfig, probe};

/// What one transport came to.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which one.
    pub transport: Kind,
    /// Whether it works, or why not and what to grant.
    pub verdict: Result<Reached, Failure>,
    /// What it proves itself with, as far as that was found out; empty where it has no credential, or where another program has it.
    pub credentials: Vec<CredentialReport>,
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
        findings.push(one(authority, options, transport).await);
    }
    findings
}

async fn one(authority: &Authority, options: &Options, kind: Kind) -> Finding {
    let failed = |error| Err(Failure::of(kind, &error));
    let transport = match open(authority, options, Choice::of_host(kind)).await {
        Ok(transport) => transport,
        Err(error) => {
            let credentials = planned(authority, options, kind);
            return Finding { transport: kind, verdict: failed(error), credentials };
        }
    };
    let verdict = match probe::probe(transport.clone(), options.probe_deadline).await {
        Ok(()) => Ok(Reached {
            server: transport.server(),
            default_namespace: transport.default_namespace().map(str::to_owned),
        }),
        Err(error) => failed(error),
    };
    // After the question: a refused credential was replaced meanwhile.
    Finding { transport: kind, verdict, credentials: transport.credentials() }
}

/// What the plan knows of its credentials, as far as the grants let it come.
fn planned(authority: &Authority, options: &Options, kind: Kind) -> Vec<CredentialReport> {
    match kind {
        Kind::InCluster => in_cluster::plan(options).map(|plan| explore(authority, plan)),
        Kind::KubeConfig => kubeconfig::plan(options).map(|plan| explore(authority, plan)),
        Kind::KubectlProxy | Kind::KubectlRaw => return Vec::new(),
    }
    .unwrap_or_default()
}
