//! A real control plane for hands.

use std::process::ExitCode;

use tidegate_cluster::{AuthKind, Cluster, Detached, Options, Tools};

use crate::say::Failure;

/// `cargo xtask cluster up [NODES]|down|kubeconfig`.
pub(crate) fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    match words {
        ["up"] => up(1),
        ["up", nodes] => {
            up(nodes.parse().map_err(|_| Failure::usage(format!("{nodes} is no number of nodes")))?)
        }
        ["down"] => {
            running()?.stop()?;
            Ok(ExitCode::SUCCESS)
        }
        ["kubeconfig"] => {
            println!("{}", running()?.kubeconfig(AuthKind::Token).display());
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::usage("cargo xtask cluster up [NODES] | down | kubeconfig".into())),
    }
}

fn running() -> Result<Detached, Failure> {
    Detached::find()?
        .ok_or_else(|| Failure::usage("no cluster runs; start one with `cargo xtask cluster up`".into()))
}

fn up(nodes: u16) -> Result<ExitCode, Failure> {
    let tools = Tools::ensure(&mut |line| eprintln!("  {line}"))?;
    let cluster = Cluster::start_detached(&tools, Options::everything().nodes(nodes).with_kubelet())?;
    println!("export KUBECONFIG={}", cluster.kubeconfig(AuthKind::Token).display());
    Ok(ExitCode::SUCCESS)
}
